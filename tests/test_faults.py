"""What a stage reads is what another stage wrote for it: a file that is truncated, flipped in a bit, another's, renamed or
missing is named in one sentence and never used; deleted, it is made again as it was."""

import shutil

import pytest
import torch

from breakeven.claims.evaluate import evaluate
from breakeven.config.run_spec import run_id
from breakeven.embed import embed
from breakeven.errors import UserError
from breakeven.measure_covariance import measure_covariance
from breakeven.measure_hessian import measure_hessian
from breakeven.measure_predictions import measure_predictions
from breakeven.measure_stability import measure_stability
from breakeven.plot import plot
from breakeven.report.build import build
from breakeven.summarise import summarise
from breakeven.training.train import train
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
SPEC, OTHER = tiny_spec(steps=4), tiny_spec(steps=4, learning_rate=0.1)
RUN = run_id(SPEC)
STUDY = {"name": "rate", "swept": ["learning_rate"], "accuracy_threshold": 0.6}
POINTS = {
    "columns": ["run", "learning_rate", "batch_size", "seed"],
    "rows": [[run_id(s), s.learning_rate, 8, 0] for s in (SPEC, OTHER)],
}
H = {"eigenvalues": 1, "tolerance": 0.01, "max_matvecs": 50, "trace_probes": 1, "batch_size": 4, "precision": "float32"}
STEP = "step-00000002.safetensors"


class Stages:
    """All stages, as the rules call them, on the results in ``folder``."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data/digits"

    def run(self, spec):
        return self.folder / "runs" / run_id(spec)

    def prepare(self):
        tiny_dataset(self.data)

    def train(self, spec=SPEC):
        out = self.run(spec)
        shutil.rmtree(out / "snapshots", ignore_errors=True)  # as Snakemake does with a folder
        train(spec, self.data, out, self.folder / "state" / out.name, CPU, "code")

    def covariance(self, spec=SPEC):
        run = self.run(spec)
        measure_covariance(run, self.data, run / "covariance.csv", CPU, 2000, 4, None, "float32")

    def hessian(self, spec=SPEC):
        measure_hessian(self.run(spec), self.data, self.run(spec) / "hessian.csv", CPU, 2000, **H)

    def stability(self, spec=SPEC):
        run = self.run(spec)
        measure_stability(run, self.data, run / "stability.csv", CPU, 4, "float32")

    def predictions(self, spec=SPEC):
        measure_predictions(self.run(spec), self.data, self.run(spec) / "predictions.safetensors", CPU)

    def embed(self, study="rate"):
        embed(self.folder, POINTS, self.folder / "tables" / study / "embedding.csv")

    def summarise(self, study="rate"):
        summarise(self.folder, POINTS, 0.6, self.folder / "tables" / study)

    def claims(self):
        evaluate(self.folder / "tables", [STUDY], self.folder / "tables/claims.csv")

    def plot(self, study="rate", figure="lambda_K"):
        tables = self.folder / "tables" / study
        named = STUDY | {"name": study}
        paths = tables / "trajectories.csv", tables / "runs.csv"
        plot(figure, *paths, named, self.folder / "figures" / study, tables / "embedding.csv")

    def plot_umap(self):
        self.plot(figure="trajectories_umap")

    def report(self):
        (self.folder / "config.yaml").touch()
        studies = [STUDY | {"description": "", "figures": ["lambda_K"]}]
        build(self.folder / "report.html", self.folder, studies, self.folder / "config.yaml")

    def everything(self):
        self.prepare()
        tiny_dataset(self.folder / "data/other", seed=1)
        for spec in (SPEC, OTHER):
            for stage in (self.train, self.covariance, self.hessian, self.stability, self.predictions):
                stage(spec)
        for study in ("rate", "other"):
            self.summarise(study)
            self.embed(study)
            self.plot(study)
        self.claims()
        self.report()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The results of two runs in two studies, complete."""
    stages = Stages(tmp_path_factory.mktemp("whole"))
    stages.everything()
    return stages.folder


@pytest.fixture
def stages(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "results")
    return Stages(tmp_path / "results")


