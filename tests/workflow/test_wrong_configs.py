"""Wrong configs end before any job, with lines that name the key and what is allowed."""

import pytest

from tests.workflow.project import CLAIMS, CONFIG, FIGURES, MEASUREMENTS, REPORT, STUDIES

pytestmark = pytest.mark.workflow


def wrong(old, new, *lines):
    """The config with one mistake. The studies share their base: a mistake there is one in each of them."""
    assert CONFIG.count(old) == 1, old
    return pytest.param(CONFIG.replace(old, new), lines, id=repr(new.strip()[:40]))


def wrong_base(old, new, message):
    lines = [f": studies.{study}.base.{message}" for study in STUDIES]
    return wrong(old, new, *lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        wrong("    seeds: [0, 1]", "    sedes: [0, 1]", ": studies.rate.sedes: unknown key; did you mean 'seeds'?"),
        wrong_base("      momentum: 0.2", "      momentun: 0.2", "momentun: unknown key; did you mean 'momentum'?"),
        wrong("measurements:", "measurement:", ": measurement: unknown key; did you mean 'measurements'?"),
        wrong(
            "train_examples: 300",
            "root: data",
            ": datasets.digits.root: unknown key; allowed: loader, test_fraction, "
            "measured_fraction, seed, train_examples, test_examples",
        ),
        wrong(
            "device: cpu", "device: gpu", ": device: 'gpu' is not known; allowed: auto, cpu, cuda; did you mean 'cuda'?"
        ),
        wrong(
            "loader: digits",
            "loader: cifar",
            ": datasets.digits.loader: 'cifar' is not known; allowed: cifar10, "
            "digits, fashion_mnist, image_folder, imagenet, imdb, mnli; did you mean 'cifar10'?",
        ),
        wrong_base(
            "dataset: digits",
            "dataset: digit",
            "dataset: 'digit' is not known; allowed: digits; did you mean 'digits'?",
        ),
        wrong(
            "network: simple_cnn\n",
            "network: simple_cn\n",
            ": studies.rate.base.network: 'simple_cn' is not known; allowed: "
            "bert, densenet121, lstm, mlp, resnet32, resnet32_bn, simple_cnn, simple_cnn_bn, twin; did you mean 'simple_cnn'?",
        ),
        wrong(
            "dense: 4",
            "denses: 4",
            ": studies.rate.base.network_options.denses: unknown key; did you mean 'dense'?",
            ": studies.network.base.network_options.denses: unknown key; did you mean 'dense'? (at network='simple_cnn')",
            ": studies.network.base.network_options.denses: unknown key; did you mean 'dense'? (at network='twin')",
        ),
        wrong_base(
            "learning_rate: 0.1\n",
            "learning_rate: fast\n",
            "learning_rate: 'fast' is not a number; allowed: a number above 0",
        ),
        wrong_base(
            "learning_rate: 0.1\n",
            "learning_rate: -0.1\n",
            "learning_rate: -0.1 is too small; allowed: a number above 0",
        ),
        wrong_base(
            "batch_size: 100", "batch_size: 2.5", "batch_size: 2.5 is not an integer; allowed: an integer of at least 1"
        ),
        wrong_base(
            "batch_size: 100",
            "batch_size: '100'",
            "batch_size: '100' is a text that looks like a number; write it without quotes",
        ),
        wrong_base(
            "batch_size: 100",
            "batch_size: 301",
            "batch_size: 301 is more than the 300 training examples of data set 'digits'",
        ),
        wrong_base(
            "momentum: 0.2", "momentum: 1", "momentum: 1 is too large; allowed: a number of at least 0 and below 1"
        ),
        wrong_base("      steps: 4\n", "", "steps: required, but missing: give steps or epochs"),
        wrong_base(
            "steps: 4", "steps: 4\n      epochs: 1", "epochs: steps and epochs are both given; exactly one is allowed"
        ),
        wrong_base(
            "[{every: 4}]",
            "[{every: 4}, {every: 9}]",
            "snapshots[0].until: required, but missing: only the last segment may omit it",
        ),
        wrong("[0.1, 0.3]", "[]", ": studies.rate.sweeps.learning_rate: must not be empty"),
        wrong("[0.1, 0.3]", "[0.1, 1e-1]", ": studies.rate.sweeps.learning_rate: 0.1 stands here more than once"),
        wrong("seeds: [0, 1]", "seeds: []", ": studies.rate.seeds: must not be empty"),
        wrong(
            "  rate:\n",
            "  ../rate:\n",
            ": studies.'../rate': cannot be the name of a folder; allowed: letters, digits, "
            "'_', '.', '-', beginning with a letter or digit, at most 60 characters",
        ),
        wrong(
            "{batch_size: 10}",
            "{batch_size: 16}",
            ": measurements.covariance.batch_size: 16 is too large: the 30 "
            "measured examples of data set 'digits' (0.1 of 300) hold fewer than 2 such mini-batches; make it at most "
            "15 or raise the data set's measured_fraction",
        ),
        wrong(
            "device: cpu\n",
            "device: cpu\ndevice: cuda\n",
            ":2:1: duplicate key 'device': it stands in line 1 and in line 2",
        ),
        wrong(
            "{batch_size: 10}",
            "{batch_size: 10",
            ":6:10: while parsing a flow mapping: expected ',' or '}', but got ':'",
        ),
        wrong(
            "  covariance:",
            "\tcovariance:",
            r":5:1: while scanning for the next token: found character '\t' that "
            "cannot start any token; indent with spaces, not tabs",
        ),
        wrong(CONFIG, "", ": the file is empty"),
        wrong(CONFIG, "- digits\n", ":1:1: the file must be a mapping, with lines like 'key: value'"),
        wrong(CONFIG, "device: cpu\n", ": datasets: required, but missing", ": studies: required, but missing"),
    ],
)
def test_a_wrong_config_ends_before_any_job(fresh, text, lines):
    (fresh.folder / "config.yaml").write_text(text, encoding="utf-8")
    said = fresh.snakemake("--cores", "1")
    assert said.returncode == 1, said.stdout
    assert said.stdout.splitlines()[1:] == [f"config.yaml{line}" for line in lines]
    assert said.stdout.startswith("Using workflow specific profile")
    assert not (fresh.folder / "results").exists()


