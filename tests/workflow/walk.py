"""A random walk through all that happens to a study: whatever it was, the next invocation ends with what a fresh folder holds.

    python -m tests.workflow.walk --steps 200 --seed 0

A step is something that happens to the config, the code, the data or the results, or an invocation that fails or is killed.
Then ``snakemake --cores all`` must end well, all tables, figures and the report must be, to the byte, those of the same project
with no results, times aside, and the next invocation must have nothing to do. Prints a line for each step.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from tests.workflow.forks import Forks
from tests.workflow.project import JOB_BY_JOB, Project, copy, environment, make

OWN = """\
from pathlib import Path
from typing import Annotated

import numpy as np
from torch import nn

from breakeven.data.splits import Splits
from breakeven.specs.source import File, Folder
from helper import brightened


def load(*, folder: Annotated[Folder, "Where the pictures lie."]) -> Splits:
    train, test = (brightened(np.load(Path(folder) / f"{split}.npy")) for split in ("train", "test"))
    return Splits(train, np.arange(len(train)) % 2, test, np.arange(len(test)) % 2, ("even", "odd"))


def build(input_shape, classes, *, scale: Annotated[File, "By which the inputs are multiplied."]) -> nn.Module:
    first = nn.Linear(16, 3)
    first.weight.data *= float(Path(scale).read_text())
    return nn.Sequential(nn.Flatten(), first, nn.Tanh(), nn.Linear(3, classes))
"""
HELPER = """\
def brightened(pictures):
    return pictures + 1
