"""The numbers of the teaching script are those of the pipeline: the same weights, λ_H^1, s², Eq. 1 and break-even point."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch
import yaml

from breakeven.data.prepare import prepare
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.measured import measured_snapshots
from breakeven.measurements.stability import measure_stability
from breakeven.specs.run import RunSpec, Segment
from breakeven.specs.schedule import first_unstable
from breakeven.spectra import equation_1
from breakeven.store.tables import read_table
from breakeven.training.train import train

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
STEPS, EVERY = 100, 50  # the break-even point is at the last


@pytest.fixture(scope="module")
def minimal():
    spec = importlib.util.spec_from_file_location("minimal", ROOT / "docs" / "minimal.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.STEPS, module.EVERY = STEPS, EVERY
    return module


@pytest.fixture(scope="module")
def script(minimal):
    """What the script prints and returns, and the weights at each measured step."""
    inputs, labels, _ = minimal.digits()
    model = minimal.network()
    weights = {step: minimal.flat(model) for step in minimal.train(model, inputs, labels)}
    return *minimal.main(), weights


@pytest.fixture(scope="module")
def run(minimal, tmp_path_factory):
    """The folder of the same run of the default study by the pipeline, shorter, with a more exact eigensolver."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    study = config["studies"]["learning_rate"]
    base, dataset = study["base"], config["datasets"][study["base"]["dataset"]]
    assert minimal.ETA in study["sweeps"]["learning_rate"] and minimal.SEED in study["seeds"]
    spec = RunSpec(
        dataset=dataset,
        network=base["network"],
        network_options=base["network_options"],
        learning_rate=minimal.ETA,
        batch_size=base["batch_size"],
        snapshots=(Segment(minimal.EVERY),),
        seed=minimal.SEED,
        steps=STEPS,
    )
    folder = tmp_path_factory.mktemp("minimal")
    data, out = folder / "data", folder / "run"
    prepare(dataset, data)
    train(spec, data, out, folder / "state", CPU, "code")
    common = {"batch_size": config["measurements"]["hessian"]["batch_size"], "precision": "float64"}
    settings = common | {"eigenvalues": 1, "tolerance": 1e-7, "max_matvecs": 200, "trace_probes": 2}
    measure_hessian(out, data, out / "hessian.csv", CPU, 2000.0, **settings)
    measure_stability(out, data, out / "stability.csv", CPU, **common)
    return folder


def test_the_weights(minimal, script, run):
    """Bit by bit: the same examples, normalised alike, in the same order, through the same network."""
    _, _, weights = script
    steps = []
    for each in measured_snapshots(run / "run", run / "data", "float32", CPU, "weights"):
        assert torch.equal(minimal.flat(each.model), weights[each.step])
        steps.append(each.step)
    assert steps == list(weights) == list(range(0, STEPS + 1, minimal.EVERY))


def test_the_measured_numbers(script, run):
    """λ to the square of the residual (1e-3 of λ) or float32; s² to the residual itself; Eq. 1 to what s² does to it."""
    rows, _, _ = script
    table = read_table(run / "run" / "stability.csv")
    assert read_table(run / "run" / "hessian.csv")["converged"].all()
    expected = table[["step", "lambda_1", "curvature_variance", "stability_lhs"]].to_numpy()
    for (step, curvature, variance, side), (measured_step, *measured) in zip(rows, expected, strict=True):
        assert step == measured_step
        assert curvature == pytest.approx(measured[0], rel=1e-5)
        assert variance == pytest.approx(measured[1], rel=2e-3)
        assert side == pytest.approx(measured[2], rel=1e-4)


def test_equation_1(minimal):
    for curvature, variance in ((2.4, 10.5), (99.8, 4120.0), (-1.0, 0.0)):
        expected = equation_1.left_hand_side(minimal.ETA, minimal.S, 1437, curvature, variance)
        assert minimal.left_hand_side(curvature, variance, 1437) == pytest.approx(expected, rel=1e-14)


def test_the_break_even_point(script, run):
    _, point, _ = script
    table = read_table(run / "run" / "stability.csv")
    assert point[0] == first_unstable(zip(table["step"], table["stability_lhs"], strict=True)) == 100


def test_what_a_reader_sees(minimal, capsys, monkeypatch):
    monkeypatch.setattr(minimal, "STEPS", 0)
    minimal.main()
    printed = capsys.readouterr().out
    assert "(1 − η λ)² + s² η² (N − S) / (S (N − 1)) ≤ 1" in printed
    assert (
        re.search(r"^    0    2\.37 +10\.[56]   0\.863$", printed, re.MULTILINE) and "No break-even point." in printed
    )


def test_it_is_short_and_needs_nothing_of_the_package():
    source = (ROOT / "docs" / "minimal.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150
    assert "breakeven" not in source.replace("break-even", "")
