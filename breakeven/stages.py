"""The stages of the pipeline, in the order in which data flow: the commands of ``python -m breakeven``.

A stage is a function of the package. Its command line is made from its signature: an argument for each parameter, by its type
(`breakeven.commands`). Nothing is imported here, so that the workflow and ``--help`` read the table quickly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.specs.measurements import BY_NAME, MEASUREMENTS


@dataclass(frozen=True)
class Stage:
    """A stage: its command, the function that carries it out (``MODULE:FUNCTION``), what it does, in a line.

    ``files``: of one whose ``out`` is a folder, what it writes there, with the names of parameters in braces; the last one last.
    ``folders``: of one whose ``out`` is a file, those that it fills beside it. ``positional``: parameters that are given without
    their names. ``hands_on``: the parameter that takes all arguments after those, unread. ``first``: a function that is called
    before with the same arguments, and may refuse them; it changes no number, and is not in the digest of the stage's code.
    """

    name: str
    function: str
    words: str
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()
    hands_on: str = ""
    first: str = ""

    @property
    def module(self) -> str:
        """The module that holds its function; the digest of its code starts from it."""
        return self.function.partition(":")[0]

    def outputs(self, out: Path, parameters: Mapping[str, Any]) -> tuple[Path, ...]:
        """What it writes, the last one last, if it is given ``out`` and these ``parameters``."""
        if self.files:
            return tuple(out / file.format(**parameters) for file in self.files)
        return (*(out.parent / folder for folder in self.folders), out)


STAGES = (
    Stage(
        "prepare",
        "breakeven.data.prepare:prepare",
        "Load a data set once and write it as arrays of integers with a manifest.",
        files=("data.safetensors", "manifest.json"),
    ),
    Stage(
        "train",
        "breakeven.training.train:train",
        "Train one run: its history, and snapshots of its weights.",
        files=("run.yaml", "history.csv", "snapshots", "training.json"),
        first="breakeven.measurements.dry_pass:check_own_network",
    ),
    *(
        Stage(row.name, f"breakeven.measurements.{row.name}:measure_{row.name}", row.words, folders=row.folders)
        for row in MEASUREMENTS
    ),
    Stage(
        "thin",
        "breakeven.training.thin:thin",
        "Delete the snapshots of a run that need not be kept; only where keep_snapshots asks for it.",
    ),
    Stage(
        "embed",
        "breakeven.summary.embed:embed",
        "Lay out the predictions of a study's runs in two dimensions; only where a figure asks for it.",
    ),
    Stage(
        "summarise",
        "breakeven.summary.summarise:summarise",
        "Gather the runs of a study into its two tables.",
        files=("runs.csv", "trajectories.csv"),
    ),
    Stage(
        "claims",
        "breakeven.claims.evaluate:evaluate",
        "Give a verdict on each claim of the paper, from the tables of all studies.",
    ),
    Stage("bundle", "breakeven.figures.bundle:bundle", "Write the script with which figures and report open offline."),
    Stage(
        "plot",
        "breakeven.figures.plot:plot",
        "Draw one figure of a study.",
        files=tuple(f"{{figure}}.{suffix}" for suffix in ("html", "svg", "png", "csv", "vl.json")),
    ),
    Stage("report", "breakeven.report.build:build", "Write the report: one page that opens offline."),
    Stage(
        "status",
        "breakeven.jobs.status:report_status",
        "Say what is done, running and failed in a results folder, and how far each training is.",
        positional=("results",),
    ),
    Stage(
        "check",
        "breakeven.config.check:check",
        "Check a config, say what it would run, and what is doubtful about it here.",
        positional=("config",),
    ),
    Stage(
        "estimate",
        "breakeven.estimate.estimate:estimate",
        "Say what a config would take: gradient evaluations, disk, memory, and time on this machine.",
        positional=("config",),
    ),
    Stage(
        "new",
        "breakeven.launch:new",
        "Write a config of your own, like one of the package's.",
        positional=("file",),
    ),
    Stage(
        "run",
        "breakeven.launch:run",
        "Run a config, a file or the name of one of the package's, with Snakemake, whose options may follow.",
        positional=("config",),
        hands_on="snakemake",
    ),
    Stage(
        "export",
        "breakeven.export.export:export",
        "Write histories and spectra for another tool: --tensorboard FOLDER.",
        positional=("names",),
    ),
    Stage(
        "publish",
        "breakeven.publish.publish:publish",
        "Publish a finding: pages, pictures and tables of a results folder, in a folder of the documentation.",
        positional=("results", "folder"),
    ),
    Stage(
        "prune",
        "breakeven.prune.prune:prune",
        "List the runs, studies and data sets of a results folder that no config names; with --yes, remove them.",
        positional=("config",),
    ),
)

STAGE = {stage.name: stage for stage in STAGES}
assert set(BY_NAME) <= set(STAGE), "each measurement is a stage"
