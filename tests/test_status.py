"""What `python -m breakeven status` says of a results folder."""

import re

import pytest

from breakeven.errors import UserError
from breakeven.locks import held, lock_of
from breakeven.progress import progress
from breakeven.results_folder import FORMAT, LOCK, check_format, occupy, read_plan
from breakeven.status import report_status

PLAN = {
    "config": "config.yaml",
    "started": "2026-11-24T10:00:00+00:00",
    "jobs": [
        {"rule": "prepare_dataset", "name": "digits", "outputs": ["data/digits/manifest.json"], "log": "logs/p.log"},
        *(
            {
                "rule": "train_run",
                "name": run,
                "outputs": [f"runs/{run}/run.yaml", f"runs/{run}/training.json"],
                "log": f"logs/train/{run}.log",
            }
            for run in ("a", "b", "c", "d", "e")
        ),
    ],
}


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def results(tmp_path, capsys):
    """Data prepared; run a done, b running, c and d failed, e not begun."""
    lock = occupy(tmp_path, PLAN)
    put(tmp_path / "data/digits/manifest.json")
    for name in ("run.yaml", "training.json"):
        put(tmp_path / "runs/a" / name)
    capsys.readouterr()
    steps = progress(range(200), "train", unit="step")
    for _ in range(51):
        next(steps)
    steps.close()
    put(tmp_path / "logs/train/b.log", f"train b on cpu\n{capsys.readouterr().err}")
    put(tmp_path / "logs/train/c.log", "train c on cpu\nerror: batch_size: 9 is more than the 8 training examples\n")
    put(tmp_path / "runs/d/run.yaml")
    put(tmp_path / "logs/train/d.log")
    yield tmp_path
    lock.release()


def test_a_results_folder_at_work(results):
    with held(lock_of(results / "runs/b/training.json"), "writing 'runs/b' (train)"):
        head, table, running, failed = report_status(results).split("\n\n")
    assert re.match(
        rf"{results}: planned from config.yaml at 2026-11-24T10:00:00\+00:00; process \d+ on .* since 20", head
    )
    rows = [line.split() for line in table.splitlines()]
    assert rows == [
        ["done", "running", "failed", "to", "do", "of"],
        ["prepare_dataset", "1", "1"],
        ["train_run", "1", "1", "2", "1", "5"],
    ]
    assert re.fullmatch(r"running:\n  train_run b  25%, 50/200, [\d:]+ left", running)
    assert failed == (
        "failed:\n"
        f"  train_run c  error: batch_size: 9 is more than the 8 training examples ({results}/logs/train/c.log)\n"
        f"  train_run d  ended without a word ({results}/logs/train/d.log)"
    )


def test_a_job_that_was_killed_is_not_running(results):
    text = report_status(results)  # the lock of b is held by nobody
    assert "running:" not in text
    assert f"  train_run b  train b on cpu ({results}/logs/train/b.log)" in text


def test_when_snakemake_has_ended(results):
    (results / LOCK).unlink()
    assert "no snakemake is running in it" in report_status(results)


def test_nothing_yet(tmp_path):
    with pytest.raises(
        UserError, match=rf"^nothing was planned in the results folder '{tmp_path}' yet: start snakemake"
    ):
        report_status(tmp_path)


def test_a_damaged_plan_is_named(results):
    (results / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json' can't be read .*: delete it"):
        report_status(results)


def test_one_invocation_at_a_time(results):
    with pytest.raises(
        UserError, match=rf"^process \d+ on .* is running snakemake in the results folder '{results}' since"
    ):
        occupy(results, PLAN | {"config": "other.yaml"})
    assert read_plan(results)["config"] == "config.yaml"  # and it is left alone


def test_the_format_of_the_results(results, tmp_path):
    check_format(results)
    check_format(tmp_path / "new")
    put(results / "plan.json", f'{{"format": {FORMAT + 1}, "version": "9.1", "jobs": []}}')
    with pytest.raises(
        UserError, match=r"written by breakeven 9\.1 \(format 2\), and breakeven .* reads format 1: name another"
    ):
        check_format(results)
    (results / "plan.json").unlink()
    with pytest.raises(UserError, match=r"written by an earlier version of breakeven \(format 0\)"):
        check_format(results)
