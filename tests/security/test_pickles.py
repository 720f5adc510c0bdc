"""Nothing unpickles: a file that runs code when it is unpickled lies in the place of every file that the package reads."""

import ast
import contextlib
import pickle
import shutil
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError

import breakeven
from breakeven.config.plan import load_plan
from breakeven.config.yaml_file import read_yaml
from breakeven.store.errors import UserError
from breakeven.store.files import sha256
from breakeven.store.sealed import record_of
from tests.security.payloads import FORMATS, payloads
from tests.tiny_pipeline import Pipeline

ROOT = Path(breakeven.__file__).parents[1]


@pytest.fixture
def harmful(tmp_path):
    """The files; at the end nothing may have been unpickled."""
    marker = tmp_path / "harm was done"
    yield payloads(marker)
    assert not marker.exists()


@pytest.mark.parametrize("name", FORMATS)
def test_the_files_do_harm_where_they_are_unpickled(name, tmp_path):
    """What this is all about: in libraries' own loaders they run."""
    marker, path = tmp_path / "marker", tmp_path / "file"
    path.write_bytes(payloads(marker)[name])
    match name.split()[0]:
        case "pickle" | "pandas":
            pd.read_pickle(path)  # noqa: S301
        case "torch.save" | "torch.save,":
            torch.load(path, weights_only=False)
        case "joblib":
            joblib.load(path)
        case "numpy":
            loaded = np.load(path, allow_pickle=True)
            _ = loaded["train_inputs"] if name.endswith("npz") else loaded
        case "zip":
            pickle.loads(zipfile.ZipFile(path).read("MNLI/train.tsv"))  # noqa: S301
    assert marker.exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A results folder in which all stages ran."""
    torch.set_num_threads(1)
    pipeline = Pipeline(tmp_path_factory.mktemp("finished") / "results")
    pipeline.everything()
    return pipeline


@pytest.fixture
def pipeline(finished, tmp_path):
    shutil.copytree(finished.results, tmp_path / "results", ignore=shutil.ignore_patterns("*.html", "*.png", "*.svg"))
    return Pipeline(tmp_path / "results", finished.steps)


def test_no_stage_writes_a_pickle(finished):
    """Neither pickles nor zip archives, which torch.save and numpy write."""
    files = [path for path in finished.results.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".csv", ".json", ".yaml", ".safetensors", ".html"}
    for path in files:
        start = path.read_bytes()[:6]
        assert start[:1] != b"\x80" and start[:2] not in (b"PK", b"\x93N") and start != b"\x93NUMPY", path


# each file of the results folder ({run} is the run's folder in it), and the stages that read it
READ = [
    ("data/tiny/manifest.json", ["train", "covariance", "predictions"]),
    ("data/tiny/data.safetensors", ["train", "covariance", "predictions"]),
    ("{run}/run.yaml", ["covariance", "hessian", "stability", "density", "predictions"]),
    ("{run}/training.json", ["covariance", "stability", "summarise", "report"]),
    ("{run}/snapshots/step-00000002.safetensors", ["covariance", "hessian", "stability", "density", "predictions"]),
    ("{run}/history.csv", ["summarise"]),
    ("{run}/covariance.csv", ["summarise"]),
    ("{run}/hessian.csv", ["stability", "summarise"]),
    ("{run}/eigenvectors/step-00000002.safetensors", ["stability"]),
    ("{run}/stability.csv", ["source", "summarise"]),
    ("{run}/predictions.safetensors", ["embed"]),
    ("tables/rates/runs.csv", ["claims", "plot", "report"]),
    ("tables/rates/trajectories.csv", ["claims", "plot"]),
    ("tables/claims.csv", ["report"]),
    ("figures/rates/lambda_H.vl.json", ["report"]),
]


@pytest.mark.parametrize(("name", "stages"), READ, ids=[name for name, _ in READ])
def test_in_the_place_of_a_result(name, stages, pipeline, harmful):
    path = pipeline.results / name.format(run=f"runs/{pipeline.run().name}")
    for content, stage in tried(harmful, stages):
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            getattr(pipeline, stage)()
        told = str(error.value)
        assert path.name in told and "\n" not in told


@pytest.mark.parametrize(("name", "stages"), READ, ids=[name for name, _ in READ])
def test_in_the_place_of_a_result_with_its_digest(name, stages, pipeline, harmful):
    """Somebody wrote the digest of the harmful file in the place of the right one: still nothing unpickles.

    What can't be read at all is named; what pandas takes for a table lacks its columns.
    """
    path = pipeline.results / name.format(run=f"runs/{pipeline.run().name}")
    lacking = (LookupError, ValueError) if path.suffix == ".csv" else ()
    for content, stage in tried(harmful, stages):
        replace(path, content, pipeline.results)
        with pytest.raises((UserError, *lacking)):
            getattr(pipeline, stage)()


def tried(harmful, stages):
    """Every format in the first stage, one in each of the others."""
    yield from ((content, stages[0]) for content in harmful.values())
    yield from ((harmful["torch.save"], stage) for stage in stages[1:])


def replace(path, content, results):
    """Write a file and its digest, in every record that has it; also into JSON files, whose own digests change with it."""
    before = sha256(path)
    path.write_bytes(content)
    for record in [*results.rglob("*.sha256"), *results.rglob("manifest.json"), *results.rglob("training.json")]:
        if record != path and before.encode() in record.read_bytes():
            replace(record, record.read_bytes().replace(before.encode(), sha256(path).encode()), results)


def test_in_the_place_of_a_record_of_digests(pipeline, harmful):
    path = record_of(pipeline.run() / "covariance.csv")
    for content in harmful.values():
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"covariance\.csv"):
            pipeline.summarise()


@pytest.mark.parametrize(
    ("name", "told"),
    [("checkpoint.safetensors", "is damaged"), ("snapshots/step-00000000.safetensors", "has lost a snapshot")],
)
def test_in_the_place_of_a_checkpoint(name, told, pipeline, harmful, capsys):
    """A training whose results are lost starts over, and says so."""
    expected = sha256(pipeline.run() / "training.json")
    for content in harmful.values():
        shutil.rmtree(pipeline.run())
        path = pipeline.state() / name
        assert path.is_file()
        path.write_bytes(content)
        pipeline.train()
        assert f"checkpoint.safetensors' {told}" in capsys.readouterr().err
        assert sha256(pipeline.run() / "training.json") == expected


def test_in_the_place_of_an_embedding(pipeline, harmful):
    path = pipeline.tables() / "embedding.csv"
    for content in harmful.values():
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"embedding\.csv"):
            pipeline.plot_umap()


def test_in_the_place_of_a_record_of_durations(pipeline, harmful):
    """Snakemake's, which the report shows; without it, there is a report."""
    path = pipeline.results / "benchmarks" / "train" / f"{pipeline.run().name}.tsv"
    path.parent.mkdir(parents=True)
    for name in ("pickle 0", "pickle 5", "zip"):
        path.write_bytes(harmful[name])
        (pipeline.results / "report.html").unlink(missing_ok=True)
        pipeline.report()
        assert (pipeline.results / "report.html").is_file()


