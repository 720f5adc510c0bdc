"""Print the JSON schema of a config, with which editors complete, explain and check while one types; nothing else reads it.

``python -m breakeven.config.schema > workflow/schemas/config.schema.yaml``
"""

from typing import Any

import yaml

from breakeven.config.datasets import dataset_model
from breakeven.config.derive import declared_by, fields_of, json_schema, made_of
from breakeven.config.models import Config
from breakeven.data.registry import LOADERS
from breakeven.specs.dataset import Subsets

HEAD = f"""\
# What a config may say, for editors. Made from the code, which alone checks a config; make it again after a change there:
#
#     {(__doc__ or "").strip().splitlines()[-1].strip("`")}
"""
OWN = {
    "loader": {"type": "string", "pattern": "[.]py:", "description": "FILE.py:function, in a file of your own."},
    "options": {
        "type": "object",
        "default": {},
        "description": "Options of the function; which there are, their types and defaults stand in its signature.",
    },
}


def schema() -> dict[str, Any]:
    """The JSON schema of a config."""
    made = json_schema(Config)
    of_loaders = {name: _dataset(name) for name in LOADERS} | {"own_loader": _own_dataset()}
    refs = [{"$ref": f"#/$defs/{name}"} for name in of_loaders]
    datasets = made["properties"]["datasets"]
    [pattern] = datasets["patternProperties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "breakeven config",
        **made,
        "properties": made["properties"] | {"datasets": datasets | {"patternProperties": {pattern: {"oneOf": refs}}}},
        "$defs": made["$defs"] | of_loaders,
    }


def _dataset(name: str) -> dict[str, Any]:
    made = json_schema(dataset_model(name))
    loader = {"type": "string", "const": name, "description": LOADERS[name].words}
    return made | {"description": LOADERS[name].words, "properties": made["properties"] | {"loader": loader}}


def _own_dataset() -> dict[str, Any]:
    made = json_schema(made_of(fields_of(declared_by(Subsets))))
    words = "A data set of your own; a function that returns a breakeven.data.splits.Splits."
    return made | {"description": words, "required": ["loader"], "properties": OWN | made["properties"]}


if __name__ == "__main__":
    print(
        HEAD + yaml.safe_dump(schema(), sort_keys=False, allow_unicode=True, width=120, default_flow_style=None), end=""
    )
