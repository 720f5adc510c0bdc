"""What a phase is given, and how it tells what it found: in rows of ``gpu.csv``, each written at once."""

import csv
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from breakeven.jobs.device import choose_device

COLUMNS = ["phase", "what", "found", "verdict"]
RIGHT, WRONG = "ok", "FAIL"
AT_ONCE = 8  # processes that may share a GPU here
LETTERS = 300  # of what an error says


@dataclass(frozen=True)
class Row:
    """Something that was found; ``verdict`` is `RIGHT`, `WRONG`, or empty where a number is only told."""

    phase: str
    what: str
    found: str
    verdict: str


@dataclass(frozen=True)
class Check:
    """A phase: on which ``device``, "cuda" or "cpu"; whether ``quick``; the table that it adds to; a folder of its own."""

    phase: str
    device: str
    quick: bool
    table: Path
    work: Path

    @property
    def on_gpu(self) -> bool:
        """Whether there is something to see that only a GPU has."""
        return self.device == "cuda"

    def tell(self, what: str, found: object, right: bool | None = None) -> None:
        """Add a row: ``found`` is right, is wrong, or (None) is a number that is neither."""
        verdict = "" if right is None else RIGHT if right else WRONG
        print(f"{self.phase}: {what}: {found} {verdict}", flush=True)
        with self.table.open(
            "a", encoding="utf-8", newline=""
        ) as file:  # one short write, which others can't cut in two
            csv.writer(file).writerow([self.phase, what, " ".join(str(found).split()), verdict])

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """An error inside the block is told, and the phase goes on."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.tell(what, f"{type(error).__name__}: {error}"[:LETTERS], right=False)

    def torch_device(self) -> torch.device:
        """The device, with torch set up as the pipeline does it."""
        return choose_device(self.device, 1, AT_ONCE)


def start_table(table: Path) -> None:
    """Begin with no rows."""
    table.write_text(",".join(COLUMNS) + "\r\n", encoding="utf-8")


def read_rows(table: Path) -> list[Row]:
    """All rows so far."""
    with table.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]
