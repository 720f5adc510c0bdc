"""A copy of this checkout with a tiny config, which tests edit, plan and run with the real ``snakemake``.

A job is written as its rule and its wildcards: ``plot_figure rate/maxima``. The tests compare sets of them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import yaml

from breakeven.figures import registry
from breakeven.specs import measurements
from breakeven.specs.run import RunSpec, from_json, run_id
from tests.workflow.planner import dry_run

CHECKOUT = Path(__file__).parents[2]
COPIED = ("Snakefile", "workflow", "breakeven", "profiles", "pyproject.toml")
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
JOB_BY_JOB = "--show-failed-logs"  # Snakemake's own words, which are read here, and not those of our plugin

# Four runs of `rate`, two of `network`, of which one is also in `rate`. `twin` is a network that only the copy has.
CONFIG = """\
device: cpu
datasets:
  digits: {loader: digits, train_examples: 300, test_examples: 100, measured_fraction: 0.1}
measurements:
  covariance: {batch_size: 10}
  hessian: {eigenvalues: 2, tolerance: 0.1, max_matvecs: 20, trace_probes: 3}
studies:
  rate:
    base: &base
      dataset: digits
      network: simple_cnn
      network_options: {channels: [1], dense: 4}
      learning_rate: 0.1
      batch_size: 100
      steps: 4
      snapshots: [{every: 4}]
      momentum: 0.2
      weight_decay: 0.01
    sweeps:
      learning_rate: [0.1, 0.3]
    seeds: [0, 1]
  network:
    base: *base
    sweeps:
      network: [simple_cnn, twin]
    seeds: [0]
