"""What jobs wrote into a results folder, by the run, the study or the data set that it is of.

A file is ours by its name and its place: all that a stage writes, records, locks and half-written files. What has another name is
the user's own, wherever it lies, and so is a run's folder that is not called as its ``run.yaml`` says.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from breakeven.figures.registry import FIGURES
from breakeven.specs.measurements import MEASUREMENTS
from breakeven.specs.run_file import FILE as RUN_FILE
from breakeven.stages import STAGE
from breakeven.store.training_record import KEPT_FILE

RUN_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}-[0-9a-f]{10}")  # see `breakeven.specs.run.run_id`
DATASET_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}-[0-9a-f]{8}")  # see `breakeven.specs.dataset.dataset_id`
ARRAYS = (r"step-\d{8}\.safetensors", r"\.snakemake_timestamp")  # in the folders of snapshots and eigenvectors


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Of the base names of these files, of their records and locks, and of what was half written of them."""
    written = [re.escape(each) for name in names for each in (name, f".{name}.record")]
    locks = [re.escape(f".{name}.lock") for name in names]
    halves = [rf"\.{re.escape(Path(name).stem)}\..+\.\d+\.tmp{re.escape(Path(name).suffix)}" for name in names]
    halves += [rf"\.\.{re.escape(name)}\..+\.\d+\.tmp\.record" for name in names]
    return re.compile("|".join([*written, *locks, *halves]))


FOLDERS = ("snapshots", *(folder for row in MEASUREMENTS for folder in row.folders))
RUN = _pattern([*STAGE["train"].files, *(row.table for row in MEASUREMENTS), KEPT_FILE])
STATE = _pattern(["checkpoint.safetensors", "took.json"])
ARRAY = re.compile("|".join([*ARRAYS, r"\.step-\d{8}\..+\.tmp\.safetensors"]))
DATASET = _pattern(STAGE["prepare"].files)
TABLES = _pattern([*STAGE["summarise"].files, "embedding.csv"])
PICTURES = _pattern([file.format(figure=name) for name in FIGURES for file in STAGE["plot"].files])
OF_A_RUN = ("train", "thin", *(row.name for row in MEASUREMENTS))
OF_A_STUDY = ("summarise", "embed")


@dataclass(frozen=True)
class Belongings:
    """All ``files`` of a run, a study or a data set, records before what they are of; then the ``folders``, inner ones first."""

    kind: str
    name: str
    files: tuple[Path, ...]
    folders: tuple[Path, ...]

    @property
    def locks(self) -> list[Path]:
        """The locks of the jobs that write it."""
        return [path for path in self.files if path.suffix == ".lock"]

    def size(self) -> int:
        """Bytes on the disk; a file under two names counts once."""
        found = {}
        for path in self.files:
            with suppress(FileNotFoundError):  # half-written, and whole since
                seen = path.lstat()
                found[seen.st_dev, seen.st_ino] = seen.st_size
        return sum(found.values())

    def others(self) -> list[Path]:
        """The user's own files in its folders."""
        ours = {*self.files, *self.folders}
        return sorted(path for folder in self.folders for path in folder.iterdir() if path not in ours)


def belongings(results: Path) -> list[Belongings]:
    """Of all runs, studies and data sets in the results folder, sorted in each kind by name."""
    runs = {name for name in _names(results, OF_A_RUN, "runs", "state") if RUN_NAME.fullmatch(name)}
    datasets = {name for name in _names(results, ["prepare"], "data") if DATASET_NAME.fullmatch(name)}
    found = [_run(results, name) for name in sorted(runs) if not _is_another(results / "runs" / name, name)]
    found += [_study(results, name) for name in sorted(_studies(results))]
    found += [_dataset(results, name) for name in sorted(datasets)]
    return [each for each in found if each.files]


def _run(results: Path, name: str) -> Belongings:
    run, state = results / "runs" / name, results / "state" / name
    places = [(run, RUN), *((run / folder, ARRAY) for folder in FOLDERS), (state, STATE), (state / "snapshots", ARRAY)]
    return _belongings("run", name, places, _accounts(results, OF_A_RUN, name))


def _dataset(results: Path, name: str) -> Belongings:
    return _belongings("data set", name, [(results / "data" / name, DATASET)], _accounts(results, ["prepare"], name))


def _study(results: Path, name: str) -> Belongings:
    """Its logs go last: they tell that it is a study's, where a removal ended half way."""
    drawn = [results / "logs/plot" / name, results / "benchmarks/plot" / name]
    places = [(results / "tables" / name, TABLES), (results / "figures" / name, PICTURES)]
    own = re.compile("|".join(rf"{figure}\.(log|tsv)" for figure in FIGURES))
    pictures = _belongings("study", name, [(folder, own) for folder in drawn], ())
    made = _belongings("study", name, places, (*pictures.files, *_accounts(results, OF_A_STUDY, name)))
    return Belongings("study", name, made.files, (*made.folders, *pictures.folders))


def _belongings(
    kind: str, name: str, places: Sequence[tuple[Path, re.Pattern[str]]], last: Sequence[Path]
) -> Belongings:
    """The files of these folders whose names fit, and those that go ``last``."""
    there = [(folder, pattern) for folder, pattern in places if _is_folder(folder)]
    files = [path for folder, pattern in there for path in folder.iterdir() if pattern.fullmatch(path.name)]
    files = [path for path in files if path.is_symlink() or path.is_file()]
    files.sort(key=lambda path: (path.suffix != ".record", path.parent, path))
    return Belongings(kind, name, (*files, *last), tuple(folder for folder, _ in reversed(there)))


def _accounts(results: Path, stages: Iterable[str], name: str) -> list[Path]:
    """The logs of its jobs, and what they say that they took."""
    files = [results / f"logs/{stage}/{name}.log" for stage in stages]
    files += [results / f"benchmarks/{stage}/{name}.tsv" for stage in stages]
    return [path for path in files if path.is_file()]


def _names(results: Path, stages: Iterable[str], *folders: str) -> set[str]:
    """Of what has a folder in these, or a log or benchmark of one of the stages."""
    names = {path.name for folder in folders for path in _inside(results / folder) if _is_folder(path)}
    logs = (path for stage in stages for path in _inside(results / "logs" / stage) if path.suffix == ".log")
    costs = (path for stage in stages for path in _inside(results / "benchmarks" / stage) if path.suffix == ".tsv")
    return names | {path.stem for path in (*logs, *costs)}


def _studies(results: Path) -> set[str]:
    """A folder of tables or figures is a study's where a job left a record in it, or told of itself."""
    told = _names(results, OF_A_STUDY, "logs/plot", "benchmarks/plot")
    folders = [path for kind in ("tables", "figures") for path in _inside(results / kind) if _is_folder(path)]
    return told | {path.name for path in folders if any(path.glob(".*.record"))}


def _is_another(run: Path, name: str) -> bool:
    """Whether this folder holds a run of another name, so that someone has put it there."""
    try:
        content = yaml.safe_load((run / RUN_FILE).read_text(encoding="utf-8"))
        return bool(content["run"] != name)
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return False  # half made, or damaged


def _inside(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def _is_folder(path: Path) -> bool:
    """Whether jobs may have written in there: what lies behind a link is elsewhere."""
    return path.is_dir() and not path.is_symlink()
