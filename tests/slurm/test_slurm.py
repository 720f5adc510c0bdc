"""The study on a real Slurm: what the jobs ask for, what becomes of those that fail, and the same tables as here."""

import re
from pathlib import Path

import pytest

from tests.slurm.night import GPU_RULES, slurm_log
from tests.workflow.project import OF_H, Project

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]

EVENING, NIGHT, MORNING = range(3)
FAILED = re.compile(r"SLURM-job '(\d+)' failed.*SLURM status is: '(\w+)'")


def test_a_study_runs_through_slurm_up_to_the_report(night):
    assert night.codes[EVENING] == 0, night.said[EVENING]
    submitted = {int(job) for job in re.findall(r"submitted with SLURM jobid (\d+)", night.said[EVENING])}
    jobs = [job for job in night.jobs if job.run == night.first_run]
    assert {job.id for job in jobs} == submitted
    assert sorted(job.rule for job in jobs) == sorted(GPU_RULES)  # everything else is local
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert "The report is in results/report.html" in night.said[EVENING]


def test_jobs_ask_for_what_their_rules_need(night):
    first = [job for job in night.jobs if job.run == night.first_run]
    assert {(job.partition, job.account) for job in night.jobs} == {("night", "root")}  # of the profile, one place
    assert {(job.cpus, job.gpus, job.mem_mb, job.minutes) for job in first} == {(2, 1, 4000, 240)}


def test_a_job_sees_the_gpu_that_slurm_gave_it(night):
    assert len(night.devices) >= 4 + 3 + 2 + 2  # of the evening, the night and morning
    assert set(night.devices.values()) == {"0"}  # each node has one


def test_a_job_waits_for_a_drained_node_and_slurm_says_so(night):
    assert "DRAINED" in night.waiting


def test_a_training_that_was_cancelled_and_one_past_its_time_are_retried_with_more(night):
    attempts = night.attempts("train_run", night.second_run)
    assert [job.state for job in attempts] == ["CANCELLED", "TIMEOUT", "COMPLETED"]
    assert [job.mem_mb for job in attempts] == [4000, 8000, 12000]
    assert [attempts[0].minutes, attempts[2].minutes] == [240, 720]  # the other's end was moved, and its limit with it
    log = Path(night.folder, f"results/logs/train/{night.second_run}.log").read_text(encoding="utf-8")
    assert "from step 2 to 4" in log  # each attempt made one step, and its checkpoint was found


def test_a_job_out_of_memory_is_retried_with_more(night):
    first, second, *others = night.attempts("measure_covariance", night.second_run)
    assert not others
    assert first.state in ("FAILED", "OUT_OF_MEMORY") and second.state == "COMPLETED"
    assert first.mem_mb == 300 and second.mem_mb == 4000
    assert "exceeded memory limit" in log_of(night, first).read_text(encoding="utf-8")


def test_a_job_whose_node_went_down_is_retried_on_another(night):
    first, second, *_ = night.attempts("measure_hessian", night.second_run)
    assert first.state == "NODE_FAIL"
    assert first.node != second.node


def test_every_failure_is_a_line_with_its_logs(night):
    failed = [job for job in night.jobs if job.state != "COMPLETED"]
    said = night.said[NIGHT]
    assert {(int(job), state) for job, state in FAILED.findall(said)} == {(job.id, job.state) for job in failed}
    for job in failed:
        stage = "train" if job.rule == "train_run" else job.rule.removeprefix("measure_")
        log = log_of(night, job)
        assert f"log: results/logs/{stage}/{job.run}.log, {log} " in said
        assert log.exists()
    assert set(Path(night.folder, "logs/slurm").rglob("*.log")) == {log_of(night, job) for job in failed}


def test_snakemake_gives_up_after_three_attempts_and_the_next_call_finishes_the_study(night):
    hessian = night.attempts("measure_hessian", night.second_run)
    assert [job.state for job in hessian] == ["NODE_FAIL", "CANCELLED", "CANCELLED", "COMPLETED"]
    assert night.codes[NIGHT] == 1 and "write_report" not in executed(night.said[NIGHT])
    assert night.codes[MORNING] == 0, night.said[MORNING]
    again = executed(night.said[MORNING])
    assert {rule for rule in again if rule in GPU_RULES} == set(OF_H)
    assert "write_report" in again


def test_the_tables_are_those_of_a_local_run(night):
    here, there = Project(Path(night.local)).tables(), Project(Path(night.folder)).tables()
    assert len(here) > 2 * 4  # tables of two runs
    assert there == here
    assert {path.name for path in Path(night.folder, "results/state").glob("*/*")} == {
        "checkpoint.safetensors",
        "took.json",
    }


def test_the_finished_study_has_nothing_to_do_where_it_is_run_here(night):
    assert Project(Path(night.folder)).plan() == set()


def log_of(night, job):
    return slurm_log(Path(night.folder), job.rule, job.run, job.id)


def executed(said):
    """The rules of which Snakemake started jobs."""
    return set(re.findall(r"^(?:local)?rule (\w+):$", said, re.MULTILINE))
