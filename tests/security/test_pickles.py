"""Nothing unpickles: no source has a function that could, and no kind of reader of the package does.

The files of a results folder stand for its kinds of readers; users' own data sets and pretrained networks have theirs
in ``test_foreign_data.py``.
"""

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
from tests.security.payloads import FORMATS, payloads
from tests.security.refusal import refusal
from tests.tiny_pipeline import Pipeline

ROOT = Path(breakeven.__file__).parents[1]


@pytest.fixture
def harmful(tmp_path):
    """The files; at the end nothing may have been unpickled."""
    marker = tmp_path / "harm was done"
    yield payloads(marker)
    assert not marker.exists()


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


def test_the_files_do_harm_where_they_are_unpickled(tmp_path):
    """What this is all about: in libraries' own loaders they run."""
    marker, path = tmp_path / "marker", tmp_path / "file"
    for name in FORMATS:
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
        assert marker.exists(), name
        marker.unlink()


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


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("data/tiny/manifest.json", "train"),
        ("data/tiny/data.safetensors", "train"),
        ("{run}/run.yaml", "covariance"),
        ("{run}/snapshots/step-00000002.safetensors", "hessian"),
        ("{run}/eigenvectors/step-00000002.safetensors", "stability"),
        ("{run}/predictions.safetensors", "embed"),
        ("{run}/hessian.csv", "summarise"),
        ("figures/rates/lambda_H.vl.json", "report"),
    ],
    ids=["json", "data set", "yaml", "snapshot", "eigenvectors", "predictions", "csv", "figure"],
)
def test_no_kind_of_reader_unpickles(name, stage, pipeline, harmful):
    """As it lies there, and when somebody wrote the digest of the harmful file in the place of the right one, too.

    What can't be read at all is named; what pandas takes for a table lacks its columns.
    """
    path = pipeline.results / name.format(run=f"runs/{pipeline.run().name}")
    before = path.read_bytes()
    lacking = (LookupError, ValueError) if path.suffix == ".csv" else ()
    for how, content in harmful.items():
        path.write_bytes(content)
        assert path.name in refusal(getattr(pipeline, stage)), how
        path.write_bytes(before)
        replace(path, content, pipeline.results)
        before = content
        with pytest.raises((UserError, *lacking)):
            getattr(pipeline, stage)()


def replace(path, content, results):
    """Write a file and its digest, in every record that has it; also into JSON files, whose own digests change with it."""
    before = sha256(path)
    path.write_bytes(content)
    for record in [*results.rglob("manifest.json"), *results.rglob("training.json")]:
        if record != path and before.encode() in record.read_bytes():
            replace(record, record.read_bytes().replace(before.encode(), sha256(path).encode()), results)


def test_in_the_place_of_a_checkpoint(pipeline, harmful, capsys):
    """A training whose results are lost starts over, and says so."""
    expected = sha256(pipeline.run() / "training.json")
    places = {"checkpoint.safetensors": "is damaged", "snapshots/step-00000000.safetensors": "has lost a snapshot"}
    for name, told in places.items():
        shutil.rmtree(pipeline.run())
        path = pipeline.state() / name
        assert path.is_file()
        path.write_bytes(harmful["torch.save"])
        pipeline.train()
        assert f"checkpoint.safetensors' {told}" in capsys.readouterr().err
        assert sha256(pipeline.run() / "training.json") == expected


def test_in_the_place_of_records_of_durations(pipeline, harmful):
    """Snakemake's, without which there is a report all the same."""
    durations = pipeline.results / "benchmarks" / "train" / f"{pipeline.run().name}.tsv"
    durations.parent.mkdir(parents=True)
    for how in ("pickle 0", "pickle 5", "zip"):
        durations.write_bytes(harmful[how])
        (pipeline.results / "report.html").unlink(missing_ok=True)
        pipeline.report()
        assert (pipeline.results / "report.html").is_file(), how


def test_in_the_place_of_a_config(tmp_path, pipeline, harmful):
    """Also of the one that the report shows: bytes are refused; the oldest pickles are text, which is shown."""
    path = tmp_path / "config.yaml"
    for how, content in harmful.items():
        path.write_bytes(content)
        assert "config.yaml" in refusal(lambda: load_plan(path)), how

    path = pipeline.results / "config.yaml"
    path.write_bytes(harmful["pickle 5"])
    assert f"config '{path}' can't be read ('utf-8' codec" in refusal(pipeline.report)
    path.write_bytes(harmful["pickle 0"])
    pipeline.report()
    assert "pathlib" in (pipeline.results / "report.html").read_text(encoding="utf-8")


TAGS = (
    "!!python/object/apply:pathlib.Path.touch [{path}]",
    "!!python/object/new:pathlib.PosixPath [{path}]",
    "!!python/name:os.system",
    "!!python/module:os",
    "!<tag:yaml.org,2002:python/object/apply:os.system> [x]",
    "!evil x",
)


def test_tags_of_yaml_that_call_python(pipeline, tmp_path, harmful):
    """In a config, as we and as Snakemake read it, and in a run's specification."""
    path = tmp_path / "config.yaml"
    for tag in TAGS:
        text = f"studies: {tag.format(path=tmp_path / 'harm was done')}\n"
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
