"""A finding as it lies in its folder: tables, pictures, and what they were made from. Its page is made from these files alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.store.errors import UserError, some
from breakeven.store.files import write_json
from breakeven.store.tables import read_table

FILE, CLAIMS, MADE_WITH, CONFIG = "published.json", "claims.csv", "made_with.csv", "config.yaml"
RUNS, TRAJECTORIES = "runs.csv", "trajectories.csv.gz"
NOTES = "notes.md.jinja"  # the words of a person, in which numbers are named and not typed
WHAT = "published finding"
AGAIN = "publish it again from its results folder"
NEEDED = {  # the columns without which there is no page
    CLAIMS: ("claim", "study", "effect", "verdict", "p_adjusted", "role", "where"),
    MADE_WITH: ("stage", "jobs", "s", "cpu_time", "started", "finished", "processor", "cores", "commit"),
    RUNS: ("run", "seed", "diverged"),
}


@dataclass(frozen=True)
class Picture:
    """A figure of a study: the name of its file, without the suffix, its title, and what stands below it."""

    name: str
    title: str
    caption: str


@dataclass(frozen=True)
class PublishedStudy:
    """A study: its question, what it sweeps and its seeds in words, the settings that all its runs share, its figures."""

    name: str
    description: str
    sweeps: str
    seeds: Sequence[str]
    settings: Mapping[str, str]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class About:
    """What no table says: the command, the config's name, the commit that last changed it and when, the studies."""

    command: str
    config: str
    config_commit: str
    config_committed: str
    studies: Sequence[PublishedStudy]


@dataclass(frozen=True)
class Published:
    """A finding: its folder, what it is about, ``claims.csv``, ``runs.csv`` of each study, and what it was made with."""

    folder: Path
    about: About
    claims: pd.DataFrame
    runs: Mapping[str, pd.DataFrame]
    made_with: pd.DataFrame

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def views(self) -> list[dict[str, Any]]:
        """Its studies as `breakeven.report.verdicts` wants them."""
        return [{"name": each.name, "seeds": each.seeds, "figures": []} for each in self.about.studies]


def write_about(folder: Path, about: About) -> None:
    """Write what no table says."""
    write_json(folder / FILE, asdict(about))


def read_published(folder: Path) -> Published:
    """The finding in ``folder``, which must be whole."""
    about = _read_about(folder / FILE)
    beside = [f"{study.name}/{name}" for study in about.studies for name in (RUNS, TRAJECTORIES, *_pictures(study))]
    lacking = [name for name in (CLAIMS, MADE_WITH, CONFIG, *beside) if not (folder / name).is_file()]
    if lacking:
        raise UserError(f"the finding '{folder}' lacks {some(lacking)}: {AGAIN}")
    try:
        claims, made_with = (read_table(folder / name, NEEDED[name]) for name in (CLAIMS, MADE_WITH))
        runs = {study.name: read_table(folder / study.name / RUNS, NEEDED[RUNS]) for study in about.studies}
    except UserError as error:
        why, _, _ = str(error).rpartition(": ")  # what follows is how results are made again
        raise UserError(f"{why}: {AGAIN}") from error
    return Published(folder, about, claims, runs, made_with)


def _read_about(path: Path) -> About:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        studies = [
            PublishedStudy(**(study | {"pictures": [Picture(**picture) for picture in study["pictures"]]}))
            for study in content.pop("studies")
        ]
        return About(**content, studies=studies)
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"'{path}' is no {WHAT} ({error!r}): {AGAIN}") from error


def _pictures(study: PublishedStudy) -> list[str]:
    return [f"{each.name}.svg" for each in study.pictures]
