"""How Snakemake takes a config: wrong ones end before any job. What is told of them: tests/config/test_wrong_configs.py."""

import pytest

from tests.workflow.project import BUNDLE, CLAIMS, FIGURES, MEASUREMENTS, REPORT, jobs

pytestmark = pytest.mark.workflow


def test_a_wrong_config_ends_before_any_job(fresh):
    fresh.edit("    seeds: [0, 1]", "    sedes: [0, 1]")
    said = fresh.snakemake("--cores", "1", "--config", "threads=0")
    assert said.returncode == 1, said.stdout
    assert said.stdout.startswith("Using workflow specific profile")
    assert said.stdout.splitlines()[1:] == [
        "--config: threads: 0 is too small; allowed: an integer of at least 1",
        "config.yaml:21: studies.rate.sedes: unknown key; did you mean 'seeds'?",
    ]
    assert not (fresh.folder / "results").exists()


def test_right_values_on_the_command_line(fresh):
    said = fresh.snakemake("--dry-run", "--printshellcmds", "--config", "device=cuda", "results=elsewhere", "threads=3")
    assert said.returncode == 0, said.stdout
    commands = [line for line in said.stdout.splitlines() if "start.py " in line]
    stages = ("train", *(rule.removeprefix("measure_") for rule in MEASUREMENTS))
    on_device = [line for line in commands if any(f"start.py {stage} " in line for stage in stages)]
    assert len(on_device) == 5 * len(stages)
    # jobs take no more threads than there are cores: a dry run has as many as the machine
    assert all("--device cuda --slots-per-gpu 1 --threads " in line for line in on_device)
    assert all("elsewhere/" in line and "results/" not in line for line in commands)


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
    """Which isn't even read; a key that it has and the other hasn't is at its default."""
    (fresh.folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    (fresh.folder / "config.yaml").write_text("results: elsewhere\ndevice: [", encoding="utf-8")
    finished = fresh.snakemake("--dry-run", "--printshellcmds", "--configfile", "other.yaml")
    planned = jobs(finished)
    assert len(planned) == 1 + 1 + len(MEASUREMENTS) + 1 + len(FIGURES) + len(CLAIMS | BUNDLE | REPORT)
    assert "summarise_study single" in planned and "summarise_study rate" not in planned
    assert "elsewhere" not in finished.stdout and "output: results/report.html" in finished.stdout
    assert "--eigenvalues=5" in finished.stdout  # the default, and not the 2 of config.yaml


def test_one_configfile_at_a_time(fresh):
    (fresh.folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    said = fresh.snakemake("--cores", "1", "--configfile", "config.yaml", "other.yaml")
    assert said.returncode == 1
    assert "--configfile: one config at a time, not 2: " in said.stdout and "Traceback" not in said.stdout
