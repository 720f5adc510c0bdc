"""What a stage reads is what another stage wrote for it: a file that is cut, another's or missing is named in one sentence and
never used."""

import shutil
from dataclasses import replace

import pytest

from breakeven.store.errors import UserError
from breakeven.training.train import train
from tests.tiny import tiny_dataset
from tests.tiny_pipeline import CPU, Pipeline

STEP = "step-00000002.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The results of two runs, complete, beside a second data set."""
    pipeline = Pipeline(tmp_path_factory.mktemp("whole"))
    pipeline.everything()
    tiny_dataset(pipeline.results / "data/other", seed=1)
    return pipeline.results


@pytest.fixture
def pipeline(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "results")
    return Pipeline(tmp_path / "results")


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def cut(path):
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def told_by(stage, **arguments):
    with pytest.raises(UserError) as error:
        stage(**arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


# what has a digest: one bit is noticed. The file, the stages that read it, and the sentence.
DIGESTED = {
    "data set": (
        "data/tiny/data.safetensors",
        ["train", "covariance", "predictions"],
        "(its SHA-256 is not the manifest's)",
    ),
    "snapshot": (
        f"{{run}}/snapshots/{STEP}",
        ["covariance", "hessian", "stability"],
        "(its SHA-256 is not the recorded one)",
    ),
}


@pytest.mark.parametrize("file", DIGESTED)
@pytest.mark.parametrize("damage", [flip, cut])
def test_one_bit_of_what_has_a_digest_is_noticed(pipeline, file, damage):
    name, readers, words = DIGESTED[file]
    path = pipeline.results / name.format(run=f"runs/{pipeline.run().name}")
    damage(path)
    for reader in readers:
        told = told_by(getattr(pipeline, reader))
        assert f"'{path}' is missing or damaged {words}: delete" in told


# what a stage reads of another: the file, its reader, and what is told where it is missing or cut in the middle
READ = {
    "manifest": ("data/tiny/manifest.json", "covariance", "is missing: snakemake", "is no manifest"),
    "specification": (
        "{run}/run.yaml",
        "covariance",
        "is missing or damaged",
        "is missing or damaged|but its content is run",
    ),
    "record": ("{run}/training.json", "covariance", "is missing: snakemake", "is no record of a training"),
    "K": (
        "{run}/covariance.csv",
        "summarise",
        "is missing: snakemake",
        "does not have the steps of the run's snapshots",
    ),
    "H": ("{run}/hessian.csv", "summarise", "is missing: snakemake", "does not have the steps of the run's snapshots"),
    "H for Eq. 1": ("{run}/hessian.csv", "stability", "is missing: snakemake", "does not have the steps"),
    "Eq. 1": ("{run}/stability.csv", "summarise", "is missing: snakemake", "does not have the steps"),
    "e_H^1": (f"{{run}}/eigenvectors/{STEP}", "stability", "is missing or damaged", "is missing or damaged"),
    "predictions": ("{run}/predictions.safetensors", "embed", "is missing or damaged", "is missing or damaged"),
    "runs": ("tables/rates/runs.csv", "claims", "is missing: snakemake", None),
    "claims": ("tables/claims.csv", "report", "is missing: snakemake", None),
}


@pytest.mark.parametrize("file", READ)
def test_what_is_missing_or_cut_is_named(pipeline, file):
    name, reader, when_missing, when_cut = READ[file]
    name = name.format(run=f"runs/{pipeline.run().name}")
    path = pipeline.results / name
    if when_cut is not None:
        # of a table a whole row, so that it still is one
        if path.suffix == ".csv":
            path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
        else:
            cut(path)
        told = told_by(getattr(pipeline, reader))
        assert any(words in told for words in when_cut.split("|")) and str(path) in told
    path.unlink()
    told = told_by(getattr(pipeline, reader))
    assert when_missing in told and str(path) in told


@pytest.mark.parametrize("file", ["snapshots", "eigenvectors"])
def test_the_files_of_another_run_or_step(pipeline, file):
    run, other = pipeline.run() / file, pipeline.run(1) / file
    reader = pipeline.covariance if file == "snapshots" else pipeline.stability
    shutil.copy(run / "step-00000000.safetensors", run / STEP)
    assert STEP in told_by(reader)
    shutil.copy(other / STEP, run / STEP)
    assert STEP in told_by(reader)


def test_the_predictions_of_another_run(pipeline):
    shutil.copy(pipeline.run(1) / "predictions.safetensors", pipeline.run() / "predictions.safetensors")
    assert f"is of run {pipeline.run(1).name}, not of run {pipeline.run().name}" in told_by(pipeline.embed)


def test_an_eigenvector_whose_numbers_changed(pipeline):
    """It has no digest; that the mean curvature along it is λ_H^1 is checked where it is used."""
    path = pipeline.run() / "eigenvectors" / STEP
    raw = bytearray(path.read_bytes())
    raw[-2] ^= 0x40  # an exponent
    path.write_bytes(raw)
    assert "step 2: the mean curvature of the examples along e_H^1" in told_by(pipeline.stability)


def test_the_data_set_of_another_specification_is_refused(pipeline):
    """Whole, but not the run's: as if the folders of two data sets had been swapped."""
    spec = replace(pipeline.spec(), dataset={"loader": "cifar10"})
    with pytest.raises(
        UserError, match=r"holds the data set \{'loader': 'digits'\}, not \{'loader': 'cifar10'\}: delete"
    ):
        train(spec, pipeline.data, pipeline.run(), pipeline.state(), CPU, "code")


def test_the_specification_of_another_run_is_refused(pipeline):
    """Its weights would be read into the wrong network, or with the wrong learning rate."""
    shutil.copy(pipeline.run(1) / "run.yaml", pipeline.run() / "run.yaml")
    for stage in (pipeline.covariance, pipeline.stability):
        assert f"belongs to run {pipeline.run().name}" in told_by(stage)
