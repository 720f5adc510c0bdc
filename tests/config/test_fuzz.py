"""Whatever file comes in, either a valid plan or one clear line for each mistake: never a traceback, never a hang.

The same 300 examples each time. Others, and more of them: ``BREAKEVEN_FUZZ=20000 pytest tests/config/test_fuzz.py``.
"""

import copy
import json
import math
import os
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakeven.config.check import describe
from breakeven.config.models import HYPERPARAMETERS, Config, StudyConfig
from breakeven.config.plan import load_plan
from breakeven.config.yaml_file import read_yaml
from breakeven.specs.run import canonical_json, from_json, run_id
from breakeven.store.errors import UserError

CHECKOUT = Path(__file__).parents[2]
CONFIGS = [
    read_yaml(path).content
    for path in (
        CHECKOUT / "config.yaml",
        CHECKOUT / "docs/examples/own.yaml",
        *CHECKOUT.glob("workflow/configs/*.yaml"),
    )
]
TEXTS = [yaml.safe_dump(config, sort_keys=False) for config in CONFIGS]
FOLDER_NAME = re.compile(r"[A-Za-z0-9_.-]+")
SECONDS = 20  # a single example takes some milliseconds

MANY = os.environ.get("BREAKEVEN_FUZZ")
EXAMPLES = int(MANY or 300)


def fuzzed(share):
    """This share of all examples."""
    return settings(
        max_examples=int(share * EXAMPLES),
        deadline=None,
        database=None,
        derandomize=MANY is None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


NASTY_TEXTS = [
    "",
    " ",
    "..",
    "../x",
    "/",
    "/etc/passwd",
    "a b",
    "a'b\"c",
    "$(touch pwned)",
    "`touch pwned`",
    "{x}",
    "{run}",
    "~",
    "~/x",
    "-x",
    "*",
    "a\nb",
    "\0",
    "\x1b[31m",
    "\ud800",
    "ü",
    "数",
    "1e-1",
    ".nan",
    "null",
    "x" * 300,
    "x" * 10_000,
    ".py:",
    "docs/examples/own.py:nothing",
    "docs/examples/own.py:stripes",
    "x" * 5000 + ".py:f",
    "\0.py:f",
    "a\nb.py:f",
    "docs.py:",
    "digits",
    "cifar10",
    "simple_cnn",
    "break_even",
    "epoch",
]
NASTY_NUMBERS = [0, -1, 1, 2, 0.5, 10**9, 10**15, 10**30, 10**99, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf]
nasty_texts = st.sampled_from(NASTY_TEXTS)
nasty_scalars = st.one_of(nasty_texts, st.sampled_from([*NASTY_NUMBERS, None, True, False]))
nasty = st.one_of(
    nasty_scalars,
    st.sampled_from([[], {}, [[]], [{}], {"": 1}, list(range(2000)), [0, 0], [None, True, 1, 1.0], {"a": {"b": {}}}]),
    st.lists(nasty_scalars, max_size=3),
    st.dictionaries(nasty_texts, nasty_scalars, max_size=3),
)


@pytest.fixture(scope="module", autouse=True)
def in_the_checkout():
    """Where ``docs/examples/own.py`` lies."""
    before = Path.cwd()
    os.chdir(CHECKOUT)
    yield
    os.chdir(before)


def planned(folder, content):
    """The plan of a file with this ``content`` (bytes) after it was checked, or the lines that refuse it."""
    path = folder / "config.yaml"
    path.write_bytes(content)
    started = time.process_time()
    try:
        plan = load_plan(path)
    except UserError as error:
        lines = str(error).split("\n")
        for line in lines:
            assert re.match(rf"{re.escape(str(path))}(:\d+)*: .", line) and line.isprintable(), line
            assert len(line) < 2000, line
        assert len(set(lines)) == len(lines), lines
        return lines
    finally:
        assert time.process_time() - started < SECONDS
    check(plan)
    return plan


def check(plan):
    """That a plan names safe folders, can be told, and that each run is what its id says."""
    for name in (*plan.runs, *plan.studies, *plan.datasets):
        assert FOLDER_NAME.fullmatch(name) and name not in (".", ".."), name
    for run, spec in plan.runs.items():
        assert from_json(canonical_json(spec)) == spec
        assert run_id(from_json(canonical_json(spec))) == run == run_id(spec)
    for study in plan.studies.values():
        json.dumps(study.points, allow_nan=False)
    assert all(line.isprintable() for line in describe(plan))


def dumped(value):
    return yaml.safe_dump(value, sort_keys=False).encode()


# ------------------------------------------------------------------ any text, any YAML


@fuzzed(0.2)
@given(
    content=st.one_of(st.binary(), st.text().map(lambda text: text.encode()), st.text("{}[]:-,&*!|>'\"#%@ \n\tax01~?<"))
)
def test_any_text(tmp_path, content):
    assert isinstance(planned(tmp_path, content if isinstance(content, bytes) else content.encode()), list)


SECTIONS = sorted({*Config.model_fields, *HYPERPARAMETERS, *StudyConfig.model_fields})
values = st.recursive(
    st.one_of(nasty_scalars, st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(SECTIONS), st.text(max_size=5)), inner, max_size=4),
    ),
    max_leaves=20,
)


