"""What `python -m breakeven status` says of a results folder."""

import errno
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from breakeven.jobs.locks import held, lock_of
from breakeven.jobs.results_folder import FORMAT, LOCK, check_format, end, occupy, read_plan
from breakeven.jobs.status import START, report_status, why
from breakeven.jobs.termination import STOPPED
from breakeven.store.errors import UserError
from breakeven.store.progress import progress, within

PLAN = {
    "config": "config.yaml",
    "started": "2026-11-24T10:00:00+00:00",
    "jobs": [
        {
            "rule": "prepare_dataset",
            "name": "digits",
            "needed": False,
            "outputs": ["data/digits/manifest.json"],
            "log": "logs/p.log",
        },
        *(
            {
                "rule": "train_run",
                "name": run,
                "needed": True,
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


def older(results, *names):
    """These files are from before the plan."""
    planned = (results / "plan.json").stat().st_mtime
    for name in names:
        os.utime(results / name, (planned - 100, planned - 100))


@pytest.fixture
def results(tmp_path, capsys):
    """Data prepared; run a done, b running, c and d failed, e not begun."""
    lock = occupy(tmp_path, PLAN)
    put(tmp_path / "data/digits/manifest.json")
    older(tmp_path, "data/digits/manifest.json")
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
    put(tmp_path / "logs/train/d.log", "train:  10%|#    | 20/200 [00:01<00:09, 20.00 step/s]\n")
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


def test_the_users_name_of_a_data_set_stands_beside_what_is_called_by_its_loader(results):
    plan = json.loads((results / "plan.json").read_text())
    for job in plan["jobs"]:
        job["dataset"] = "stripes" if job["name"] == "c" else ""
    started = (results / "plan.json").stat().st_mtime_ns
    (results / "plan.json").write_text(json.dumps(plan))
    os.utime(results / "plan.json", ns=(started, started))
    assert "  train_run c (stripes)  error: batch_size: 9 is more than" in report_status(results)
    assert f"  train_run d  ended without a word ({results}" in report_status(results)


def test_a_job_that_was_killed_is_not_running(results):
    text = report_status(results)  # the lock of b is held by nobody
    assert "running:" not in text
    assert f"  train_run b  train b on cpu ({results}/logs/train/b.log)" in text


def test_what_is_to_be_made_again_is_not_done(results):
    """Until all of its outputs are new; that it failed in an earlier invocation says nothing of this one."""
    older(results, "runs/a/run.yaml", "logs/train/c.log")
    rows = [line.split() for line in report_status(results).splitlines()]
    assert ["prepare_dataset", "1", "1"] in rows  # which isn't made again
    assert ["train_run", "2", "3", "5"] in rows  # b and d failed, a, c and e are to do
    put(results / "runs/a/run.yaml")
    assert ["train_run", "1", "2", "2", "5"] in [line.split() for line in report_status(results).splitlines()]


def test_progress_within_a_step_is_not_the_progress_of_the_job(results, monkeypatch, capsys):
    monkeypatch.setattr("breakeven.store.progress.SECONDS_BETWEEN_LINES", 0.0)
    steps = progress(range(200), "hessian", unit="snapshot")
    next(steps)
    products = within(range(50), "products with the matrix, at most", unit="product")
    for _ in range(38):
        next(products)
    put(results / "logs/train/b.log", f"measure b\n{capsys.readouterr().err}")
    products.close()
    steps.close()
    assert "  train_run b  measure b (" in report_status(results)
    with held(lock_of(results / "runs/b/training.json"), "writing 'runs/b' (train)"):
        assert "  train_run b  0%, 0/200, unknown time left" in report_status(results)


def test_when_snakemake_has_ended(results):
    (results / LOCK).unlink()
    assert "no snakemake is running in it" in report_status(results)


def test_what_is_done_stays_done_when_snakemake_has_ended(results):
    before = report_status(results)
    end(results)
    assert report_status(results) == before
    assert read_plan(results)["ended"]


def test_whoever_reads_only_the_first_lines(results):
    read, write = os.pipe()
    os.close(read)
    said = subprocess.run(
        [sys.executable, "-m", "breakeven", "status", results], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (said.returncode, said.stderr) == (0, "")


def test_nothing_yet(tmp_path):
    with pytest.raises(
        UserError, match=rf"^nothing was planned in the results folder '{tmp_path}' yet: start snakemake"
    ):
        report_status(tmp_path)


def test_a_damaged_plan_is_named(results):
    (results / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json' can't be read .*: delete it"):
        report_status(results)


def test_a_plan_that_may_not_be_read_is_not_damaged(results, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "plan.json")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(PermissionError):  # see test_trouble.py
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
    put(tmp_path / "new/runs/a/run.yaml")
    check_format(tmp_path / "new")  # a plan may be deleted
    put(results / "plan.json", f'{{"format": {FORMAT + 1}, "version": "9.1", "jobs": []}}')
    with pytest.raises(
        UserError, match=r"written by breakeven 9\.1 \(format 4\), and breakeven .* reads format 3: name another"
    ):
        check_format(results)


def test_a_job_that_begins_or_was_stopped_has_not_failed(results):
    def told():
        return report_status(results)

    (results / "logs/train/d.log").write_text("")
    assert "  train_run d  starting" in told() and "train_run d  ended" not in told()
    os.utime(results / "plan.json", (time.time() - 2 * START,) * 2)
    os.utime(results / "logs/train/d.log", (time.time() + 10 - START,) * 2)
    assert "starting" in told()
    os.utime(results / "logs/train/d.log", (time.time() - 1 - START,) * 2)
    assert "  train_run d  ended without a word" in told()
    for words in (
        "ended by a signal after step 400; the same command goes on from there",
        f"{STOPPED}; again",
        "KeyboardInterrupt",
    ):
        (results / "logs/train/d.log").write_text(f"train d on cpu\n{words}\n")
        assert "train_run d" not in told()


def test_the_error_of_a_traceback_is_told_whole(tmp_path):
    log = tmp_path / "job.log"
    frames = 'Traceback (most recent call last):\n  File "own.py", line 3, in forward\n    raise error\n'
    log.write_text(
        f"train a on cpu\n{frames}KeyError: 'x'\n\nDuring handling\n\n{frames}RuntimeError: late\nwith two lines\n"
    )
    assert why(log) == "RuntimeError: late with two lines"
    log.write_text(f"{frames}RuntimeError: {'long ' * 1000}")
    assert len(why(log)) == 400


def test_a_config_is_no_results_folder(tmp_path):
    config = tmp_path / "my.yaml"
    config.write_text("results: mine\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"'.*my\.yaml' is a file; give the results folder, which a config names"):
        report_status(config)