def test_in_the_place_of_a_config(tmp_path, harmful):
    path = tmp_path / "config.yaml"
    for content in harmful.values():
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"config\.yaml") as error:
            load_plan(path)
        assert "\n" not in str(error.value)


def test_in_the_place_of_the_config_that_the_report_shows(pipeline, harmful):
    """Bytes are refused; the oldest pickles are text, which is shown."""
    path = pipeline.results / "config.yaml"
    path.write_bytes(harmful["pickle 5"])
    with pytest.raises(UserError, match=rf"config '{path}' can't be read \('utf-8' codec"):
        pipeline.report()
    path.write_bytes(harmful["pickle 0"])
    pipeline.report()
    assert "pathlib" in (pipeline.results / "report.html").read_text(encoding="utf-8")


TAGS = [
    "!!python/object/apply:pathlib.Path.touch [{path}]",
    "!!python/object/new:pathlib.PosixPath [{path}]",
    "!!python/name:os.system",
    "!!python/module:os",
    "!<tag:yaml.org,2002:python/object/apply:os.system> [x]",
    "!evil x",
]


@pytest.mark.parametrize("tag", TAGS)
def test_tags_of_yaml_that_call_python(tag, pipeline, tmp_path, harmful):
    """In a config, as we and as Snakemake read it, and in a run's specification."""
    text = f"studies: {tag.format(path=tmp_path / 'harm was done')}\n"
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml:1:10: the tag '.*' is not supported$"):
        read_yaml(path)
    with contextlib.suppress(WorkflowError):  # it refuses those that call something
        load_configfile(str(path))  # what is passed with --configfile, Snakemake reads before we do
    replace(pipeline.run() / "run.yaml", text.encode(), pipeline.results)
    with pytest.raises(UserError, match=r"run\.yaml' is missing or damaged \(.*could not determine a constructor"):
        pipeline.covariance()


def test_expressions_of_yte_in_a_config_do_not_run(tmp_path, harmful):
    """Snakemake itself runs them, in a file that is passed with --configfile; ``check`` tells before."""
    path = tmp_path / "config.yaml"
    path.write_text(f"__use_yte__: true\n?__import__('pathlib').Path('{tmp_path / 'harm was done'}').touch(): x\n")
    with pytest.raises(UserError, match=r"config\.yaml"):
        load_plan(path)


def test_no_source_has_a_function_that_unpickles():
    """Ruff's rule S301 finds them by name; this finds them by import as well, and arguments that switch it on."""
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "read_pickle"}
    for path in sorted((ROOT / "breakeven").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)}
            names |= {getattr(node, "module", None), getattr(node, "attr", None), getattr(node, "id", None)}
            assert not names & forbidden, f"{path}:{node.lineno}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert called not in ("torch.load", "np.load", "numpy.load", "yaml.load"), f"{path}:{node.lineno}"
                assert "allow_pickle" not in keywords, f"{path}:{node.lineno}"
                assert keywords.get("trust_remote_code", "False") == "False", f"{path}:{node.lineno}"
