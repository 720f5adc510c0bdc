"""Each stage tells what it does when it begins, and how much time is left wherever something takes more than seconds."""

import contextlib
import io
import re
import time

import pytest
import torch

from breakeven.data.prepare import prepare
from breakeven.store import progress
from tests.tiny_pipeline import Pipeline

# each stage, what it says, and the loops that say how much time is left where they take long
STAGES = {
    "prepare": (["prepare digits in", "prepared 1437 training and 360 test examples"], ["mean and standard deviation"]),
    "train": (["train digits-simple_cnn"], ["train", "evaluate", "check data.safetensors"]),
    "covariance": ([], ["covariance", "gradients"]),
    "K of single examples": ([], ["covariance", "gradients", "inner products"]),
    "hessian": ([], ["hessian", "gradients of the loss", "products with the matrix, at most", "trace"]),
    "stability": ([], ["stability", "curvatures", "losses along the step, at most"]),
    "assumptions": ([], ["assumptions", "gradients", "losses along the line", "derivatives along the line"]),
    "locate": (["no steps to measure: there is no break-even point"], []),
    "density": ([], ["density", "products with the matrix, at most"]),
    "sharpness": ([], ["sharpness", "mini-batches, at most", "the whole gradient"]),
    "blocks": ([], ["blocks", "products with the matrix, at most"]),
    "predictions": ([], ["predictions", "test set"]),
    "embed": (["lay out 4 snapshots by UMAP: half a minute, and more for thousands"], ["read predictions"]),
    "summarise": ([], ["read tables"]),
    "claims": ([], ["test claims"]),
    "bundle": (["bundle what draws figures in a browser", "bundled: "], []),
    "plot": (["draw lambda_H of study rates", "drawn: "], []),
    "report": (["the report is "], ["report"]),
}


def logs_of(pipeline):
    """What each stage writes to its log."""
    stages = {name: getattr(pipeline, name, None) for name in STAGES}
    stages["prepare"] = lambda: prepare({"loader": "digits"}, pipeline.results / "digits")
    stages["K of single examples"] = lambda: pipeline.covariance(batch_size=1)
    logs = {}
    pipeline.prepare()
    pipeline.run_stages(1)  # the study's other run
    for name, stage in stages.items():
        with contextlib.redirect_stderr(io.StringIO()) as log:
            stage()
        logs[name] = log.getvalue()
    return logs


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Where nothing is too short to tell."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
        return logs_of(Pipeline(tmp_path_factory.mktemp("told") / "results"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_tells(stage, logs):
    said, loops = STAGES[stage]
    lines = logs[stage].splitlines()
    assert lines and not re.search(r"[\r\x1b]", logs[stage])
    for start in said:
        assert [line for line in lines if line.startswith(start)], logs[stage]
    for loop in loops:
        with_time_left = rf" *{loop}: +\d+%\|.*\| \d+/\d+ \[\d\d:\d\d<\d\d:\d\d, .*\]"
        assert [line for line in lines if re.fullmatch(with_time_left, line)], f"{loop}:\n{logs[stage]}"


def test_parts_of_an_item_are_shown_only_where_it_takes_long(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.05)
    assert list(progress.within(range(3), "parts", unit="part")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    for _ in progress.within(range(3), "parts", unit="part"):
        time.sleep(0.04)
    lines = capsys.readouterr().err.splitlines()
    assert lines and re.match(r"  parts: +\d+%\|.*\d/3 \[", lines[0])
