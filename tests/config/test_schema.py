"""The JSON schema that editors show: what the code says, whole, and nothing else."""

from dataclasses import MISSING
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from breakeven.config.models import HYPERPARAMETERS, REQUIRED
from breakeven.config.schema import schema
from breakeven.config.yaml_file import read_yaml
from breakeven.data.registry import LOADERS, loader_source
from breakeven.specs.measurements import Covariance, Density, Hessian, Sharpness
from breakeven.specs.run import Segment
from tests.config.example import CONFIG, plan_of

CHECKOUT = Path(__file__).parents[2]
FILE = CHECKOUT / "workflow" / "schemas" / "config.schema.yaml"
SCHEMA = schema()
DEFS = SCHEMA["$defs"]
CONFIGS = [CHECKOUT / "config.yaml", *sorted(CHECKOUT.glob("workflow/configs/*.yaml"))]


def resolved(part):
    return DEFS[part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else part


def walk(part, path=(), required=True):
    """(path, schema, whether the key is required) of everything that a config can hold."""
    part = resolved(part)
    yield path, part, required
    for name, inner in part.get("properties", {}).items():
        yield from walk(inner, (*path, name), name in part.get("required", ()))
    for inner in part.get("patternProperties", {}).values():
        yield from walk(inner, (*path, "*"))
    if "items" in part:
        yield from walk(part["items"], (*path, "*"))
    for inner in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        yield from walk(inner, path, required)


EVERYTHING = list(walk(SCHEMA))


def test_the_file_is_up_to_date():
    command = "python -m breakeven.config.schema > workflow/schemas/config.schema.yaml"
    assert read_yaml(FILE).content == SCHEMA, f"make it again: {command}"
    assert command in FILE.read_text(encoding="utf-8").partition("\n$schema")[0]


def test_it_is_valid():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", [*CONFIGS, CHECKOUT / "docs/examples/own.yaml"], ids=lambda path: path.stem)
def test_it_accepts_every_config(path):
    Draft202012Validator(SCHEMA).validate(read_yaml(path).content)


def test_it_refuses_what_the_code_refuses(tmp_path):
    for old, new in (("steps: 500", "stepps: 500"), ("size: 32", "size: 0"), ("loader: digits", "loader: digit")):
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG.replace(old, new))
        assert not Draft202012Validator(SCHEMA).is_valid(read_yaml(path).content), new


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_tells_editors_where_it_is(path):
    first = path.read_text(encoding="utf-8").split("\n", maxsplit=1)[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).samefile(FILE)


def test_every_key_is_described():
    undescribed = {path for path, part, _ in EVERYTHING if not part.get("description") and "oneOf" not in part}
    keys = {path for path in undescribed if path and path[-1] != "*" and not {"anyOf", "items"} & set(path)}
    assert keys - {("studies", "*", "sweeps")} == set()  # each alternative of it is a part of its own


def test_leaves_have_a_type_and_unless_required_a_default():
    leaves = [each for each in EVERYTHING if "properties" not in each[1] and each[0]]
    assert [path for path, part, _ in leaves if not {"type", "anyOf", "oneOf"} & part.keys()] == []
    named = [each for each in leaves if each[0][-1] != "*" and "sweeps" not in each[0]]
    without = {path for path, part, required in named if not required and "default" not in part}
    assert without == {("studies", "*", "base", name) for name in REQUIRED}  # base or sweeps must say them


def test_objects_are_closed():
    open_ones = {
        path[-1] if path[-1] != "*" else path[-2]
        for path, part, _ in EVERYTHING
        if part.get("type") == "object" and part.get("additionalProperties") in (None, True)
    }
    assert open_ones == {
        "datasets",  # with any names
        "studies",
        "network_options",  # closed by the network's signature
        "optimizer_options",  # closed by the optimizer's
        "options",  # closed by the signature of the user's own loader
    }


def test_every_hyperparameter_can_be_swept():
    base, grid = DEFS["Hyperparameters"]["properties"], DEFS["Grid"]["properties"]
    assert base.keys() == grid.keys() == HYPERPARAMETERS.keys()
    for name, part in base.items():
        item = {key: value for key, value in part.items() if key not in ("default", "description")}
        assert grid[name]["items"] == item, name


def test_defaults_of_hyperparameters_are_the_neutral_ones():
    for name, option in HYPERPARAMETERS.items():
        if option.default is not MISSING:
            default = DEFS["Hyperparameters"]["properties"][name]["default"]
            assert (tuple(default) if isinstance(default, list) else default) == option.default, name


def test_options_of_data_sets_are_those_of_their_signatures():
    for name in LOADERS:
        properties = DEFS[name]["properties"]
        assert properties["loader"]["const"] == name
        for option, declared in loader_source(name).options.items():
            assert properties[option].get("default", MISSING) == declared.default, (name, option)
            assert properties[option]["description"]


def test_defaults_at_all_depths(tmp_path):
    config = plan_of(tmp_path, CONFIG).config
    assert (config.results, config.device, config.threads, config.slots_per_gpu) == ("results", "auto", 1, 1)
    assert config.memory_mb is None
    digits = config.datasets["digits"]
    assert (digits.loader, digits.options, digits.subsets.measured_fraction) == ("digits", {"test_fraction": 0.2}, 0.05)
    measurements = config.measurements
    assert measurements.covariance == Covariance(batch_size=16, batches=None, precision="float32")
    assert measurements.hessian == Hessian(5, 0.001, 200, 128, 5, "float32")
    assert measurements.density == Density(probes=0, steps=60)
    assert measurements.sharpness == Sharpness(max_draws=0, tolerance=0.05, eigenvalue_draws=8, precision="float32")
    study = config.studies["main"]
    assert (study.description, study.accuracy_threshold, study.figures) == ("", 0.6, ("default",))
    assert dict(study.base) == {
        "dataset": "digits",
        "network": "simple_cnn",
        "network_options": {},
        "learning_rate": 0.1,
        "batch_size": 32,
        "steps": 500,
        "epochs": None,
        "snapshots": (Segment(10, 100), Segment(50)),
        "optimizer": "sgd",
        "optimizer_options": {},
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
        "schedule": (),
        "initial_weights": None,
        "sampling": "reshuffle",
        "augmentation": "none",
        "precision": "float32",
        "label_smoothing": 0.0,
        "stop_at_accuracy": None,
    }
