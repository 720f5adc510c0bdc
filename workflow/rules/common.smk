# Validate the config and expand it into runs, before the first rule. No rules here.

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from breakeven.commands import flags
from breakeven.config.code_digest import code_digest
from breakeven.config.folders import links
from breakeven.config.plan import load_plan
from breakeven.data.registry import loader_module
from breakeven.figures.registry import FIGURES, NEEDS_EMBEDDING
from breakeven.jobs.termination import PARENT
from breakeven.networks.registry import network_source
from breakeven.specs.dataset import dataset_id
from breakeven.specs.measurements import BY_NAME, MEASUREMENTS, is_asked_for, values_of
from breakeven.specs.run import canonical_json, run_id, source_of
from breakeven.specs.study import part_of
from breakeven.stages import STAGE
from breakeven.store.errors import UserError
from breakeven.training.registry import modules_of

# `--configfile X` replaces config.yaml; Snakemake's own `configfile:` would merge the two.
CONFIG_FILES = [str(path) for path in workflow.overwrite_configfiles] or ["config.yaml"]
if len(CONFIG_FILES) > 1:
    sys.exit(f"--configfile: one config at a time, not {len(CONFIG_FILES)}: {', '.join(CONFIG_FILES)}")
try:
    PLAN = load_plan(CONFIG_FILES[0], dict(workflow.config_settings.config))
except UserError as error:
    sys.exit(str(error))

CONFIG = PLAN.config
RESULTS = Path(CONFIG.results).as_posix()  # ./results/ is results
LINKS = list(links(Path(RESULTS), PLAN.runs, PLAN.datasets, PLAN.studies))
if LINKS:
    sys.exit("\n".join(LINKS))
os.environ[PARENT] = str(os.getpid())  # a job ends when the Snakemake that started it does


wildcard_constraints:
    dataset=r"[A-Za-z0-9_.-]+",
    run=r"[A-Za-z0-9_.-]+",
    study=r"[A-Za-z0-9_.-]+",
    figure=r"[A-Za-z0-9_]+",


# Snakemake compares a rule's parameters as a set of values without their names, and leaves out those of functions that
# ask for `threads`. So: one string per concern, each recognisable by itself, and what must not cause a rerun (device,
# threads, folders) as such a function.


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


def source_folders(run):
    """The folder of the run whose break-even point the schedule of this one counts in, if it does; a list."""
    source = source_of(spec_of(run))
    return [] if source is None else [f"{RESULTS}/runs/{run_id(source)}"]


def study_json(name, *parts):
    """What a stage is told of a study: the parts that it depends on. On its standard input: thousands of runs are no argument."""
    return as_json(part_of(PLAN.studies[name], *parts))


def promised():
    """What all studies and runs are to have. Snakemake passes over files that are missing in between, unless they are asked for."""
    runs = sorted({run for study in PLAN.studies.values() for run in study.runs})
    tables = [each.table for each in MEASUREMENTS if each.always or is_asked_for(each, CONFIG.measurements)]
    of_runs = [
        f"{RESULTS}/runs/{run}/{file}"
        for run in runs
        for file in ("run.yaml", "history.csv", "training.json", "snapshots", *tables)
    ]
    of_studies = [
        f"{RESULTS}/tables/{study}/{table}.csv" for study in PLAN.studies for table in ("runs", "trajectories")
    ]
    figures = [
        f"{RESULTS}/figures/{name}/{figure}.{suffix}"
        for name, study in PLAN.studies.items()
        for figure in study.figures
        for suffix in ("html", "svg", "png", "csv")
    ]
    return [*of_runs, *of_studies, f"{RESULTS}/tables/claims.csv", *figures]


def captions():
    """The captions of the figures that the report shows."""
    shown = {figure for study in PLAN.studies.values() for figure in study.figures}
    return {figure: caption for figure, caption in FIGURES.items() if figure in shown}


def stage_code(stage, *modules, files=()):
    """The digest of a stage's code, and of the modules that it imports by name."""
    return f"{stage}:{code_digest([STAGE[stage].module, *modules], files)}"


def network_code(stage, run, *modules):
    """That of a stage of a run, with its network: the module, and the function in it, which the registry says."""
    network = network_source(spec_of(run).network)
    return f"{stage_code(stage, network.module, *modules)}:{network.function}"


def tables_of(measurement):
    """What a measurement reads beside the snapshots: the outputs of others."""
    tables = {name: f"{RESULTS}/runs/{{run}}/{BY_NAME[name].table}" for name in measurement.reads}
    folders = {
        folder: ancient(f"{RESULTS}/runs/{{run}}/{folder}")
        for name in measurement.reads
        for folder in BY_NAME[name].folders
    }
    return tables | folders


def code_of(measurement):
    """The digest of the code of a measurement, for each run."""
    return lambda w: network_code(measurement.name, w.run)


def of_runs(file):
    """A file of each run of a study."""
    return lambda w: [f"{RESULTS}/runs/{run}/{file}" for run in PLAN.studies[w.study].runs]


def python(wildcards, threads):
    """Jobs run in the environment that runs Snakemake, also on a cluster."""
    return sys.executable


def device(wildcards, threads):
    return ["--device", CONFIG.device, "--slots-per-gpu", str(CONFIG.slots_per_gpu)]


def memory_mb(wildcards, threads):
    return CONFIG.memory_mb


# A job asks for a GPU where it will use one; on a machine without, jobs are limited by the cores alone.
# NVIDIA's driver makes a file beside /dev/null; `snakemake --lint` takes its full path for a mistake.
NVIDIA = Path(os.devnull).with_name("nvidiactl")
GPUS = {"cpu": 0, "cuda": 1, "auto": int(NVIDIA.exists())}[CONFIG.device]


def growing(amount):
    """Memory or time of which each further attempt asks for more: twice, three times as much."""
    return lambda wildcards, attempt: amount * attempt
