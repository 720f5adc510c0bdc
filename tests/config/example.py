from pathlib import Path
from typing import Any

from breakeven.config.plan import Plan, load_plan
from breakeven.config.yaml_file import read_yaml

SCHEMA_PATH = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
SCHEMA = read_yaml(SCHEMA_PATH)

CONFIG = """\
datasets:
  digits: {loader: digits}
measurements:
  covariance: {batch_size: 16}
studies:
  main:
    base:
      dataset: digits
      network: simple_cnn
      learning_rate: 0.1
      batch_size: 32
      steps: 500
    sweeps:
      learning_rate: [0.03, 0.1]
    seeds: [0, 1]
"""


def edited(*edits: tuple[str, str]) -> str:
    """The example config with each first text, which must be there once, replaced by the second."""
    text = CONFIG
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def plan_of(folder: Path, text: str, overrides: dict[str, Any] | None = None) -> Plan:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_plan(path, SCHEMA_PATH, overrides)
