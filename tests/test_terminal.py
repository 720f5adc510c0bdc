"""What our logger plugin says of the records that Snakemake logs."""

import io
import logging
import re

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase
from tqdm import tqdm

from breakeven.jobs.locks import held, lock_of
from snakemake_logger_plugin_breakeven import LogHandler
from snakemake_logger_plugin_breakeven.ending import told_at_the_end
from snakemake_logger_plugin_breakeven.invocation import Invocation
from snakemake_logger_plugin_breakeven.plan import told_of_plan
from snakemake_logger_plugin_breakeven.screen import Lines, Terminal
from snakemake_logger_plugin_breakeven.words import duration, shortened

RUN = "digits-simple_cnn-lr0.1-bs128-seed0-cec35989d5"


def record(event=None, message="", level=logging.INFO, **said):
    made = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    made.__dict__ |= said | ({} if event is None else {"event": event})
    return made


class Told:
    """An invocation with a clock that is set, and what it says."""

    def __init__(self, folder, planned):
        self.folder, self.now, self.lines = folder, 0.0, []
        self.invocation = Invocation(lambda: self.now)
        self.hear(LogEvent.RUN_INFO, stats={**planned, "all": 1, "total": sum(planned.values()) + 1})

    def hear(self, *arguments, **said):
        self.lines += self.invocation.heard(record(*arguments, **said))

    def start(self, number, rule, name=RUN, reason="Missing output files: x"):
        self.hear(
            LogEvent.JOB_INFO,
            jobid=number,
            rule_name=rule,
            wildcards={"run": name} if name else {},
            reason=reason,
            log=[str(self.folder / f"logs/{number}.log")],
            output=[str(self.folder / f"{number}.csv")],
        )

    def finish(self, number):
        self.hear(LogEvent.JOB_FINISHED, job_id=number)

    def fail(self, number, *words):
        log = self.folder / f"logs/{number}.log"
        log.parent.mkdir(exist_ok=True)
        if words:
            log.write_text("\n".join(words))
        self.hear(LogEvent.ERROR, "RuleException:\nCalledProcessError in file x", logging.ERROR)
        self.hear(LogEvent.JOB_ERROR, "Error in rule", logging.ERROR, jobid=number, rule_msg=None)


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path, {"prepare_dataset": 1, "train_run": 2, "write_report": 1})


def all_done(told):
    for number, (rule, name) in enumerate(
        (("prepare_dataset", "digits"), ("train_run", RUN), ("train_run", "b"), ("write_report", ""))
    ):
        told.start(number, rule, name)
        told.now += 10
        told.finish(number)


def test_what_all_jobs_done_says(told):
    all_done(told)
    told.hear(None, "The report is in results/report.html", for_user=True)
    told.hear(None, "Elapsed time: 0:00:40")
    assert told.lines == []
    assert told_at_the_end(told.invocation) == ["4 jobs done in 40 s.", "The report is in results/report.html"]


def test_what_our_rules_say_before_the_jobs_comes_at_once(told):
    told.hear(None, "3 of 4 results are of other settings", for_user=True)
    assert told.lines == ["3 of 4 results are of other settings"]


def test_a_line_for_each_job_in_a_file(told):
    stream = io.StringIO()
    lines = Lines(stream)
    told.start(0, "prepare_dataset", "digits")
    lines.draw(told.invocation)
    told.now += 10
    told.finish(0)
    lines.draw(told.invocation)
    lines.draw(told.invocation)
    assert stream.getvalue() == "1 of 4 jobs: prepare_dataset digits  (about 30 s left)\n"
    for number, rule in enumerate(("train_run", "train_run", "write_report"), 1):
        told.start(number, rule, f"x{number}")
        told.finish(number)
    lines.draw(told.invocation)
    assert stream.getvalue().splitlines()[-1] == "4 of 4 jobs: write_report x3"


