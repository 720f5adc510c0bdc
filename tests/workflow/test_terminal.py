"""What a user reads of `snakemake` without a terminal. Of which records: tests/test_terminal.py."""

import re

import pytest

pytestmark = pytest.mark.workflow

CONFIG = """\
datasets:
  digits: {loader: digits, train_examples: 200, measured_fraction: 0.1}
measurements:
  covariance: {batch_size: 5}
studies:
  good:
    base: &base {dataset: digits, network: mlp, learning_rate: 0.1, batch_size: 20, steps: 2}
    sweeps: {learning_rate: [0.1, 0.2]}
    seeds: [0]
  own:
    base: *base
    sweeps: {network: ["my.py:build"]}
    seeds: [0]
"""
OWN = """\
from breakeven.networks.mlp import mlp


def build(input_shape, classes):
    raise ValueError("not written yet")
    return mlp(input_shape, classes)
"""
ENDS = ("--cores", "2", "--until", "train_run")


def test_a_line_for_each_job_and_a_sentence_for_what_failed(fresh):
    (fresh.folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (fresh.folder / "my.py").write_text(OWN, encoding="utf-8")
    profile, *lines = fresh.plain_snakemake("--dry-run", "--until", "train_run").stdout.splitlines()
    assert profile.startswith("Using workflow specific profile")
    assert [line.split() for line in lines[:4]] == [
        *(["4", "jobs", "to", "do:"], ["new"], ["prepare_dataset", "1"], ["train_run", "3"])
    ]
    assert len(lines) == 10

    said = fresh.plain_snakemake(*ENDS)
    assert said.returncode == 1
    lines = said.stdout.splitlines()[1:]
    done = [line for line in lines if re.match(r"\d of 4 jobs: ", line)]
    assert [line.split()[4] for line in done] == ["prepare_dataset", "train_run", "train_run"]
    ended, failed, sentence, log, advice, full = lines[-6:]
    assert re.fullmatch(r"3 of 4 jobs done in .*; 1 failed:", ended)
    assert failed.startswith("  train_run digits-my") and sentence == "    network 'my.py:build': not written yet"
    at_once = {f"failed: {failed.strip()}: {sentence.strip()}"}  # unless it is the last to end
    assert set(lines[:-6]) - set(done) <= at_once
    assert "not written yet" in (fresh.folder / log.strip()).read_text(encoding="utf-8")
    assert advice == "Mend the cause and type the same command again: what is done stays."
    told = (fresh.folder / full.removeprefix("All that Snakemake said: ")).read_text(encoding="utf-8")
    assert told.count("rule train_run:\n    input") == 3  # all that it says without us
    assert "Error in rule train_run:" in told

    (fresh.folder / "my.py").write_text(OWN.replace('    raise ValueError("not written yet")\n', ""), encoding="utf-8")
    said = fresh.plain_snakemake(*ENDS)
    assert said.returncode == 0, said.stdout
    first, last = said.stdout.splitlines()[1:]
    assert first.startswith("1 of 1 job: train_run digits-my") and re.fullmatch(r"1 job done in \d+ s\.", last)
    said = fresh.plain_snakemake(*ENDS)
    assert said.stdout.splitlines()[1:] == ["Nothing to be done."]
