"""The specification of a run as the train stage leaves it, ``run.yaml``."""

import json
from pathlib import Path

import yaml

from breakeven.specs.run import RunSpec, canonical_json, from_json, run_id
from breakeven.store.errors import UserError
from breakeven.store.files import write_text

FILE = "run.yaml"


def write_spec(run: Path, spec: RunSpec) -> None:
    """Write the specification of the run in folder ``run``."""
    write_text(run / FILE, yaml.safe_dump({"run": run_id(spec)} | json.loads(canonical_json(spec))))


def run_in(folder: Path) -> str:
    """The id of the run that is in ``folder``, whatever that is called."""
    return run_id(read_spec(folder))


def read_spec(run: Path) -> RunSpec:
    """The specification of the run in folder ``run``; it must be the run that it says it is."""
    path = run / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = content.pop("run")
        spec = from_json(json.dumps(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise UserError(f"'{path}' is missing or damaged ({error}): delete the folder '{run}'") from error
    if run_id(spec) != name:
        raise UserError(
            f"'{path}' says it is run {name}, but its content is run {run_id(spec)}: delete the folder '{run}'"
        )
    return spec
