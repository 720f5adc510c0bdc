# Validate the config and expand it into runs, before the first rule. No rules here.

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from breakeven.config.code_digest import code_digest
from breakeven.specs.dataset import dataset_id
from breakeven.config.folders import links
from breakeven.config.plan import load_plan
from breakeven.specs.run import canonical_json, run_id, source_of
from breakeven.specs.schedule import in_words
from breakeven.data.registry import loader_module
from breakeven.store.errors import UserError
from breakeven.figures.registry import FIGURES, NEEDS_EMBEDDING
from breakeven.networks.registry import network_module
from breakeven.jobs.termination import PARENT

# `--configfile X` replaces config.yaml; Snakemake's own `configfile:` would merge the two.
CONFIG_FILES = [str(path) for path in workflow.overwrite_configfiles] or ["config.yaml"]
if len(CONFIG_FILES) > 1:
    sys.exit(f"--configfile: one config at a time, not {len(CONFIG_FILES)}: {', '.join(CONFIG_FILES)}")
try:
    PLAN = load_plan(CONFIG_FILES[0], dict(workflow.config_settings.config))
except UserError as error:
    sys.exit(str(error))

RESULTS = Path(PLAN.config.results).as_posix()  # ./results/ is results
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


def study_points(study):
    """The runs of a study with their labels. Passed to the stage on its standard input: thousands are no argument."""
    columns = ["learning_rate", "batch_size", *(n for n in study.swept if n not in ("learning_rate", "batch_size"))]
    rows = []
    for run in study.runs:
        spec, point = spec_of(run), study.points[run]
        if "schedule" in study.swept:
            point = {**point, "schedule": in_words(spec.learning_rate, point["schedule"])}
        rows.append([run, *(point[name] for name in columns), spec.seed])
    return {"columns": ["run", *columns, "seed"], "rows": rows}


def drawn_study(name):
    """What a figure needs to know of its study, beside the tables."""
    study = PLAN.studies[name]
    # the label of a schedule begins with the learning rate that it begins with
    swept = [key for key in study.swept if not (key == "learning_rate" and "schedule" in study.swept)]
    return {"name": name, "swept": swept, "accuracy_threshold": study.accuracy_threshold}


def captions():
    """The captions of the figures that the report shows."""
    shown = {figure for study in PLAN.studies.values() for figure in study.figures}
    return {figure: caption for figure, caption in FIGURES.items() if figure in shown}


def stage_code(stage, module, run=None):
    """The digest of a stage's code; for the stages of a run with the code of its network."""
    modules = [module] if run is None else [module, network_module(spec_of(run).network)]
    return f"{stage}:{code_digest(modules)}"


def python(wildcards, threads):
    """Jobs run in the environment that runs Snakemake, also on a cluster."""
    return sys.executable


def device(wildcards, threads):
    return ["--device", PLAN.config.device, "--slots-per-gpu", str(PLAN.config.slots_per_gpu)]


def memory_mb(wildcards, threads):
    return PLAN.config.memory_mb


# A job asks for a GPU where it will use one; on a machine without, jobs are limited by the cores alone.
# NVIDIA's driver makes a file beside /dev/null; `snakemake --lint` takes its full path for a mistake.
NVIDIA = Path(os.devnull).with_name("nvidiactl")
GPUS = {"cpu": 0, "cuda": 1, "auto": int(NVIDIA.exists())}[PLAN.config.device]


def growing(amount):
    """Memory or time of which each further attempt asks for more: twice, three times as much."""
    return lambda wildcards, attempt: amount * attempt