def test_a_failure_is_a_sentence_at_once_and_with_its_log_at_the_end(told):
    told.start(0, "prepare_dataset", "digits")
    told.finish(0)
    told.start(1, "train_run")
    told.fail(1, "train on cpu", "error: learning_rate: far too large")
    assert told.lines == []
    told.now += 1
    told.start(2, "train_run", "b")
    sentence = f"train_run {RUN}: learning_rate: far too large"
    assert told.lines == [f"failed: {sentence}"]
    told.finish(2)
    told.hear(None, "Exiting because a job execution failed. Look above for error messages", logging.ERROR)
    told.hear(None, "Complete log(s): /elsewhere/1.snakemake.log")
    told.hear(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    assert told.lines == [f"failed: {sentence}"]
    assert told_at_the_end(told.invocation) == [
        "2 of 4 jobs done in 1 s; 1 failed, and 1 that follow from them were left:",
        f"  train_run {RUN}",
        "    learning_rate: far too large",
        f"    {told.folder}/logs/1.log",
        "Mend the cause and type the same command again: what is done stays.",
        "All that Snakemake said: /elsewhere/1.snakemake.log",
    ]


def test_a_job_that_is_tried_again_and_succeeds_has_not_failed(told):
    told.start(1, "train_run")
    told.fail(1, "error: the node went down")
    told.now += 2
    told.start(1, "train_run")
    told.finish(1)
    assert told.lines[0].endswith("the node went down") and not told.invocation.failed


def test_a_job_that_left_no_log(told):
    told.start(1, "train_run")
    told.hear(LogEvent.JOB_ERROR, "", logging.ERROR, jobid=1, rule_msg="SLURM status is:\n 'TIMEOUT'")
    lines = told_at_the_end(told.invocation)
    assert lines[lines.index(f"  train_run {RUN}") + 1] == "    SLURM status is: 'TIMEOUT'"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("train on cuda", "SLURM status is: 'TIMEOUT' (train on cuda)"),
        ("error: learning_rate: too large", "learning_rate: too large"),
    ],
)
def test_a_job_that_the_cluster_ended(told, words, sentence):
    told.start(1, "train_run", "a")
    (told.folder / "logs").mkdir()
    (told.folder / "logs/1.log").write_text(words)
    told.hear(
        LogEvent.JOB_ERROR, "", logging.ERROR, jobid=1, rule_msg="SLURM status is: 'TIMEOUT'. For more, see there."
    )
    lines = told_at_the_end(told.invocation)
    assert lines[lines.index("  train_run a") + 1] == f"    {sentence}"


def test_many_failures_are_cut(told):
    for number in range(13):
        told.start(number, "train_run", f"run{number}")
        told.fail(number, "error: no")
    lines = told_at_the_end(told.invocation)
    assert lines[0].startswith("0 of 4 jobs done") and f"  and 3 more: breakeven status {told.folder}" in lines
    assert len(lines) == 1 + 3 * 10 + 2


def test_who_stops_it_reads_what_to_do_and_no_failures(told):
    told.start(0, "prepare_dataset", "digits")
    told.fail(0, "prepare digits")
    told.hear(None, "Terminating processes on user request, this might take some time.")
    told.now += 5
    told.hear(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR)
    assert told.lines == ["Stopping: jobs that run save where they are."]
    assert told_at_the_end(told.invocation) == ["Stopped with 0 of 4 jobs done: the same command goes on from here."]


def test_a_sigterm_lets_jobs_end(told):
    told.start(0, "prepare_dataset", "digits")
    told.hear(None, "Will exit after finishing currently running jobs (scheduler).")
    assert told.lines == ["Stopping: no more jobs begin, those that run go on to their end."]
    assert told_at_the_end(told.invocation) == ["Stopped with 0 of 4 jobs done: the same command goes on from here."]


def test_what_ended_before_its_first_job_says_no_more_than_why(told):
    assert told.invocation.total == 4 and told_at_the_end(told.invocation) == []


def test_warnings_and_errors_that_are_of_no_job_are_said(told):
    told.hear(None, "the cluster is slow", logging.WARNING)
    told.hear(LogEvent.ERROR, "MissingRuleException:\nno rule to make x", logging.ERROR)
    told.hear(LogEvent.ERROR, "RuleException:\nMissingOutputException in rule x", logging.ERROR)
    assert told.lines == [
        "the cluster is slow",
        "MissingRuleException:\nno rule to make x",
        "RuleException:\nMissingOutputException in rule x",
    ]


def test_other_commands_of_snakemake_say_what_they_say():
    invocation = Invocation()
    for message in ("Building DAG of jobs...", "Unlocking working directory."):
        assert list(invocation.heard(record(None, message))) == []
    assert told_at_the_end(invocation) == told_of_plan(invocation) == ["Unlocking working directory."]


def test_nothing_to_be_done():
    invocation = Invocation()
    message = "Nothing to be done (all requested files are present and up to date)."
    assert list(invocation.heard(record(None, message))) == [message]
    assert told_at_the_end(invocation) == told_of_plan(invocation) == []


def test_nothing_to_be_done_of_a_part_of_the_jobs(tmp_path):
    """By --until: Snakemake itself says so of the whole alone."""
    told = Told(tmp_path, {})
    assert told_at_the_end(told.invocation) == told_of_plan(told.invocation) == ["Nothing to be done."]


# ---------------------------------------------------------------- a dry run


def test_a_dry_run_is_a_table_by_rule_and_the_runs(tmp_path):
    told = Told(tmp_path, {"prepare_dataset": 1, "train_run": 11, "write_report": 1})
    told.hear(None, "1 of 4 results are of other settings", for_user=True, changed=[str(tmp_path / "12.csv")])
    told.start(0, "prepare_dataset", "digits", "Forced execution")
    for number in range(1, 12):
        told.start(
            number, "train_run", f"run{number:02}", "Missing output files: a; Input files updated by another job: b"
        )
    told.start(12, "write_report", "", "Input files updated by another job: c")
    told.start(13, "evaluate_claims", "", "Input files updated by another job: c")
    told.start(14, "all", "", "Input files updated by another job: d")
    assert told.lines == ["1 of 4 results are of other settings"]
    assert told_of_plan(told.invocation) == [
        "14 jobs to do:",
        "                     new    again  follows",
        "prepare_dataset                 1",
        "train_run             11",
        "write_report                    1",
        "evaluate_claims                          1",
        "new: not there yet",
        "again: of other settings, code, data or files than now, or asked for",
        "follows: of what is made again",
        "runs to train:",
        *(f"  run{number:02}" for number in range(1, 9)),
        "  and 3 more",
        "This was a dry run: nothing was done. With -p it shows each job.",
    ]