"""

# Which jobs there are. That these are measured always is in ``tests/test_cli.py``.
MEASURED = tuple(row.name for row in measurements.MEASUREMENTS if row.always)
MEASUREMENTS = tuple(f"measure_{name}" for name in MEASURED)
# what an edit of the hessian stage measures again: the others are along the eigenvectors of H
OF_H = ("measure_hessian", "measure_stability", "measure_assumptions", "measure_locate")
FIGURES = ("lambda_K", "maxima")  # of the copy: two of the project's figures, to save time
STUDIES = ("rate", "network")
CLAIMS = {"evaluate_claims"}
BUNDLE = {"bundle_javascript"}  # once in a results folder
REPORT = {"write_report"}


@dataclass(frozen=True)
class Project:
    """A copy of the checkout in ``folder``."""

    folder: Path

    # ------------------------------------------------------------ editing

    def edit(self, old: str, new: str, file: str = "config.yaml") -> None:
        """Replace ``old``, which must be there once."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{text.count(old)} times in {file}: {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def append(self, text: str, file: str = "config.yaml") -> None:
        with (self.folder / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    @contextmanager
    def for_now(self, file: str = "config.yaml") -> Iterator[None]:
        """What is edited in ``file`` inside of the block is undone after it."""
        path = self.folder / file
        before = path.read_bytes()
        yield
        path.write_bytes(before)

    # ------------------------------------------------------------ snakemake

    def snakemake(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Call ``snakemake`` in the copy; ``stdout`` holds all that it says, job by job."""
        return self.plain_snakemake(JOB_BY_JOB, *arguments, env=env)

    def plain_snakemake(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Call ``snakemake`` as users do."""
        return subprocess.run(
            [SNAKEMAKE, *arguments],
            cwd=self.folder,
            env=environment() | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def plan(self, *arguments: str) -> set[str]:
        """The jobs that ``snakemake -n`` plans."""
        return jobs(dry_run(SNAKEMAKE, (JOB_BY_JOB, *arguments), self.folder, environment()))

    def run(self, *arguments: str) -> set[str]:
        """Run ``snakemake --cores all``: the jobs that it executed."""
        return jobs(self.snakemake("--cores", "all", *arguments))

    def breakeven(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call the stages' command, ``python -m breakeven``, in the copy."""
        return subprocess.run(
            [sys.executable, "-m", "breakeven", *arguments],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # ------------------------------------------------------------ results

    @cached_property
    def runs(self) -> dict[str, RunSpec]:
        """The runs in the results folder, as they were when first asked for, by their ids."""
        found = {}
        for path in (self.folder / "results/runs").glob("*/run.yaml"):
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            name = content.pop("run")
            found[name] = from_json(json.dumps(content))
            assert run_id(found[name]) == name == path.parent.name
        return found

    def runs_with(self, **settings: object) -> set[str]:
        """The ids of the runs with these hyperparameters."""
        return {
            name
            for name, spec in self.runs.items()
            if all(getattr(spec, key) == value for key, value in settings.items())
        }

    def new_runs(self, runs: Iterable[str], **changes: object) -> set[str]:
        """The ids that ``runs`` would have with other hyperparameters."""
        new = {run_id(replace(self.runs[name], **changes)) for name in runs}
        assert new and not new & self.runs.keys()
        return new

    def tables(self) -> dict[str, bytes]:
        """All CSV tables of the results, by their paths."""
        folder = self.folder / "results"
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.csv"))}


def make(folder: Path) -> Project:
    """A copy of the checkout as a clone would be: new times, no results."""
    folder.mkdir(parents=True)
    without_caches = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=without_caches, copy_function=shutil.copy)
        else:
            shutil.copy(source, folder / name)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    project = Project(folder)
    add_network(project, "twin")
    for figure in registry.FIGURES.keys() - set(FIGURES):
        project.append("\nON_REQUEST = True\n", f"breakeven/figures/{figure}.py")
    return project


def add_network(project: Project, name: str) -> None:
    """Give the copy one more network: a module, and a line in the registry."""
    networks = project.folder / "breakeven/networks"
    shutil.copy(networks / "simple_cnn.py", networks / f"{name}.py")
    line = f'    "{name}": Network("breakeven.networks.{name}:simple_cnn"),\n'
    project.edit("NETWORKS = {\n", "NETWORKS = {\n" + line, "breakeven/networks/registry.py")


def copy(source: Path, target: Path) -> None:
    """Copy a folder with all its times."""
    subprocess.run(["cp", "-a", source, target], check=True)


def environment() -> dict[str, str]:
    """Without what a developer's own settings would change."""
    hidden = ("PYTHONPATH", "PYTHONSAFEPATH", "SNAKEMAKE_PROFILE")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def jobs(finished: subprocess.CompletedProcess[str]) -> set[str]:
    """The jobs in what ``snakemake`` said, apart from ``all``; each must be there once, and none may be overlooked."""
    text = finished.stdout
    assert finished.returncode == 0, text
    found: list[str] = []
    for rule, wildcards in re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)*)", text, re.MULTILINE):
        values = re.findall(r"^    wildcards: (.*)$", wildcards, re.MULTILINE)
        parts = [pair.partition("=")[2] for line in values for pair in line.split(", ")]
        found.append(f"{rule} {'/'.join(parts)}".strip())
    total = re.search(r"^total +(\d+)$", text, re.MULTILINE)
    assert len(found) == (int(total[1]) if total else 0), text
    assert found or "Nothing to be done" in text, text
    assert not [job for job, count in Counter(found).items() if count > 1], text
    return set(found) - {"all"}


# ---------------------------------------------------------------- sets of jobs


def train(runs: Iterable[str]) -> set[str]:
    return {f"train_run {run}" for run in runs}


def measure(runs: Iterable[str], rules: Iterable[str] = MEASUREMENTS) -> set[str]:
    runs = list(runs)
    return {f"{rule} {run}" for rule in rules for run in runs}


def tables(*studies: str) -> set[str]:
    return {f"summarise_study {study}" for study in studies}


def figures(*studies: str) -> set[str]:
    return {f"plot_figure {study}/{figure}" for study in studies for figure in FIGURES}


def studies_again(*studies: str) -> set[str]:
    """What follows where the runs of ``studies`` or their measurements change."""
    return tables(*studies) | figures(*studies) | CLAIMS | REPORT
