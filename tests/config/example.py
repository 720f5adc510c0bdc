import re
from pathlib import Path
from typing import Any

import pytest

from breakeven.config.plan import Plan, load_plan
from breakeven.store.errors import ConfigError

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


def edited(*edits: tuple[str, str], text: str = CONFIG) -> str:
    """The example config with each first text, which must be there once, replaced by the second."""
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def plan_of(folder: Path, text: str, overrides: dict[str, Any] | None = None) -> Plan:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_plan(path, overrides)


def mistakes(folder: Path, text: str) -> list[str]:
    """What is told of a wrong config, without file and line: the key of the mistake stands in that line, or what holds it."""
    with pytest.raises(ConfigError) as caught:
        plan_of(folder, text)
    told = []
    numbers = []
    for line in caught.value.lines:
        assert line.isprintable()
        found = re.fullmatch(rf"{re.escape(str(folder))}/config\.yaml:(\d+): (.*)", line)
        assert found, line
        number, message = int(found[1]), found[2]
        place = message.partition(": ")[0]
        last = re.findall(r"'[^']*'|\w+|\.\.$", re.sub(r"\[\d+\]", "", place))[-2:]
        there = text.split("\n")[number - 1]
        top = number == 1 and message.endswith("required, but missing")
        assert top or any(name.strip("'").split("...")[0] in there for name in last), (line, there)
        numbers.append(number)
        told.append(message)
    assert numbers == sorted(numbers)
    return told
