"""What a claim is: words, and the test that decides on it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from breakeven.claims.evidence import Evidence
from breakeven.claims.study_tables import StudyTables


class Test(Protocol):
    """A kind of test, with its settings: what the data can show, on which studies, and how they are tested.

    Each is a frozen dataclass with these members, in a module of its kind.
    """

    @property
    def direction(self) -> int:
        """The outcome that the paper expects, 1 or −1; 0 where it does not say."""

    @property
    def outcomes(self) -> Mapping[int, str]:
        """What the data can show, in words: the outcomes 1 and −1."""

    @property
    def findings(self) -> Mapping[int, str]:
        """The sentences for the outcomes 1 and −1, and 0 where there is none, with the places that `finding` fills."""

    @property
    def needs(self) -> str:
        """The studies that it can be tested on, in words that go on from 'a study that'."""

    def applies(self, compared: Collection[str]) -> bool:
        """Whether it can be tested on a study that compares these hyperparameters, see `breakeven.specs.study`."""

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """What the study shows: a row for each comparison that it allows; none where it lacks the runs."""


@dataclass(frozen=True)
class Claim:
    """A claim: its id in ``claims.csv``, in words, how it is tested, the figure that shows it, the paper's numbers.

    ``title``: in a few words. ``about``: what its finding is about, as a sentence names it. ``main``: the report begins with it.
    ``by_equation_1``: it rests on the break-even point, or a curvature, that Eq. 1 gives.
    """

    id: str
    words: str
    test: Test
    figure: str
    paper_value: str = ""
    title: str = ""
    about: str = ""
    main: bool = False
    by_equation_1: bool = False

    @property
    def question(self) -> str:
        """What it is a part of: the model's ``assumption``, ``theories`` of the edge, or what the ``paper`` found."""
        first = self.id.split(".")[0]
        return first if first in ("assumption", "theories") else "paper"

    @property
    def expected(self) -> str:
        """What the paper expects, in words; empty where it does not say."""
        return self.test.outcomes.get(self.test.direction, "")


def finding(claim: Claim, row: Evidence, decided: bool) -> str:
    """What a row says, in a sentence with its number; empty where nothing is tested.

    The words are those of the side on which the effect itself lies, and of no side where the test has not ``decided``.
    """
    if row.sample is None:
        return ""
    places = {"about": claim.about + row.restriction, **row.unit.places(row.effect), **row.places}
    sentence = claim.test.findings[row.sample.direction if decided else 0].format(**places)
    where = f" ({row.where})" if row.where else ""
    return f"{sentence[0].upper()}{sentence[1:]}{where}"
