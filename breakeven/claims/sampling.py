"""Which mini-batches a verdict on Eq. 1 holds for: it assumes independent ones, and training reshuffles by default."""

from dataclasses import replace

from breakeven.claims.evidence import Evidence
from breakeven.claims.study_tables import StudyTables
from breakeven.claims.words import joined

DRAWN = {"reshuffle": "reshuffled mini-batches", "replacement": "independent mini-batches"}
EARLY = (
    "Eq. 1 assumes independent mini-batches; training that reshuffles is more stable, so that Eq. 1 calls its break-even "
    "point early"
)


def with_sampling(row: Evidence, tables: StudyTables) -> Evidence:
    """``row`` of a claim that rests on Eq. 1, which says how the mini-batches of the study's runs were drawn."""
    sampling = sorted(set(tables.runs.get("sampling", ())))
    is_said = "sampling =" in row.quantity  # where it is swept, and the row is of one of them
    where = row.where if is_said else joined([row.where, " and ".join(DRAWN[each] for each in sampling)])
    return replace(row, where=where, note=joined([row.note, EARLY if "reshuffle" in sampling else ""]))
