"""Signals, and a Snakemake that is gone, end a stage cleanly."""

import os
import signal
import subprocess
import sys
import time

import pytest

from breakeven.jobs.termination import PARENT, deferred_signals, end_on_signals
from breakeven.store.files import whole_file

WRITE = """
import sys, time
from pathlib import Path
from breakeven.store.files import whole_file
from breakeven.jobs.termination import end_on_signals, end_with_parent
end_on_signals()
end_with_parent()
with whole_file(Path(sys.argv[1]) / "a.txt") as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def start(folder, **environment):
    process = launch(folder, **environment)
    assert process.stdout.readline() == "writing\n"
    return process


def launch(folder, **environment):
    command = [sys.executable, "-c", WRITE, folder]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, env=os.environ | environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_half_written_file(tmp_path, number):
    process = start(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_job_ends_with_the_snakemake_that_started_it(tmp_path):
    snakemake = subprocess.Popen(["sleep", "60"])
    process = start(tmp_path, **{PARENT: str(snakemake.pid)})
    snakemake.kill()  # not waited for: it is dead all the same
    assert process.wait(10) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    snakemake.wait()


def test_a_job_whose_snakemake_was_gone_before_it_began_ends(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert launch(tmp_path, **{PARENT: str(gone.pid)}).wait(10) == 128 + signal.SIGTERM


def test_a_job_by_hand_goes_on(tmp_path):
    process = start(tmp_path, **{PARENT: ""})
    time.sleep(0.5)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert len(list(tmp_path.iterdir())) == 1  # nothing can be done about a SIGKILL...
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]  # ...but the next one cleans up


def test_the_file_of_a_living_process_is_left_alone(tmp_path):
    process = start(tmp_path)
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert len(list(tmp_path.iterdir())) == 2
    process.terminate()
    process.wait()


def test_signals_are_deferred_within_the_block():
    before = signal.getsignal(signal.SIGTERM)
    try:
        end_on_signals()
        with deferred_signals() as received:
            assert received() is None
            os.kill(os.getpid(), signal.SIGTERM)
            assert received() == signal.SIGTERM
        with pytest.raises(SystemExit) as ending:
            os.kill(os.getpid(), signal.SIGTERM)
        assert ending.value.code == 143
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
