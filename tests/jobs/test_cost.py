"""What a job says that it took."""

import csv
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from breakeven.jobs.cost import Took, number_of, read_cost, read_seconds, write_cost
from breakeven.jobs.locks import held, lock_of

BUSY = """
import sys, time
from pathlib import Path
from breakeven.jobs.cost import Took, write_cost
started = time.monotonic()
held = b"1" * (200 << 20)
while time.process_time() < 1:
    pass
time.sleep(0.5)
write_cost(Path(sys.argv[1]), started, Took())
"""


def test_of_a_process_that_holds_memory_and_computes(tmp_path):
    path = tmp_path / "train/run.tsv"
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", BUSY, path], check=True)
    with path.open(newline="", encoding="utf-8") as file:
        [row] = csv.DictReader(file, delimiter="\t")
    assert 0.5 < float(row["s"]) <= time.monotonic() - started
    assert 1 <= float(row["cpu_time"]) <= float(row["s"]) + 0.5
    assert 200 < float(row["max_rss"]) < 300
    assert read_seconds(path) == float(row["s"])
    assert row["finished"].startswith(f"{datetime.now(UTC):%Y-}") and row["processor"] and row["cores"]


def test_the_memory_is_not_that_of_the_parent(tmp_path):
    """``getrusage`` tells a child of what its parent held when it started it."""
    held = b"1" * (500 << 20)
    code = (
        "import sys, time, pathlib; from breakeven.jobs.cost import *; write_cost(pathlib.Path(sys.argv[1]), 0, Took())"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "cost.tsv"], check=True)
    assert float((tmp_path / "cost.tsv").read_text().splitlines()[1].split("\t")[2]) < 300 < len(held)


@pytest.mark.parametrize("content", [None, "", "s\n", "s\tcpu_time\n1\n", "a\tb\n1\t2\n", "s\nlong\n", "\x00"])
def test_what_says_nothing(tmp_path, content):
    path = tmp_path / "cost.tsv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert read_seconds(path) is None


def test_it_is_written_anew(tmp_path):
    write_cost(tmp_path / "cost.tsv", time.monotonic() - 10, Took())
    write_cost(tmp_path / "cost.tsv", time.monotonic() - 20, Took(seconds=3, processor=1e6))
    assert read_seconds(tmp_path / "cost.tsv") == pytest.approx(23, abs=1)
    assert number_of(read_cost(tmp_path / "cost.tsv"), "cpu_time") > 1e6


def test_waiting_for_another_job_is_no_part_of_it(tmp_path):
    """What that one did meanwhile, it counts itself."""
    spec = '{"loader": "digits", "measured_fraction": 0.1}'
    out, cost, started = tmp_path / "data", tmp_path / "cost.tsv", time.monotonic()
    arguments = ["--spec", spec, "--location", "{}", "--out", out, "--cost", cost]
    out.mkdir()
    with held(lock_of(out / "manifest.json"), "training"):
        command = [sys.executable, "-m", "breakeven", "prepare", *arguments]
        job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert "waiting until it has ended" in job.stderr.readline()
        time.sleep(3)
    job.communicate()
    assert 0 < read_seconds(cost) <= time.monotonic() - started - 3