def test_no_config_at_all(fresh):
    (fresh.folder / "config.yaml").unlink()
    said = fresh.snakemake("--cores", "1")
    assert said.returncode == 1
    assert said.stdout.splitlines()[1:] == ["config.yaml: there is no such file"]


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (
            "devcie=cpu",
            "--config: 'devcie' is not known; allowed: device, memory_mb, results, slots_per_gpu, threads; "
            "did you mean 'device'?",
        ),
        (
            "studies=none",
            "--config: 'studies' is not known; allowed: device, memory_mb, results, slots_per_gpu, threads",
        ),
        ("device=gpu", "config.yaml: device: 'gpu' is not known; allowed: auto, cpu, cuda; did you mean 'cuda'?"),
        (
            "results=..",
            "config.yaml: results: '..' is a folder that holds this project; name one for the results alone",
        ),
        ("threads=0", "config.yaml: threads: 0 is too small; allowed: an integer of at least 1"),
    ],
)
def test_wrong_values_on_the_command_line(fresh, value, line):
    said = fresh.snakemake("--cores", "1", "--config", value)
    assert said.returncode == 1, said.stdout
    assert said.stdout.splitlines()[1:] == [line]


def test_right_values_on_the_command_line(fresh):
    said = fresh.snakemake("--dry-run", "--printshellcmds", "--config", "device=cuda", "results=elsewhere", "threads=3")
    assert said.returncode == 0, said.stdout
    commands = [line for line in said.stdout.splitlines() if " -m breakeven " in line]
    stages = ("train", *(rule.removeprefix("measure_") for rule in MEASUREMENTS))
    on_device = [line for line in commands if any(f"breakeven {stage} " in line for stage in stages)]
    assert len(on_device) == 5 * len(stages)
    # jobs take no more threads than there are cores: a dry run has as many as the machine
    assert all("--device cuda --slots-per-gpu 1 --threads " in line for line in on_device)
    assert all("elsewhere/" in line and "results/" not in line for line in commands)


# ------------------------------------------------------------------ --configfile

OTHER = """\
datasets:
  small: {loader: digits, train_examples: 200, measured_fraction: 0.5}
measurements:
  covariance: {batch_size: 20}
studies:
  single:
    base: {dataset: small, network: simple_cnn, learning_rate: 0.1, batch_size: 20, steps: 2}
    seeds: [5]
"""


def test_a_configfile_replaces_config_yaml(fresh):
    (fresh.folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    fresh.append("results: elsewhere\n")
    planned = fresh.plan("--configfile", "other.yaml")
    assert len(planned) == 1 + 1 + len(MEASUREMENTS) + 1 + len(FIGURES) + len(CLAIMS | REPORT)
    assert "summarise_study single" in planned and "summarise_study rate" not in planned
    said = fresh.snakemake("--dry-run", "--printshellcmds", "--configfile", "other.yaml").stdout
    assert "elsewhere" not in said and "output: results/report.html" in said
    assert '"eigenvalues":5' in said  # the default, and not the 2 of config.yaml
    # it isn't even read
    (fresh.folder / "config.yaml").write_text("device: [", encoding="utf-8")
    assert fresh.plan("--configfile", "other.yaml") == planned


def test_a_mistake_in_a_configfile_names_that_file(fresh):
    (fresh.folder / "other.yaml").write_text(OTHER.replace("seeds", "seed"), encoding="utf-8")
    said = fresh.snakemake("--cores", "1", "--configfile", "other.yaml")
    assert said.returncode == 1
    [line] = said.stdout.splitlines()[1:]
    assert line.endswith("other.yaml: studies.single.seed: unknown key; did you mean 'seeds'?")


def test_one_configfile_at_a_time(fresh):
    (fresh.folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    said = fresh.snakemake("--cores", "1", "--configfile", "config.yaml", "other.yaml")
    assert said.returncode == 1
    assert "--configfile: one config at a time, not 2: " in said.stdout and "Traceback" not in said.stdout


@pytest.mark.parametrize(
    ("text", "snakemakes_words"),
    [
        (OTHER.replace("{dataset", "dataset"), "Config file is not valid JSON or YAML."),
        (OTHER.replace("  small", "\tsmall"), "make sure to not mix whitespace and tab indentation"),
        ("", "Config file must be given as JSON or YAML with keys at top level."),
    ],
)
def test_a_configfile_that_is_no_yaml(fresh, text, snakemakes_words):
    """Snakemake reads it before the Snakefile, and names neither file nor line: `breakeven check` does."""
    (fresh.folder / "other.yaml").write_text(text, encoding="utf-8")
    said = fresh.snakemake("--cores", "1", "--configfile", "other.yaml")
    assert said.returncode == 1
    assert snakemakes_words in said.stdout and "Traceback" not in said.stdout
    assert len(said.stdout.splitlines()) == 3
    [line] = fresh.breakeven("check", "other.yaml").stdout.splitlines()
    assert line.startswith("error: other.yaml:")