"""
# what every config of the walk has
CONFIG: dict[str, Any] = {
    "device": "cpu",
    "datasets": {
        "own": {"loader": "mine/my.py:load", "options": {"folder": "pictures"}, "measured_fraction": 0.5},
        "folder": {"loader": "image_folder", "path": "images", "measured_fraction": 0.5},
    },
    "measurements": {
        "covariance": {"batch_size": 3},
        "hessian": {"eigenvalues": 1, "tolerance": 0.3, "max_matvecs": 6, "trace_probes": 2},
    },
    "studies": {
        "rate": {
            "base": {
                "dataset": "own",
                "network": "mine/my.py:build",
                "network_options": {"scale": "scale.txt"},
                "learning_rate": 0.1,
                "batch_size": 6,
                "steps": 3,
                "snapshots": [{"every": 3}],
            },
            "sweeps": {"learning_rate": [0.1, 0.3]},
            "seeds": [0],
            "figures": ["lambda_K"],
        },
    },
}
# places in the package where a word changes numbers: the file, the text, and what it is replaced by
CODE = (
    ("measurements/covariance.py", '"trace": k.trace,', '"trace": 2 * k.trace,'),
    ("summary/summarise.py", '"max_trace_K": _max(k, "trace"),', '"max_trace_K": 3 * _max(k, "trace"),'),
    ("training/evaluation.py", "mean = loss_sum / len(labels)", "mean = 2 * loss_sum / len(labels)"),
    ("figures/lambda_K.py", "Spectral norm of", "The spectral norm of"),
)
BROKEN = (
    "measurements/hessian.py",
    "summary/summarise.py",
    "claims/evaluate.py",
    "report/build.py",
    "training/training.py",
)
# of the report: times, versions and the config's text; the command that draws a figure, which names the results folder
LEFT_OUT = re.compile(r'<section aria-labelledby="made-with">.*?</section>|Drawn by <code>[^<]*', re.DOTALL)


@dataclass
class Walk:
    """A project that is walked through: what may happen to it, and what was seen."""

    base: Path
    forks: Forks
    draws: random.Random
    project: Project
    config: dict[str, Any]
    results: str = "results"
    fresh: dict[str, dict[str, bytes]] = field(default_factory=dict)

    # ------------------------------------------------------------ invocations

    def snakemake(self, *arguments: str, folder: Path | None = None, results: str | None = None) -> tuple[int, str]:
        """Run ``snakemake`` to its end: its exit code, and what it says."""
        process = self.start(*arguments, folder=folder, results=results)
        code = process.wait(timeout=300)
        return code, (self.base / "said").read_text(encoding="utf-8", errors="replace")

    def start(self, *arguments: str, folder: Path | None = None, results: str | None = None) -> Any:
        words = [JOB_BY_JOB, *arguments, "--config", f"results={results or self.results}"]
        return self.forks.start(words, folder or self.project.folder, environment(), self.base / "said")

    # ------------------------------------------------------------ what happens

    def settings(self) -> str:
        """A value of the config becomes another one."""
        rate, measured = self.config["studies"]["rate"], self.config["measurements"]
        places = (
            (rate["sweeps"], "learning_rate", ([0.1], [0.1, 0.3], [0.3, 0.5])),
            (rate, "seeds", ([0], [1, 0])),
            (rate, "accuracy_threshold", (0.6, 0.7)),
            (rate, "description", ("", "What?")),
            (rate["base"], "steps", (3, 4)),
            (measured["hessian"], "trace_probes", (2, 3)),
            (measured["covariance"], "batch_size", (3, 4)),
            (measured, "density", ({"probes": 0}, {"probes": 1, "steps": 3})),
        )
        section, name, values = self.draws.choice(places)
        section[name] = self.draws.choice([value for value in values if value != section.get(name)])
        self.write_config()
        return f"{name} becomes {section[name]}"

    def study(self) -> str:
        """A second study comes or goes, which shares a run and has one of another data set."""
        studies = self.config["studies"]
        if studies.pop("other", None) is None:
            base = {key: value for key, value in studies["rate"]["base"].items() if key != "network_options"}
            grids = [{"learning_rate": [0.1]}, {"dataset": ["folder"]}]
            more = {"network": "mlp", "network_options": {"hidden": [3]}}
            studies["other"] = {"base": base | more, "sweeps": grids, "seeds": [0], "figures": ["lambda_K"]}
            self.write_config()
            return "a study comes"
        self.write_config()
        return "a study goes"

    def write_config(self) -> None:
        (self.project.folder / "config.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")

    def code(self) -> str:
        """The package, or the user's own code or its helper, is edited; or that is undone."""
        places = [(f"breakeven/{file}", old, new) for file, old, new in CODE]
        places += [("mine/helper.py", "+ 1", "+ 2"), ("mine/my.py", "nn.Tanh()", "nn.Sigmoid()")]
        file, old, new = self.draws.choice(places)
        path = self.project.folder / file
        text = path.read_text(encoding="utf-8")
        assert (text.count(old) == 1) != (text.count(new) == 1), file
        path.write_text(text.replace(new, old) if new in text else text.replace(old, new), encoding="utf-8")
        return f"{file} is edited"

    def data(self) -> str:
        """Data that a loader or a network reads are replaced in place; or those of before are put back."""
        folder = self.project.folder
        kind, value = self.draws.choice(("own", "images", "scale")), self.draws.choice((1, 2))
        if kind == "own":
            write_arrays(folder / "pictures", value)
        elif kind == "images":
            write_images(folder / "images", value, self.draws.choice((2, 3)))
        else:
            (folder / "scale.txt").write_text(f"{value}.0", encoding="utf-8")
        return f"data {kind} become {value}"

    def lost(self) -> str:
        """A file or a folder of the results is deleted, emptied, cut, or replaced by another of that name."""
        folder = self.project.folder / self.results
        files = sorted(path for path in folder.rglob("*") if path.name != ".lock" and "logs" not in path.parts)
        path = self.draws.choice(files)
        twins = [each for each in files if each.name == path.name and each.suffix != ".safetensors"]
        how = self.draws.choice(("deleted", "deleted", "emptied", "cut", "replaced"))
        if how == "deleted" or path.is_dir():
            how = "deleted"
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif how == "replaced" and twins:
            path.write_bytes(self.draws.choice(twins).read_bytes())
        else:
            content = path.read_bytes()
            path.write_bytes(b"" if how == "emptied" else content[: len(content) // 2])
        if path.name == "plan.json" and how != "deleted":
            path.unlink()  # it says itself that it must be deleted
        return f"{path.relative_to(folder)} is {how}"

    def moved(self) -> str:
        """The results folder is moved, copied without its times, or reached by another path; or Snakemake's memory is gone."""
        folder = self.project.folder
        how = self.draws.choice(("moved", "copied", "absolute", "linked", "forgotten", "touched"))
        old = folder / self.results
        new = self.draws.choice([name for name in ("results", "elsewhere", "a/b") if not (folder / name).exists()])
        if how == "forgotten":
            shutil.rmtree(folder / ".snakemake", ignore_errors=True)
        elif how == "touched":
            for path in self.draws.sample(files := [path for path in old.rglob("*") if path.is_file()], len(files)):
                path.touch()
        elif how == "absolute":
            self.results = str(old.absolute())
        elif how == "linked":
            (folder / new).parent.mkdir(exist_ok=True)
            (folder / new).symlink_to(old.absolute())
            self.results = new
        elif not old.is_symlink():
            (folder / new).parent.mkdir(exist_ok=True)
            shutil.copytree(old, folder / new, copy_function=shutil.copy)
            if how == "moved":
                shutil.rmtree(old)
                for link in (folder / name for name in ("results", "elsewhere", "a/b")):
                    if link.is_symlink():
                        link.unlink()
            self.results = new
        return f"the results are {how}: {self.results}"

    def failed(self) -> str:
        """Something is changed while a stage is broken; the invocation fails, and the stage is mended."""
        change = self.draws.choice((self.settings, self.code, self.data))()
        path = self.project.folder / "breakeven" / self.draws.choice(BROKEN)
        before = path.read_text(encoding="utf-8")
        path.write_text(before + "\nraise RuntimeError('broken')\n", encoding="utf-8")
        code, _ = self.snakemake("--cores", "all")
        path.write_text(before, encoding="utf-8")
        return f"{change}, {path.name} fails once (exit code {code})"

    def hidden(self) -> str:
        """Something is changed while a snapshot is away, which then comes back."""
        change = self.settings()
        snapshots = sorted((self.project.folder / self.results / "runs").rglob("snapshots"))
        if snapshots:
            away = self.draws.choice(snapshots)
            away.rename(away.with_name("away"))
            self.snakemake("--cores", "all", "--until", *(f"measure_{name}" for name in ("covariance", "hessian")))
            if not away.exists():
                away.with_name("away").rename(away)
            else:
                shutil.rmtree(away.with_name("away"))
        return f"{change}, snapshots are away once"

    def killed(self) -> str:
        """Something is changed, and Snakemake or a job of it is killed at a random moment."""
        change = self.draws.choice((self.settings, self.code, self.data))()
        process = self.start("--cores", "all")
        time.sleep(self.draws.uniform(0.5, 6))
        what = self.draws.choice(("snakemake", "a job"))
        running = self.forks.jobs()
        number = self.draws.choice((signal.SIGKILL, signal.SIGTERM))
        with suppress(ProcessLookupError):
            if what == "a job" and running:
                os.kill(self.draws.choice(running), number)
            else:
                os.kill(self.forks.forked(process), number)
        process.wait(timeout=300)
        while self.forks.jobs():
            time.sleep(0.05)
        return f"{change}, {number.name} to {what}"

    # ------------------------------------------------------------ what must hold

    def problems(self) -> Iterator[str]:
        """What is not as it should be after an invocation."""
        code, said = self.snakemake("--cores", "all")
        if code:
            yield f"exit code {code}: {said[-3000:]}"
            return
        wanted, found = self.of_a_fresh_folder(), contents(self.project.folder / self.results)
        yield from (f"{name} differs" for name in wanted if wanted[name] != found.get(name))
        code, said = self.snakemake("--cores", "all", "--dry-run")
        if code or "Nothing to be done" not in said:
            yield f"the next invocation: {said[-3000:]}"

    def of_a_fresh_folder(self) -> dict[str, bytes]:
        """The tables, figures and report that the project makes as it is now, without any results."""
        state = hashlib.sha256()
        for path in sorted(self.project.folder.rglob("*")):
            parts = path.relative_to(self.project.folder).parts
            if path.is_file() and parts[0] in ("breakeven", "mine", "pictures", "images", "scale.txt", "config.yaml"):
                state.update("/".join(parts).encode() + path.read_bytes() if path.suffix != ".pyc" else b"")
        name = state.hexdigest()
        if name not in self.fresh:
            folder = self.base / "fresh"
            copied = (
                "Snakefile",
                "workflow",
                "breakeven",
                "profiles",
                "mine",
                "pictures",
                "images",
                "scale.txt",
                "config.yaml",
            )
            folder.mkdir()
            for part in copied:
                copy(self.project.folder / part, folder / part)
            code, said = self.snakemake("--cores", "all", folder=folder, results="results")
            assert code == 0, said
            self.fresh[name] = contents(folder / "results")
            shutil.rmtree(folder)
        return self.fresh[name]


def contents(results: Path) -> dict[str, bytes]:
    """The tables, the figures and the report, by their paths; of the report what may differ, see `LEFT_OUT`."""
    found = {}
    for path in [*results.rglob("*.csv"), *(results / "figures").rglob("*.*"), results / "report.html"]:
        if path.is_file() and not path.name.startswith("."):
            found[str(path.relative_to(results))] = path.read_bytes()
    found["report.html"] = LEFT_OUT.sub("", found.get("report.html", b"").decode()).encode()
    return found


def write_arrays(folder: Path, value: int) -> None:
    """Pictures of 4 x 4 for the loader of the user's own."""
    folder.mkdir(exist_ok=True)
    draws = np.random.default_rng(value)
    for split, count in (("train", 24), ("test", 8)):
        np.save(folder / f"{split}.npy", draws.integers(0, 200, (count, 1, 4, 4), dtype=np.uint8))


def write_images(folder: Path, value: int, classes: int) -> None:
    """A tree of pictures of 4 x 4."""
    shutil.rmtree(folder, ignore_errors=True)
    draws = np.random.default_rng(value)
    for split, count in (("train", 8), ("test", 3)):
        for label in range(classes):
            (folder / split / f"class{label}").mkdir(parents=True)
            for number in range(count):
                picture = Image.fromarray(draws.integers(0, 256, (4, 4, 3), dtype=np.uint8))
                picture.save(folder / split / f"class{label}" / f"{number}.png")


def walk(base: Path, forks: Forks, seed: int) -> Walk:
    """A walk at its beginning, with nothing made yet."""
    project = make(base / "project")
    project.append("\nON_REQUEST = True\n", "breakeven/figures/maxima.py")
    (project.folder / "mine").mkdir()
    (project.folder / "mine/my.py").write_text(OWN, encoding="utf-8")
    (project.folder / "mine/helper.py").write_text(HELPER, encoding="utf-8")
    (project.folder / "scale.txt").write_text("1.0", encoding="utf-8")
    write_arrays(project.folder / "pictures", 1)
    write_images(project.folder / "images", 1, 2)
    made = Walk(base, forks, random.Random(seed), project, yaml.safe_load(yaml.safe_dump(CONFIG)))  # noqa: S311
    made.write_config()
    return made


def steps(walked: Walk, count: int) -> Iterator[tuple[str, list[str]]]:
    """What happened at each step, and what was not as it should be then; the first step is the first invocation."""
    kinds: list[Callable[[], str]] = [
        *(walked.settings, walked.study, walked.code, walked.data, walked.lost, walked.lost),
        *(walked.moved, walked.failed, walked.hidden, walked.killed, walked.killed),
    ]
    yield "the first invocation", list(walked.problems())
    for number in range(count):
        # each kind once, in a random order, before any comes again
        if number % len(kinds) == 0:
            walked.draws.shuffle(kinds)
        yield kinds[number % len(kinds)](), list(walked.problems())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    good = 0
    with tempfile.TemporaryDirectory(prefix="walk-") as base:
        forks = Forks(Path(base))
        try:
            walked = walk(Path(base), forks, arguments.seed)
            for number, (what, problems) in enumerate(steps(walked, arguments.steps)):
                good += not problems
                print(f"{number:3} {what}: {'; '.join(problems) or 'as fresh'}", flush=True)
        finally:
            forks.close()
    print(f"{good} of {arguments.steps + 1} end with what a fresh folder holds, in {len(walked.fresh)} states")
    raise SystemExit(good != arguments.steps + 1)


if __name__ == "__main__":
    main()
