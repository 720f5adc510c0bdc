"""The rows that a figure draws, as one tidy table: what stands in the CSV file beside it."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from breakeven.figures.labels import compared
from breakeven.specs.study import Study

FIRST = ["quantity", "part", "colour", "panel", "run", "seed", "step", "epoch", "mean", "value", "min", "max", "seeds"]
HOW_DRAWN = ["marked"]  # columns that say how a row is drawn and not what it is


def drawn(spec: dict[str, Any], study: Study) -> pd.DataFrame:
    """The named data sets of the specification ``spec``, one below the other.

    ``quantity``: the name of the data set; ``part``, where it has several: the curve, break-even points, and so on. Numbers
    have the digits that are drawn. Data sets without a name are lines for the eye, such as a diagonal, and left out.
    """
    found = dict(_data_sets(spec))  # layers can share one
    tables = [pd.DataFrame(rows).assign(quantity=name) for name, rows in found.items()]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["quantity"])
    table = table.drop(columns=HOW_DRAWN, errors="ignore")
    known = [name for name in FIRST if name in table]
    table = table[[*known, *(name for name in table if name not in known)]]
    table = table.drop(columns="panel") if len(compared(study)) == 1 and "panel" in table else table
    return table.rename(columns={"colour": compared(study)[0]})


def _data_sets(part: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The named inline data anywhere in a specification, in the order in which they stand there."""
    if isinstance(part, dict):
        data = part.get("data")
        if isinstance(data, dict) and "name" in data and data.get("values"):
            yield data["name"], data["values"]
        for key, item in part.items():
            if key != "data":
                yield from _data_sets(item)
    elif isinstance(part, list):
        for item in part:
            yield from _data_sets(item)
