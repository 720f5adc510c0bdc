"""Every number of a config has bounds: one that no machine can hold is a sentence, and never a traceback of a job."""

import json
import re

import pytest
import yaml

from breakeven.config.derive import LARGEST, json_schema
from breakeven.config.options import option_problems, options_model
from breakeven.data.registry import LOADERS
from breakeven.networks.registry import NETWORKS, network_source
from breakeven.specs.own_code import own_source
from breakeven.store.errors import ConfigError
from tests.config.example import CONFIG, plan_of
from tests.config.test_schema import DEFS, EVERYTHING, walk

CONTENT = yaml.safe_load(CONFIG)
del CONTENT["studies"]["main"]["sweeps"]


def is_a(kind, part):
    return kind in (part.get("type"), *part.get("type", ()))


def leaves(kind):
    """The paths of all numbers, with those of each loader."""
    paths = {path for path, part, _ in EVERYTHING if is_a(kind, part) and path[0] != "datasets"}
    found = [(path, "digits") for path in sorted(paths)]
    for name in LOADERS:
        of_loader = sorted({path for path, part, _ in walk(DEFS[name]) if is_a(kind, part)})
        found += [(("datasets", "*", *path), name) for path in of_loader]
    return found


def put(content, path, value):
    """``content`` with ``value`` at ``path``, in which * is the first key of what is there, or the first of a new list."""
    if not path:
        return value
    head, *rest = path
    if head == "*" and (isinstance(content, list) or not content):
        return [put({}, rest, value)]
    key = next(iter(content)) if head == "*" else head
    return content | {key: put(content.get(key, {}), rest, value)}


def lines(folder, path, loader, value):
    content = put(CONTENT, ("datasets", "*", "loader"), loader)
    with pytest.raises(ConfigError) as caught:
        plan_of(folder, json.dumps(put(content, path, value)))
    return caught.value.lines


def test_every_integer_of_the_schema_has_bounds():
    networks = [json_schema(options_model(network_source(name))) for name in NETWORKS]
    parts = [part for schema in networks for _, part, _ in walk(schema)] + [part for _, part, _ in EVERYTHING]
    integers = [part for part in parts if is_a("integer", part)]
    assert len(integers) > 30
    for part in integers:
        assert {"minimum", "exclusiveMinimum"} & part.keys() and {"maximum", "exclusiveMaximum"} & part.keys(), part


@pytest.mark.parametrize(("path", "loader"), leaves("integer"), ids=str)
def test_a_huge_integer_is_told(tmp_path, path, loader):
    for value in (10**30, 1e300, LARGEST * 1000):
        told = lines(tmp_path, path, loader, value)
        assert re.search(r"is too large; allowed: an integer of at least -?\d+ and at most \d+", "\n".join(told)), told
    told = lines(tmp_path, path, loader, -(10**30))
    assert [line for line in told if "is too small; allowed: an integer of at least" in line], told


@pytest.mark.parametrize(("path", "loader"), leaves("number"), ids=str)
def test_a_number_that_no_float_can_hold_is_told(tmp_path, path, loader):
    assert lines(tmp_path, path, loader, 10**400)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_huge_option_of_a_network_is_told(network):
    source = network_source(network)
    for path, part, _ in walk(json_schema(options_model(source))):
        if is_a("integer", part) and path:
            value = [10**30] if path[-1] == "*" else 10**30
            [problem] = option_problems(source, {path[0]: value})
            assert "is too large; allowed: an integer of at least" in problem.message


OWN = "def build(input_shape, classes, *, shift: int = 0, seed: Annotated[int, Ge(0), Le(2000000000)] = 0):\n    pass\n"


def test_the_options_of_the_users_own_functions_have_bounds_too(tmp_path):
    (tmp_path / "bounded.py").write_text(OWN, encoding="utf-8")
    source = own_source(f"{tmp_path}/bounded.py:build", ("input_shape", "classes"))
    assert option_problems(source, {"shift": -LARGEST, "seed": 2 * LARGEST}) == []
    allowed = f"an integer of at least -{LARGEST} and at most {LARGEST}"
    messages = [
        problem.message for value in (10**30, -(10**30)) for problem in option_problems(source, {"shift": value})
    ]
    assert [message.partition("; ")[2] for message in messages] == [f"allowed: {allowed}"] * 2
    [problem] = option_problems(source, {"shift": "x"})
    assert problem.message == "'x' is not an integer"
