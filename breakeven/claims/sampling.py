"""Which mini-batches a verdict on Eq. 1 holds for: it assumes independent ones, and training reshuffles by default."""

from collections.abc import Sequence
from dataclasses import replace

from breakeven.claims.evidence import Evidence
from breakeven.claims.study_tables import StudyTables
from breakeven.claims.words import SEPARATOR, joined

DRAWN = {"reshuffle": "reshuffled mini-batches", "replacement": "independent mini-batches"}
EARLY = (
    "Eq. 1 assumes independent mini-batches; training that reshuffles is more stable, so that Eq. 1 calls its break-even "
    "point early"
)


def with_sampling(row: Evidence, tables: StudyTables) -> Evidence:
    """``row`` of a claim that rests on Eq. 1, which says how the mini-batches of the study's runs were drawn."""
    sampling = sorted(set(tables.runs.get("sampling", ())))
    is_said = "sampling =" in row.quantity  # where it is swept, and the row is of one of them
    where = row.where if is_said else joined([row.where, _drawn(sampling)])
    reshuffled = "sampling = reshuffle" in row.quantity if is_said else "reshuffle" in sampling
    return replace(row, where=where, note=joined([row.note, EARLY if reshuffled else ""]))


def setting_and_sampling(where: str) -> tuple[str, str]:
    """The ``where`` of a row without, and apart from it, what `with_sampling` says there; empty where it says nothing."""
    setting, _, last = where.rpartition(SEPARATOR)
    said = {_drawn(each) for each in (["reshuffle"], ["replacement"], sorted(DRAWN))}
    return (setting, last) if last in said else (where, "")


def _drawn(sampling: Sequence[str]) -> str:
    return " and ".join(DRAWN[each] for each in sampling)
