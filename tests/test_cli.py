"""The command line, in processes of its own: what a user sees, and each stage by hand without Snakemake."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from breakeven.__main__ import main
from breakeven.commands import flags, parser_for
from breakeven.config.plan import load_plan
from breakeven.specs.dataset import dataset_id
from breakeven.specs.measurements import BY_NAME, MEASUREMENTS, values_of
from breakeven.specs.run import RunSpec, Segment, canonical_json
from breakeven.specs.study import part_of
from breakeven.stages import STAGES as TABLE

CONFIG = """\
datasets:
  digits: {loader: digits, measured_fraction: 0.1}
measurements:
  covariance: {batch_size: 16}
  hessian: {eigenvalues: 2, max_matvecs: 40, batch_size: 64}
  density: {probes: 2, steps: 20}
  sharpness: {max_draws: 3}
studies:
  main:
    base:
      dataset: digits
      network: simple_cnn
      network_options: {channels: [2], dense: 4}
      learning_rate: 0.1
      batch_size: 64
      steps: 4
      snapshots: [{every: 2}]
    seeds: [3]
"""
MEASURED = [
    "covariance",
    "hessian",
    "stability",
    "assumptions",
    "locate",
    "density",
    "sharpness",
    "blocks",
    "predictions",
]
STAGES = [
    "prepare",
    "train",
    *MEASURED,
    "thin",
    "embed",
    "summarise",
    "claims",
    "bundle",
    "plot",
    "report",
    "status",
    "check",
    "estimate",
    "new",
    "run",
    "export",
    "publish",
    "prune",
]


# Half of the time of a small study was starting Python: what a stage of a run must not import, but for these.
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
NEEDED = {"embed": {"pandas"}, "summarise": {"pandas"}, "bundle": {"vl_convert"}}


def command(*arguments, folder, python=()):
    arguments = [json.dumps(a) if isinstance(a, dict | list) else str(a) for a in arguments]
    return subprocess.run(
        [sys.executable, *python, "-m", "breakeven", *arguments],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
    )


def imported(account):
    """The modules in the account that ``python -X importtime`` gives at its end."""
    return set(re.findall(r"^import time:.*\| +(\S+)$", account, re.MULTILINE))


def test_status_and_check_import_nothing_slow(tmp_path):
    (tmp_path / "results").mkdir()
    plan = {"format": 3, "version": "0", "config": "config.yaml", "started": "now", "jobs": []}
    (tmp_path / "results/plan.json").write_text(json.dumps(plan))
    (tmp_path / "config.yaml").write_text(CONFIG)
    for arguments, needed in ((["status"], set()), (["check", "config.yaml"], {"pydantic"})):
        done = command(*arguments, folder=tmp_path, python=["-X", "importtime"])
        assert done.returncode == 0, done.stderr
        assert imported(done.stderr) & (SLOW | {"torch"}) == needed


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_help_lists_the_stages(tmp_path):
    done = command("--help", folder=tmp_path)
    assert done.returncode == 0
    listed = re.findall(r"^    (\w+)(?:  +\S|$)", done.stdout, flags=re.MULTILINE)
    assert [stage for stage in listed if stage in STAGES] == STAGES  # in the order in which data flow
    assert [stage.name for stage in TABLE] == STAGES and [row.name for row in MEASUREMENTS] == MEASURED
    assert [row.name for row in MEASUREMENTS if row.always] == MEASURED[:5]


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_explains_itself(stage, capsys):
    with pytest.raises(SystemExit) as ending:
        main([stage, "--help"])
    assert ending.value.code == 0
    explained = capsys.readouterr().out
    assert f"usage: python -m breakeven {stage}" in explained
    # each of its arguments in words
    listed = re.split(r"^(?:options|positional arguments):$", explained, flags=re.MULTILINE)[1:]
    for argument in re.split(r"\n  (?=\S)", "".join(listed))[1:]:
        if not argument.startswith("--device"):
            assert len(argument.split()) > 2, argument


def test_the_settings_of_a_measurement_are_arguments_with_defaults():
    given = ["hessian", "--run", "r", "--data", "d", "--out", "o"]
    plain = vars(parser_for(given).parse_args(given))
    assert (plain["eigenvalues"], plain["tolerance"], plain["precision"]) == (5, 1e-3, "float32")
    asked = vars(parser_for(given).parse_args([*given, "--tolerance=1e-2", "--precision", "float64"]))
    assert (asked["tolerance"], asked["precision"]) == (0.01, "float64")
    of_k = ["covariance", *given[1:]]
    assert parser_for(of_k).parse_args([*of_k, "--batches", "null"]).batches is None
    assert parser_for(of_k).parse_args([*of_k, "--batches", "3"]).batches == 3


def test_a_mistake_of_the_user_is_one_line(tmp_path):
    spec = {"loader": "image_folder", "path": "nowhere"}
    done = command("prepare", "--spec", spec, "--location", {}, "--out", "out", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    began, told = done.stderr.splitlines()
    assert began == "prepare image_folder in out"
    assert told.startswith("error: image_folder: 'nowhere' has no folder 'train'")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_wrong_command_line_is_refused(tmp_path):
    done = command("prepare", "--spec", "{", "--location", "{}", "--out", "x", folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and "argument --spec: '{' is not" in done.stderr


def spec(**changes):
    """The specification of a run, with something else in it."""
    run = RunSpec({"loader": "digits"}, "mlp", {}, 0.1, 8, (Segment(1),), 0, steps=1)
    return json.dumps(json.loads(canonical_json(run)) | changes)


MEASURE = ["hessian", "--run", "r", "--data", "d", "--out", "o"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: STAGE"),
        (["fly"], "invalid choice: 'fly'"),
        (["prepare", "--out", "x"], "the following arguments are required: --spec"),
        (MEASURE[:-2], "the following arguments are required: --out"),
        ([*MEASURE, "--eigenvalue", "3", "--settings", "{}"], "unrecognized arguments: --settings {}"),
        ([*MEASURE, "--eigenvalues", "0"], "argument --eigenvalues: 0 is not allowed; allowed: at least 1"),
        ([*MEASURE, "--eigenvalues", "two"], "argument --eigenvalues: 'two' is not an integer"),
        ([*MEASURE, "--tolerance", "nan"], "argument --tolerance: 'nan' is not a finite number"),
        ([*MEASURE, "--precision", "float16"], "'float16' is not known; allowed: float32, float64"),
        ([*MEASURE, "--memory-mb", "0"], "argument --memory-mb: '0' is not an integer of at least 1"),
        ([*MEASURE, "--memory-mb", "nan"], "argument --memory-mb: 'nan' is not an integer of at least 1"),
        (["covariance", *MEASURE[1:], "--batches", "1"], "argument --batches: 1 is not allowed; allowed: at least 2"),
        (["train", "--spec", "[]"], "argument --spec: not the specification of a run"),
        (["plot", "--study", '{"nam": 1}'], "argument --study: study has no 'nam'; allowed: accuracy_threshold,"),
        (["plot", "--study", "3"], "argument --study: study is 3; allowed: a mapping"),
        (["claims", "--studies", "3"], "argument --studies: '3' is not what JSON is expected here: it must be a list"),
        (["claims", "--studies", "[3]"], "argument --studies: study is 3; allowed: a mapping"),
        (["summarise", "--study", '{"points": 3}'], "argument --study: study.points is 3; allowed: a mapping"),
        (["summarise", "--study", '{"points": {"a": {}}}'], "argument --study: study.points.a needs 'learning_rate'"),
        (["summarise", "--study", "[" * 100_000], "argument --study: not the JSON of a study"),
        (
            ["train", "--spec", spec(network=5)],
            "argument --spec: not the specification of a run (spec.network is 5; allowed:",
        ),
        (["train", "--spec", spec(seed="s")], "(spec.seed is 's'; allowed: an integer)"),
        (["train", "--spec", spec(dataset={})], "(spec.dataset needs 'loader')"),
        (["prepare", "--spec", "3"], "argument --spec: '3' is not what JSON is expected here: it must be a mapping"),
        (["prepare", "--out", ""], "argument --out: a path must not be empty"),
        ([*MEASURE, "--eigenvalues", "1" + "0" * 400], "0' is not an integer of at most 4294967295"),
        (["prepare", "--spec", '{"loader": "digits", "seed": "x"}'], "here: spec.seed is 'x'; allowed: an integer"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(arguments, told, capsys):
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["summarise", "--results", "r", "--study", "{}"],
            "error: the study has no points, so there are no runs to read",
        ),
        (["embed", "--results", "r", "--study", "{}"], "error: the study has no points, so there are no runs to read"),
        (
            ["prepare", "--spec", '{"loader": "digits", "test_fraction": "x"}'],
            "error: 'load' of 'breakeven.data.digits' can't be called: option 'test_fraction' is 'x'; allowed: a number",
        ),
        (
            ["prepare", "--spec", '{"loader": "digits", "fraction": 1}'],
            "error: 'load' of 'breakeven.data.digits' can't be called: got an unexpected keyword argument 'fraction'",
        ),
    ],
)
def test_what_a_stage_can_do_nothing_with_is_told_in_a_sentence(arguments, told, capsys, tmp_path):
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == told


def test_a_run_by_hand(tmp_path):
    """From the config's plan, each stage as its rule calls it; every table has a row for each snapshot.

    No stage imports anything slow in vain.
    """
    (tmp_path / "config.yaml").write_text(CONFIG)
    plan = load_plan(tmp_path / "config.yaml")
    [(run, spec)] = plan.runs.items()
    data, folder = Path("results/data") / dataset_id(spec.dataset), Path("results/runs") / run
    on_cpu = ["--device", "cpu", "--threads", 1]
    study = part_of(plan.studies["main"], "points", "accuracy_threshold", "measurements")

    def measure(name):
        row = BY_NAME[name]
        settings = flags(values_of(row, plan.config.measurements))
        return [name, "--run", folder, "--data", data, "--out", folder / row.table, *settings, *on_cpu]

    for arguments in (
        ["prepare", "--spec", spec.dataset, "--location", {}, "--out", data],
        ["train", "--spec", canonical_json(spec), "--data", data, "--out", folder, "--state", "state", *on_cpu],
        *map(measure, MEASURED),
        ["embed", "--results", "results", "--study", study, "--out", "tables/embedding.csv"],
        ["summarise", "--results", "results", "--study", study, "--out", "tables"],
        ["bundle", "--out", "vega.js"],
    ):
        done = command(*arguments, folder=tmp_path, python=["-X", "importtime"])
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert "breakeven.commands" in imported(done.stderr)
        if arguments[0] != "prepare":  # which scikit-learn's digits need it all for
            assert imported(done.stderr) & SLOW == NEEDED.get(arguments[0], set()), arguments[0]

    made = tmp_path / folder
    assert json.loads((tmp_path / data / "manifest.json").read_text())["measured_examples"] == 144
    assert [row["step"] for row in rows_of(made / "history.csv")] == ["0", "0", "2", "2", "4", "4"]
    covariance, hessian = rows_of(made / "covariance.csv"), rows_of(made / "hessian.csv")
    stability = rows_of(made / "stability.csv")
    assert [(row["step"], row["lambda_1"]) for row in stability] == [(row["step"], row["lambda_1"]) for row in hessian]
    assert [row["step"] for row in covariance] == [row["step"] for row in hessian] == ["0", "2", "4"]
    assert all(float(row["lambda_1"]) > 0 for row in covariance + hessian)
    density = rows_of(made / "density.csv")
    assert [row["step"] for row in density] == ["0"] * 40 + ["2"] * 40 + ["4"] * 40
    assert sum(float(row["weight"]) for row in density) == pytest.approx(3)
    largest = [max(float(row["eigenvalue"]) for row in density if row["step"] == step) for step in "024"]
    assert largest == pytest.approx([float(row["lambda_1"]) for row in hessian], rel=0.01)
    [row] = rows_of(tmp_path / "tables" / "runs.csv")
    assert (row["run"], row["seed"], row["diverged"]) == (run, "3", "False")
    assert float(row["max_lambda_K"]) == max(float(row["lambda_1"]) for row in covariance)
    assert float(row["max_lambda_H"]) == max(float(row["lambda_1"]) for row in hessian)
    assert float(row["final_test_accuracy"]) == float(rows_of(made / "history.csv")[-1]["accuracy"])
    quantities = {row["quantity"] for row in rows_of(tmp_path / "tables" / "trajectories.csv")}
    assert {
        "train_loss",
        "lambda_K_1",
        "lambda_H_1",
        "lambda_H_2",
        "trace_H",
        "stability_lhs",
        "delta_loss",
    } <= quantities
