"""The pipeline from any folder: which Snakemake is started, and which configs come with the package."""

import sys

import pytest

from breakeven import launch
from breakeven.__main__ import main
from breakeven.commands import parse
from breakeven.jobs.pipeline_folder import pipeline_folder

CONFIGS = pipeline_folder() / "workflow/configs"
PROFILES = pipeline_folder() / "profiles"


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Calls the command line in an empty folder, which holds ``mine.yaml``: the arguments of the Snakemake that it becomes."""
    (tmp_path / "mine.yaml").write_text("studies: {}\n")
    (tmp_path / "config.yaml").write_text("studies: {}\n")
    monkeypatch.chdir(tmp_path)
    commands = []
    monkeypatch.setattr(launch.os, "execv", lambda program, command: commands.append((program, command)))

    def call(*arguments):
        assert main(["run", *arguments]) == 0
        program, command = commands.pop()
        beginning = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(pipeline_folder() / "Snakefile")]
        assert program == sys.executable and command[: len(beginning)] == beginning
        assert command[len(beginning)] == "--configfile"
        return command[len(beginning) + 1 :]

    return call


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["config.yaml", "--cores", "all"]),
        (["-n"], ["config.yaml", "--cores", "all", "-n"]),
        (["mine.yaml"], ["mine.yaml", "--cores", "all"]),
        (["mine.yaml", "--cores", "2", "results/report.html"], ["mine.yaml", "--cores", "2", "results/report.html"]),
        (["mine.yaml", "-c1"], ["mine.yaml", "-c1"]),
        (["mine.yaml", "--cores=1"], ["mine.yaml", "--cores=1"]),
        (["mine.yaml", "--config", "device=cpu"], ["mine.yaml", "--cores", "all", "--config", "device=cpu"]),
        (["smoke"], [str(CONFIGS / "smoke.yaml"), "--cores", "all"]),
        (["config"], [str(pipeline_folder() / "config.yaml"), "--cores", "all"]),
        (
            ["smoke", "--workflow-profile", "slurm"],
            [str(CONFIGS / "smoke.yaml"), "--workflow-profile", str(PROFILES / "slurm")],
        ),
        (
            ["smoke", "--workflow-profile=gpu"],
            [str(CONFIGS / "smoke.yaml"), f"--workflow-profile={PROFILES / 'gpu'}"],
        ),
        (["smoke", "--workflow-profile", "mine"], [str(CONFIGS / "smoke.yaml"), "--workflow-profile", "mine"]),
    ],
)
def test_run_becomes_snakemake(started, arguments, expected):
    assert started(*arguments) == expected


def test_a_profile_of_the_users_own_comes_first(started, tmp_path):
    (tmp_path / "slurm").mkdir()
    assert started("mine.yaml", "--workflow-profile", "slurm")[-1] == "slurm"


def test_what_is_no_config_is_told(started, capsys):
    assert main(["run", "cifar10-simplecnn"]) == 1
    said = capsys.readouterr().err
    assert "there is no file 'cifar10-simplecnn'" in said and "did you mean 'cifar10-simple_cnn'?" in said
    assert main(["new", "other.yaml", "--like", "nothing"]) == 1
    assert "'nothing' is no config of the package; allowed: config, cifar10-" in capsys.readouterr().err
    assert main(["new", "mine.yaml"]) == 1
    assert "there is a file 'mine.yaml' already" in capsys.readouterr().err


def test_only_run_hands_its_arguments_on(capsys):
    assert parse(["run", "a.yaml", "-n", "x"]).snakemake == ["-n", "x"]
    with pytest.raises(SystemExit):
        parse(["check", "a.yaml", "-n"])
    with pytest.raises(SystemExit) as ending:
        parse(["run", "--cores", "2", "--help"])
    assert ending.value.code == 0 and "[CONFIG] [OPTIONS OF SNAKEMAKE ...]" in capsys.readouterr().out
