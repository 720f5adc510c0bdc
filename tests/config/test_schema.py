import dataclasses
from dataclasses import MISSING

import pytest
from jsonschema import Draft202012Validator

from breakeven.config.checks import REQUIRED
from breakeven.data.registry import LOADERS
from breakeven.specs.dataset import DEFAULTS, LOCATION
from breakeven.specs.run import RunSpec, Segment, Switch
from tests.config.example import CONFIG, SCHEMA, plan_of

DEFS = SCHEMA["$defs"]


def resolved(schema):
    if "$ref" not in schema:
        return schema
    return resolved(DEFS[schema["$ref"].removeprefix("#/$defs/")]) | schema


def walk(schema, path=(), required=True):
    """(path, schema, whether the key is required) of everything that a config can hold."""
    schema = resolved(schema)
    yield path, schema, required
    for name, part in schema.get("properties", {}).items():
        yield from walk(part, (*path, name), name in schema.get("required", ()))
    for keyword in ("additionalProperties", "items"):
        if isinstance(schema.get(keyword), dict):
            yield from walk(schema[keyword], (*path, "*"))
    for branch in schema.get("allOf", ()):
        yield from walk(branch["then"], path)


EVERYTHING = list(walk(SCHEMA))


def test_the_schema_is_valid():
    Draft202012Validator.check_schema(SCHEMA)


def test_everything_is_described():
    assert [path for path, schema, _ in EVERYTHING if not schema.get("description")] == [
        ("datasets", "*")  # described by the loaders' own schemas
    ]


def test_leaves_have_a_type_and_unless_required_a_default():
    leaves = [each for each in EVERYTHING if "properties" not in each[1] and each[0]]
    assert [path for path, schema, _ in leaves if "type" not in schema and "const" not in schema] == []
    without = {path[-1] for path, schema, required in leaves if not required and "default" not in schema}
    swept = set(DEFS["grid"]["properties"])  # absent means not swept
    assert without - swept == set()
    in_base = {path[-1] for path, schema, required in leaves if "base" in path and "default" not in schema}
    assert in_base == {*REQUIRED, "every", "at"}  # base or sweeps must say the former


def test_objects_are_closed():
    open_ones = [
        path
        for path, schema, _ in EVERYTHING
        if schema.get("type") == "object" and schema.get("additionalProperties") in (None, True)
    ]
    assert {path[-1] if path[-1] != "*" else path[-2:] for path in open_ones} == {
        ("datasets", "*"),  # closed by its loader's branch
        "network_options",  # closed by the network's signature
        ("network_options", "*"),
        "options",  # closed by the signature of the user's own loader
    }


def test_every_hyperparameter_can_be_swept():
    assert DEFS["grid"]["properties"].keys() == DEFS["hyperparameters"]["properties"].keys()
    for name, sweep in DEFS["grid"]["properties"].items():
        assert sweep["items"] == DEFS["hyperparameters"]["properties"][name]


@pytest.mark.parametrize(
    ("record", "properties"),
    [
        (RunSpec, DEFS["hyperparameters"]["properties"]),
        (Segment, DEFS["snapshots"]["items"]["properties"]),
        (Switch, DEFS["schedule"]["items"]["properties"]),
    ],
)
def test_neutral_defaults_are_those_of_the_records(record, properties):
    fields = {field.name: field for field in dataclasses.fields(record) if field.name != "seed"}
    assert fields.keys() == properties.keys()
    for name, field in fields.items():
        if field.default is not MISSING:
            default = resolved(properties[name])["default"]
            assert (tuple(default) if isinstance(default, list) else default) == field.default, name


def test_defaults_of_data_sets_are_those_of_their_identity():
    assert sorted(DEFS["dataset"]["properties"]["loader"]["enum"]) == sorted(DEFAULTS) == sorted(LOADERS)
    for loader, neutral in DEFAULTS.items():
        properties = {name: resolved(schema) for name, schema in DEFS[loader]["properties"].items()}
        defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
        assert {name: value for name, value in defaults.items() if name not in LOCATION.get(loader, ())} == neutral


def test_defaults_at_all_depths(tmp_path):
    config = plan_of(tmp_path, CONFIG).config
    assert (config["results"], config["device"], config["threads"]) == ("results", "auto", 1)
    assert config["memory_mb"] == 2000
    assert config["datasets"]["digits"] == {"loader": "digits"} | DEFAULTS["digits"]
    assert config["measurements"] == {
        "covariance": {"batch_size": 16, "batches": None, "precision": "float32"},
        "hessian": {
            "eigenvalues": 5,
            "tolerance": 0.001,
            "max_matvecs": 200,
            "trace_probes": 5,
            "batch_size": 128,
            "precision": "float32",
        },
        "density": {"probes": 0, "steps": 60},
    }
    study = config["studies"]["main"]
    assert (study["description"], study["accuracy_threshold"]) == ("", 0.6)
    assert study["base"] == {
        "dataset": "digits",
        "network": "simple_cnn",
        "network_options": {},
        "learning_rate": 0.1,
        "batch_size": 32,
        "steps": 500,
        "epochs": None,
        "snapshots": [{"every": 10, "until": 100, "unit": "step"}, {"every": 50, "until": None, "unit": "step"}],
        "momentum": 0.0,
        "weight_decay": 0.0,
        "schedule": [],
        "augmentation": "none",
        "precision": "float32",
        "label_smoothing": 0.0,
        "stop_at_accuracy": None,
    }