# ---------------------------------------------------------------- the time left


def test_the_time_left_is_by_rule_and_by_how_many_run_at_a_time(tmp_path):
    told = Told(tmp_path, {"train_run": 4, "plot_figure": 10})
    assert told.invocation.seconds_left() is None and told.invocation.left() == ""
    told.start(0, "train_run", "a")
    told.start(1, "train_run", "b")
    told.now = 100
    told.finish(0)
    told.finish(1)
    told.start(2, "plot_figure", "c")
    told.now = 102
    told.finish(2)
    # two trainings of 100 s and nine figures of 2 s, where 202 s of jobs took 102 s
    assert told.invocation.seconds_left() == pytest.approx((2 * 100 + 9 * 2) / (202 / 102))
    told.start(3, "train_run", "d")
    told.start(4, "train_run", "e")
    told.now = 152
    # both are half done, so that 100 s of trainings are left; 302 s of jobs took 152 s
    assert told.invocation.seconds_left() == pytest.approx((100 + 9 * 2) / (302 / 152))


def test_durations_and_names():
    assert [duration(seconds) for seconds in (0.2, 59, 100, 3600, 7800, 100_000)] == [
        *("1 s", "59 s", "2 min", "1 h", "2 h 10 min", "1 d 3 h")
    ]
    assert shortened(RUN, 20) == "digits-sim…cec35989d5"[:10] + "…" + "ec35989d5"
    assert [len(shortened(RUN, width)) for width in (0, 1, 2, 3, 4, 20, 46, 80)] == [0, 1, 2, 3, 4, 20, 46, 46]


# ---------------------------------------------------------------- a terminal


def screen_of(text, columns):
    """The lines that a terminal shows after ``text``, each cut at its width: a line that wraps is seen as one too long."""
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[A|\r|\n|[^\x1b\r\n]+", text):
        if part == "\x1b[A":
            row -= 1
        elif part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        else:
            rows[row] = rows[row].ljust(column)[:column] + part + rows[row][column + len(part) :]
            column += len(part)
    assert all(len(line.rstrip()) < columns + 1 for line in rows), rows
    return [line.rstrip() for line in rows if line.strip()]


def test_a_bar_and_what_runs_below_it_which_never_wrap(told, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")
    stream = io.StringIO()
    terminal = Terminal(stream)
    told.start(0, "prepare_dataset", "digits")
    told.now += 10
    told.finish(0)
    told.start(1, "train_run")
    told.start(2, "train_run", "b")
    told.now += 10
    told.start(3, "write_report", "")
    (told.folder / "logs").mkdir()
    (told.folder / "logs/1.log").write_text("train: 45%|####      | 45/100 [00:10<01:12,  1.0s/ step]\n")
    with held(lock_of(told.folder / "1.csv"), "training"):
        terminal.draw(told.invocation)
        lines = screen_of(stream.getvalue(), 60)
        assert re.fullmatch(r"1 of 4 \|.*\| 25 %, about 7 s left", lines[0])
        assert lines[1:] == [
            "  train_run digit…seed0-cec35989d5  45%, 45/100, 01:12 left",
            "  write_report",
            "  1 waiting to start",
        ]
        terminal.say("failed: something")
        terminal.draw(told.invocation)
    assert screen_of(stream.getvalue(), 60)[0] == "failed: something"
    terminal.clear()
    assert screen_of(stream.getvalue(), 60) == ["failed: something"]
    assert not tqdm._instances


# ---------------------------------------------------------------- the plugin


class TestPlugin(TestLogHandlerBase):
    """What Snakemake's interface asks of a plugin."""

    __test__ = True

    def get_log_handler_cls(self):
        return LogHandler

    def get_log_handler_settings(self):
        return None


def settings(**given):
    made = MockOutputSettings()
    made.printshellcmds = made.show_failed_logs = False
    made.__dict__ |= given
    return made


@pytest.mark.parametrize("flag", ["verbose", "printshellcmds", "debug_dag", "quiet", "show_failed_logs"])
def test_snakemakes_own_flags_bring_its_own_output_back(capsys, flag):
    handler = LogHandler(settings(**{flag: True}), None)
    assert not handler.writes_to_stream
    handler.handle(record(None, "a warning", logging.WARNING))
    handler.close()
    assert capsys.readouterr() == ("", "")


def test_it_writes_to_standard_error_and_a_dry_run_to_standard_output(capsys):
    for dryrun in (False, True):
        handler = LogHandler(settings(dryrun=dryrun, stdout=dryrun), None)
        assert handler.writes_to_stream
        handler.handle(record(None, "a warning", logging.WARNING))
        handler.close()
        assert capsys.readouterr() == (("a warning\n", "") if dryrun else ("", "a warning\n"))
