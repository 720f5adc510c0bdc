"""What a job must not import: half of the time of a small study was starting Python."""

import re
import subprocess
import sys

import pytest

from breakeven.specs.run import canonical_json
from tests.tiny import tiny_dataset, tiny_spec

SLOW = {
    "pandas",
    "sympy",
    "sklearn",
    "torch._dynamo",
    "scipy.optimize",
    "altair",
    "vl_convert",
    "pydantic",
    "snakemake",
}
# what each needs
NEEDS = {"train": set(), "covariance": set(), "hessian": set(), "stability": {"scipy.optimize"}}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """All modules that each stage has imported at its end, from Python's own account."""
    folder = tmp_path_factory.mktemp("imports")
    data, out = tiny_dataset(folder / "data"), folder / "results/runs/run"
    arguments = {
        "train": [
            "--spec",
            canonical_json(tiny_spec(momentum=0.5, weight_decay=0.1)),
            "--out",
            out,
            "--state",
            folder / "state",
        ],
        **{stage: ["--run", out, "--out", out / f"{stage}.csv"] for stage in ("covariance", "hessian", "stability")},
    }
    arguments = {stage: [*given, "--data", data] for stage, given in arguments.items()}
    arguments["covariance"] += ["--batch-size", "3"]
    found = {}
    for stage, given in arguments.items():
        command = [sys.executable, "-X", "importtime", "-m", "breakeven", stage, *map(str, given)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        found[stage] = set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))
    return found


@pytest.mark.parametrize("stage", NEEDS)
def test_a_stage_imports_nothing_slow_in_vain(stage, imported):
    assert "breakeven.commands" in imported[stage]
    assert imported[stage] & SLOW == NEEDS[stage]
