"""The memory of training and measuring doesn't grow with the number of snapshots: `benchmarks/memory.py` on a small network.

On ResNet-32 and CIFAR-10 anyone can run it: benchmarks/README.md has its table.
"""

import os
import runpy
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from breakeven.jobs.device import memory_mb
from breakeven.spectra.hessian import Hessian
from tests.tiny_pipeline import Pipeline

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "memory.py"
FEW, MANY, MARGIN_MB = 3, 18, 12  # 15 snapshots of this network are 36 MB, their eigenvectors 18


def test_many_snapshots_take_no_more_than_few():
    options = (
        f"--data random --network tiny --images 200 --few {FEW} --many {MANY} --margin-mb {MARGIN_MB} --in-one-process"
    )
    here = os.environ | {"PYTHONPATH": str(PROGRAM.parent.parent)}  # and not what is installed
    command = [sys.executable, PROGRAM, *options.split()]
    said = subprocess.run(command, env=here, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.stdout.splitlines() if "|" in line]
    assert rows[0][-2:] == ["growth", "limit"]
    assert [row[0] for row in rows[2:]] == ["train", "covariance", "hessian", "stability"]
    for stage, _, few, many, growth, limit in rows[2:]:
        assert float(few) > 100 and float(many) < float(limit), stage
        assert float(growth) <= MARGIN_MB, stage


@pytest.mark.parametrize("stage", ["hessian", "density"])
def test_the_graph_of_one_snapshot_is_gone_before_that_of_the_next(stage, tmp_path, monkeypatch):
    alive = []

    class Noted(Hessian):
        def __init__(self, *arguments):
            assert not [one for one in alive if one() is not None]
            alive.append(weakref.ref(self))
            super().__init__(*arguments)

    pipeline = Pipeline(tmp_path)
    pipeline.prepare()
    pipeline.train()
    monkeypatch.setattr(f"breakeven.measurements.{stage}.Hessian", Noted)
    getattr(pipeline, stage)()
    assert len(alive) == 2


def test_the_program_fails_where_memory_grows_or_is_above_its_limit(monkeypatch):
    monkeypatch.syspath_prepend(PROGRAM.parent)
    program = runpy.run_path(str(PROGRAM))
    sys.modules.pop("common", None)
    few = {stage: [300.0, 400.0] for stage in program["STAGES"]}
    many = few | {"train": [300.0, 4100.0], "hessian": [300.0, 421.0]}
    rows, failures = program["table"](few, many, SimpleNamespace(memory_mb=500, margin_mb=20))
    assert rows[1] == ["covariance", "300", "400", "400", "+0", "2500"]
    assert failures == [
        "train takes 4100 MB, more than 4000",
        "train takes 3700 MB more with more snapshots",
        "hessian takes 21 MB more with more snapshots",
    ]


@pytest.mark.parametrize(("rule", "value"), [("train", "TRAIN_MB"), ("measure", "MEASURE_MB")])
def test_the_limits_are_what_the_workflow_asks_for(rule, value, monkeypatch):
    monkeypatch.syspath_prepend(PROGRAM.parent)
    limit = runpy.run_path(str(PROGRAM))[value]
    sys.modules.pop("common", None)
    text = (PROGRAM.parent.parent / "workflow" / "rules" / f"{rule}.smk").read_text(encoding="utf-8")
    assert f"mem_mb=growing({limit}" in text


@pytest.mark.parametrize(("slots", "expected"), [(1, 40_000), (4, 10_000)])
def test_the_memory_of_a_measurement_follows_the_card(monkeypatch, slots, expected):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80_000 << 20))
    assert memory_mb(torch.device("cuda"), slots, 2000) == expected
    assert memory_mb(torch.device("cpu"), slots, 2000) == 2000
