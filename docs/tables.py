"""Write docs/tables.md, what the columns of the tables are, from the package's own tables of names: python docs/tables.py."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this file

from breakeven.specs.measurements import MEASUREMENTS, QUANTITIES, RUN_COLUMNS
from breakeven.store.notes import Note

TARGET = Path(__file__).with_name("tables.md")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def text() -> str:
    """The page."""
    quantities = [
        (
            f"`{each.name}`" + (", `…_2`, …" if each.numbered else ""),
            each.symbol,
            each.words,
            f"`{each.table}.csv`: `{each.column}`" + (f" of {each.split}" if each.split else ""),
            each.unit or "1",
        )
        for each in QUANTITIES
    ]
    columns = [(f"`{each.name}`", each.symbol, each.words, each.unit or "1") for each in RUN_COLUMNS]
    notes = [(f"`{note.code}`", note.sentence) for note in Note]
    measured = [(f"`{each.table}`", each.words) for each in MEASUREMENTS]
    return "\n\n".join(
        [
            "# What the tables hold",
            "Made by `python docs/tables.py` from `breakeven/specs`; a test fails where it is not up to date. Losses are in nats "
            "and weights have no unit, so that λ_H^1 has that of 1/η.",
            "## Files of a run, `results/runs/RUN/`",
            table(["file", "what"], [("`history.csv`", "Loss and accuracy along training."), *measured]),
            "## Quantities along a run: `trajectories.csv`",
            table(["quantity", "symbol", "what", "from", "unit"], quantities),
            "s² is less exact than λ_H^1: the error of an eigenvalue is of the order of the square of its eigenvector's, that of "
            "s² of the eigenvector's own. On digits, s² was off by 5.5 % at most, 0.3 % in the median, with "
            "`measurements.hessian.tolerance` of 1e-3; by 0.9 % at most with 1e-4, for one Hessian-vector product more.",
            "`hessian.csv` has the interval of 95 % of Tr(H) as well, `trace_low` to `trace_high`; ±2 `trace_error` of 2 or 3 "
            "probes would cover 61 to 85 %.",
            "## Numbers of a run: `runs.csv`",
            "Beside its id, the swept hyperparameters and the seed. `break_even_note` and `remarks` say why a cell is empty.",
            table(["column", "symbol", "what", "unit"], columns),
            "## Notes: why a cell is empty, or doubtful",
            table(["code", "what it says"], notes),
            "",
        ]
    )


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
