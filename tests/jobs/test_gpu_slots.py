"""Slots on pretended GPUs, leased by processes that are killed."""

import os
import signal
import stat
import subprocess
import sys

import pytest
import torch

from breakeven.jobs import device as module
from breakeven.jobs import gpu_slots
from breakeven.jobs.gpu_slots import lease

GPUS = ["GPU-a", "GPU-b"]
LEASE = """
import sys
from pathlib import Path
from breakeven.jobs.gpu_slots import lease
gpu, lock = lease(sys.argv[2].split(","), int(sys.argv[3]), Path(sys.argv[1]))
print(gpu, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Start a process that leases a slot and keeps it until its standard input ends."""
    started = []

    def start(gpus=GPUS, slots=2):
        command = [sys.executable, "-c", LEASE, tmp_path / "locks", ",".join(gpus), str(slots)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_all_first_slots_come_before_any_second_one(start):
    assert [start().stdout.readline() for _ in range(4)] == ["0\n", "1\n", "0\n", "1\n"]


@pytest.mark.parametrize("ending", ["killed", "ended"])
def test_a_job_waits_for_a_slot_that_frees_itself(start, ending):
    jobs = [start(slots=1), start(slots=1)]
    leased = [job.stdout.readline() for job in jobs]
    assert sorted(leased) == ["0\n", "1\n"]
    waiting = start(slots=1)
    told = waiting.stderr.readline()
    assert told == "waiting for a free slot on 2 GPUs with 1 slots each (slots_per_gpu: 1)\n"
    if ending == "killed":
        os.kill(jobs[1].pid, signal.SIGKILL)
    else:
        jobs[1].stdin.close()
    assert waiting.stdout.readline() == leased[1]


def test_processes_that_see_the_gpus_in_another_order_share_their_slots(start):
    """CUDA_VISIBLE_DEVICES numbers them anew: a slot belongs to the GPU's own name."""
    assert start(["GPU-a"], 1).stdout.readline() == "0\n"
    assert start(["GPU-b", "GPU-a"], 1).stdout.readline() == "0\n"  # GPU-b
    assert start(["GPU-a", "GPU-b"], 1).stderr.readline().startswith("waiting")


def test_the_locks_are_of_this_user_alone(tmp_path):
    lease(GPUS, 1, tmp_path / "locks")
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o700


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    class Properties:
        def __init__(self, index):
            self.uuid = f"uuid-{index}"

    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", Properties)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(gpu_slots, "folder", lambda: tmp_path / "locks")
    monkeypatch.setattr(module, "_leased", [])
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return chosen


def test_a_job_runs_on_the_gpu_that_it_leased(two_gpus, tmp_path):
    assert [str(module.choose_device("auto", 1, 2)) for _ in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert two_gpus == [0, 1, 0]
    names = sorted(path.name for path in (tmp_path / "locks").iterdir())
    assert names == ["uuid-0-slot0.lock", "uuid-0-slot1.lock", "uuid-1-slot0.lock"]
    assert module.choose_device("cpu", 1).type == "cpu"
    assert len(module._leased) == 3


def test_under_slurm_a_job_keeps_the_one_that_it_was_given(two_gpus, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert str(module.choose_device("cuda", 1, 1)) == "cuda"
    assert not two_gpus and not (tmp_path / "locks").exists()


def test_within_an_allocation_of_several_gpus_each_job_leases_one(two_gpus, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert [str(module.choose_device("cuda", 1, 1)) for _ in range(2)] == ["cuda:0", "cuda:1"]