@fuzzed(0.2)
@given(content=st.dictionaries(st.one_of(st.sampled_from(SECTIONS), st.text(max_size=5)), values, max_size=5))
def test_any_values(tmp_path, content):
    assert isinstance(planned(tmp_path, dumped(content)), list)


# ------------------------------------------------------------------ real configs with mistakes


def places(value, path=()):
    """The paths of all values in a config, but for its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def parent(config, path):
    for part in path[:-1]:
        config = config[part]
    return config


def mutate(draw, config):
    """Make one mistake in ``config``; returns what was done and where."""
    path = draw(st.sampled_from(list(places(config))))
    holder, key = parent(config, path), path[-1]
    action = draw(st.sampled_from(["replace", "replace", "delete", "duplicate", "rename"]))
    if action == "delete":
        del holder[key]
    elif action == "duplicate" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif action in ("rename", "duplicate") and isinstance(holder, dict):
        new = draw(st.one_of(nasty_texts, st.sampled_from(SECTIONS), st.text(max_size=5)))
        holder[new] = copy.deepcopy(holder[key])
        if action == "rename" and new != key:
            del holder[key]
    else:
        action = "replace"
        holder[key] = copy.deepcopy(draw(nasty))  # what is drawn is shared, and may be changed next
    return action, path


@st.composite
def mutated(draw):
    """A real config with one to four mistakes."""
    config = copy.deepcopy(draw(st.sampled_from(CONFIGS)))
    for _ in range(draw(st.integers(1, 4))):
        if config:
            mutate(draw, config)
    return config


@fuzzed(0.35)
@given(config=mutated())
def test_real_configs_with_mistakes(tmp_path, config):
    planned(tmp_path, dumped(config))


@st.composite
def of_a_wrong_type(draw):
    """A real config with one value of a type that no key takes there, and where it is."""
    config = copy.deepcopy(draw(st.sampled_from(CONFIGS)))
    path = draw(st.sampled_from(list(places(config))))
    value = parent(config, path)[path[-1]]
    parent(config, path)[path[-1]] = {"no": "sense"} if not isinstance(value, dict) else -0.5
    return config, path


@fuzzed(0.15)
@given(drawn=of_a_wrong_type())
def test_the_key_is_named(tmp_path, drawn):
    config, path = drawn
    lines = planned(tmp_path, dumped(config))
    assert isinstance(lines, list)
    key = next(part for part in reversed(path) if isinstance(part, str))
    assert any(key in line for line in lines), (path, lines)


SIGNS = ["{", "]", "'", '"', "&a ", "*a ", "<<: ", "!!x ", "- ", ": ", "#", "|", "\0", "\ud800", "é", "\\ud800"]


@st.composite
def garbled(draw):
    """The text of a real config with some lines doubled, left out, moved, or with something nasty in them."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        at, sign = draw(st.integers(0, len(line))), draw(st.sampled_from(SIGNS))
        changes = ([line, line], [""], [f"  {line}"], [f"\t{line}"], [line.lstrip()], [line[:at] + sign + line[at:]])
        lines[index : index + 1] = draw(st.sampled_from(changes))
    return "\n".join(lines)


@fuzzed(0.1)
@given(text=garbled())
def test_real_texts_with_mistakes(tmp_path, text):
    planned(tmp_path, text.encode("utf-8", "surrogatepass"))
