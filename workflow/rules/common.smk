# Validate the config and expand it into runs, before the first rule. No rules here.

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.logging import logger

HERE = Path(str(workflow.current_basedir)).parents[1]  # of the Snakefile
if (HERE / "breakeven").is_dir():  # a checkout; an installed one is found as it is
    sys.path.insert(0, str(HERE))

from breakeven.commands import flags
from breakeven.config.folders import links
from breakeven.config.plan import load_plan
from breakeven.config.yaml_file import as_text, given
from breakeven.figures.registry import FIGURES
from breakeven.jobs.made_with import COMMIT, commit
from breakeven.jobs.package_path import let_jobs_import
from breakeven.jobs.termination import PARENT, interrupt_once
from breakeven.specs.dataset import dataset_id
from breakeven.specs.measurements import MEASUREMENTS, MEMORY_MB
from breakeven.specs.run import run_id, source_of
from breakeven.store.errors import UserError

# of another workflow, which gives the config: its content, or the name of a file
IS_MODULE = Path(workflow.basedir).resolve() not in (HERE.resolve(), HERE.resolve() / "workflow")
# `--configfile X` replaces config.yaml; Snakemake's own `configfile:` would merge the two.
NAMED = [config] if IS_MODULE else workflow.overwrite_configfiles
CONFIG_FILES = [str(path) for path in NAMED] or ["config.yaml"]
if len(CONFIG_FILES) > 1:
    sys.exit(f"--configfile: one config at a time, not {len(CONFIG_FILES)}: {', '.join(CONFIG_FILES)}")
try:
    CONTENT = (
        given(config, f"config of module {__name__}") if IS_MODULE and not isinstance(config, str | Path) else None
    )
    PLAN = load_plan(CONTENT or CONFIG_FILES[0], {} if IS_MODULE else dict(workflow.config_settings.config))
except UserError as error:
    sys.exit(str(error))

CONFIG = PLAN.config
if not IS_MODULE:
    # which Snakemake's own report names, see workflow/report/workflow.rst
    config["studies"] = dict.fromkeys(PLAN.studies)
RESULTS = Path(CONFIG.results).as_posix()  # ./results/ is results
CONFIG_FILE = CONFIG_FILES[0] if CONTENT is None else f"{RESULTS}/config.yaml"  # see begin()
LINKS = list(links(Path(RESULTS), PLAN.runs, PLAN.datasets, PLAN.studies))
if LINKS:
    sys.exit("\n".join(LINKS))
let_jobs_import(HERE)
# glibc would give large tensors back to the system one by one, and have their pages cleared again: a fifteenth of a product with H
os.environ |= {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)} | os.environ
os.environ[COMMIT] = commit() or ""
os.environ[PARENT] = str(os.getpid())  # a job ends when the Snakemake that started it does


wildcard_constraints:
    dataset=r"[A-Za-z0-9_.-]+",
    run=r"[A-Za-z0-9_.-]+",
    study=r"[A-Za-z0-9_.-]+",
    figure=r"[A-Za-z0-9_]+",


def tell(sentence, **known):
    """Say something that a user is to read, whatever else is said; what our logger plugin is to know with it."""
    logger.info(sentence, extra={"for_user": True} | known)


def as_json(content):
    """Equal content is equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def spec_of(run):
    if run not in PLAN.runs:
        raise ValueError(f"the config has no run '{run}'")
    return PLAN.runs[run]


def data_of(run):
    """The folder of the data set that a run is trained and measured on."""
    return f"{RESULTS}/data/{dataset_id(spec_of(run).dataset)}"


def folder_of(run):
    """The folder of a run's results."""
    return f"{RESULTS}/runs/{run}"


def state_of(run):
    """Its checkpoints: no output, since Snakemake deletes the outputs of a job that failed."""
    return f"{RESULTS}/state/{run}"


def source_folders(run):
    """The folder of the run whose break-even point the schedule of this one counts in, if it does; a list."""
    source = source_of(spec_of(run))
    return [] if source is None else [folder_of(run_id(source))]


def weights_of(run):
    """The file of its initial weights, if it has one; a list."""
    digest = spec_of(run).initial_weights
    return [] if digest is None else [PLAN.weights[digest]]


def made_from(result):
    """What a job records of its result, the code and the files that it must be of, and where it says what it took."""
    read = ["--read", as_json(dict(result.read))] if result.read else []
    cost = ["--cost", f"{RESULTS}/{result.cost}"]
    return ["--key", result.key, "--code", as_json(asdict(result.code)), *read, *cost]


def of_run(measurement, what):
    """A function of the result of a measurement, for each run."""
    return lambda w: what(MADE.measurement(measurement.name, w.run))


DEVICE = ["--device", CONFIG.device, "--slots-per-gpu", str(CONFIG.slots_per_gpu)]
# A job asks for a GPU where it will use one; on a machine without, jobs are limited by the cores alone.
# NVIDIA's driver makes a file beside /dev/null; `snakemake --lint` takes its full path for a mistake.
NVIDIA = Path(os.devnull).with_name("nvidiactl")
GPUS = {"cpu": 0, "cuda": 1, "auto": int(NVIDIA.exists())}[CONFIG.device]


def growing(amount):
    """Memory or time of which each further attempt asks for more: twice, three times as much."""
    return lambda wildcards, attempt: amount * attempt