# file: where it lies, the stage that writes it, the stages that read it, and the same file of another run, study or step
RUN_FOLDER, OTHER_FOLDER = f"runs/{RUN}", f"runs/{run_id(OTHER)}"
FILES = {
    "data set": ("data/digits/data.safetensors", "prepare", ("train", "covariance"), "data/other/data.safetensors"),
    "manifest": ("data/digits/manifest.json", "prepare", ("train", "hessian"), "data/other/manifest.json"),
    "specification": (f"{RUN_FOLDER}/run.yaml", "train", ("covariance", "stability"), f"{OTHER_FOLDER}/run.yaml"),
    "record": (f"{RUN_FOLDER}/training.json", "train", ("hessian", "summarise"), f"{OTHER_FOLDER}/training.json"),
    "history": (f"{RUN_FOLDER}/history.csv", "train", ("summarise",), f"{OTHER_FOLDER}/history.csv"),
    "snapshot": (
        f"{RUN_FOLDER}/snapshots/{STEP}",
        "train",
        ("covariance", "hessian", "stability", "predictions"),
        f"{RUN_FOLDER}/snapshots/step-00000004.safetensors",
    ),
    "snapshot of another run": (
        f"{RUN_FOLDER}/snapshots/{STEP}",
        "train",
        ("covariance",),
        f"{OTHER_FOLDER}/snapshots/{STEP}",
    ),
    "K": (f"{RUN_FOLDER}/covariance.csv", "covariance", ("summarise",), f"{OTHER_FOLDER}/covariance.csv"),
    "H": (f"{RUN_FOLDER}/hessian.csv", "hessian", ("stability", "summarise"), f"{OTHER_FOLDER}/hessian.csv"),
    "e_H^1": (f"{RUN_FOLDER}/eigenvectors/{STEP}", "hessian", ("stability",), f"{OTHER_FOLDER}/eigenvectors/{STEP}"),
    "Eq. 1": (f"{RUN_FOLDER}/stability.csv", "stability", ("summarise",), f"{OTHER_FOLDER}/stability.csv"),
    "predictions": (
        f"{RUN_FOLDER}/predictions.safetensors",
        "predictions",
        ("embed",),
        f"{OTHER_FOLDER}/predictions.safetensors",
    ),
    "runs": ("tables/rate/runs.csv", "summarise", ("claims", "plot", "report"), "tables/other/trajectories.csv"),
    "trajectories": ("tables/rate/trajectories.csv", "summarise", ("claims", "plot"), "tables/other/runs.csv"),
    "embedding": ("tables/rate/embedding.csv", "embed", ("plot_umap",), "tables/other/runs.csv"),
    "claims": ("tables/claims.csv", "claims", ("report",), "tables/rate/runs.csv"),
    "figure": ("figures/rate/lambda_K.vl.json", "plot", ("report",), "figures/other/lambda_K.vl.json"),
}


def damage_file(path, other, damage):
    raw = bytearray(path.read_bytes())
    match damage:
        case "truncated":
            path.write_bytes(raw[: len(raw) // 2])
        case "one bit":
            raw[len(raw) // 2] ^= 1
            path.write_bytes(raw)
        case "another's":
            path.write_bytes(other.read_bytes())
        case "another's, with its digests":
            path.write_bytes(other.read_bytes())
            digests = other.with_name(f"{other.name}.sha256")
            if digests.exists():
                path.with_name(f"{path.name}.sha256").write_bytes(digests.read_bytes())
        case "renamed":
            path.rename(path.with_name(f"old-{path.name}"))


DAMAGES = ["truncated", "one bit", "another's", "another's, with its digests", "renamed"]
# the report leaves out a figure that is not there: by hand, it may be wanted before all are drawn
CASES = [(f, d) for f in FILES for d in DAMAGES if (f, d) != ("figure", "renamed")]


@pytest.mark.parametrize(("file", "damage"), CASES)
def test_it_is_named_and_not_used_and_made_again(stages, whole, file, damage):
    name, writer, readers, other = FILES[file]
    path = stages.folder / name
    damage_file(path, stages.folder / other, damage)
    for reader in readers if damage == "one bit" else readers[:1]:
        if file == "manifest" and damage == "another's, with its digests":
            words = "manifest.json' is not digits/manifest.json: "
        else:
            words = str(path)
        with pytest.raises(UserError) as error:
            getattr(stages, reader)()
        told = str(error.value)
        assert words in told and ("delete" in told or "there is no" in told) and "\n" not in told
    if damage == "renamed":
        path.with_name(f"old-{path.name}").unlink()
    path.unlink(missing_ok=True)
    getattr(stages, writer)()
    assert path.read_bytes() == (whole / name).read_bytes()
    getattr(stages, readers[0])()


def test_the_data_set_of_another_specification_is_refused(stages):
    """Whole, but not the run's: as if the folders of two data sets had been swapped."""
    with pytest.raises(
        UserError, match=r"holds the data set \{'loader': 'digits'\}, not \{'loader': 'cifar10'\}: delete"
    ):
        stages.train(tiny_spec(dataset={"loader": "cifar10"}))


def test_a_run_under_the_name_of_another_is_refused(stages):
    other = stages.run(OTHER)
    shutil.rmtree(other)
    shutil.copytree(stages.run(SPEC), other)
    for stage in (stages.covariance, stages.stability):
        with pytest.raises(UserError, match=rf"'{other}/.*' is not {other.name}/"):
            stage(OTHER)
    with pytest.raises(UserError, match=rf"'{other}/.*' is not {other.name}/"):
        stages.summarise()
