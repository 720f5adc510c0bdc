"""Every stage of the pipeline, in this process, on the data of `tests.tiny`: two runs of one study."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from breakeven.claims.evaluate import evaluate
from breakeven.figures.bundle import bundle
from breakeven.figures.plot import plot
from breakeven.measurements.assumptions import measure_assumptions
from breakeven.measurements.blocks import measure_blocks
from breakeven.measurements.covariance import measure_covariance
from breakeven.measurements.density import measure_density
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.locate import measure_locate
from breakeven.measurements.predictions import measure_predictions
from breakeven.measurements.sharpness import measure_sharpness
from breakeven.measurements.stability import measure_stability
from breakeven.report.build import build
from breakeven.specs.run import run_id
from breakeven.specs.study import Study
from breakeven.summary.embed import embed
from breakeven.summary.summarise import summarise
from breakeven.training.train import train
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
RATES = (0.02, 0.2)
STUDY = Study("rates", swept=("learning_rate",), accuracy_threshold=0.5, figures=("lambda_H",))


@dataclass(frozen=True)
class Pipeline:
    """A results folder, and the stages that read and write it; those of one run act on the first of two, those of one study
    on `STUDY`, or on one of another name with the same runs.
    """

    results: Path
    steps: int = 2  # four snapshots in all: too few for UMAP, whose import takes 15 s

    def spec(self, number=0):
        return tiny_spec(learning_rate=RATES[number], steps=self.steps)

    @property
    def data(self):
        return self.results / "data" / "tiny"

    def state(self, number=0):
        return self.results / "state" / self.run(number).name

    def run(self, number=0):
        return self.results / "runs" / run_id(self.spec(number))

    def tables(self, study=STUDY.name):
        return self.results / "tables" / study

    def study(self, name=STUDY.name):
        points = {
            self.run(number).name: {"learning_rate": rate, "batch_size": 8, "seed": 0}
            for number, rate in enumerate(RATES)
        }
        return replace(STUDY, name=name, points=points)

    def prepare(self):
        tiny_dataset(self.data)

    def train(self, number=0):
        shutil.rmtree(self.run(number) / "snapshots", ignore_errors=True)  # as Snakemake does with a folder
        train(self.spec(number), self.data, self.run(number), self.state(number), CPU, "code")

    def covariance(self, number=0, batch_size=3):
        settings = {"batch_size": batch_size, "batches": None, "precision": "float32"}
        run = self.run(number)
        measure_covariance(run, self.data, run / "covariance.csv", CPU, 500.0, **settings)

    def hessian(self, number=0):
        settings = {"eigenvalues": 2, "tolerance": 1e-3, "max_matvecs": 30, "trace_probes": 2, "batch_size": 8}
        run = self.run(number)
        measure_hessian(run, self.data, run / "hessian.csv", CPU, 500.0, precision="float64", **settings)

    def stability(self, number=0):
        run = self.run(number)
        measure_stability(run, self.data, run / "stability.csv", CPU, batch_size=8, precision="float64")

    def assumptions(self, number=0):
        settings = {"batch_size": 8, "precision": "float64", "covariance_batch_size": 3, "covariance_batches": None}
        run = self.run(number)
        measure_assumptions(run, self.data, run / "assumptions.csv", CPU, 500.0, **settings)

    def locate(self, number=0):
        settings = {"most_steps": 32, "tolerance": 1e-3, "max_matvecs": 30, "batch_size": 8, "precision": "float64"}
        run = self.run(number)
        measure_locate(run, self.data, run / "locate.csv", CPU, 500.0, **settings)

    def density(self, number=0):
        settings = {"probes": 2, "steps": 4, "batch_size": 8, "precision": "float32"}
        run = self.run(number)
        measure_density(run, self.data, run / "density.csv", CPU, 500.0, **settings)

    def sharpness(self, number=0):
        settings = {"max_draws": 4, "tolerance": 0.1, "eigenvalue_draws": 1, "precision": "float32"}
        run = self.run(number)
        measure_sharpness(run, self.data, run / "sharpness.csv", CPU, 500.0, **settings)

    def blocks(self, number=0):
        settings = {"blocks": "layer", "tolerance": 1e-3, "max_matvecs": 30, "batch_size": 8, "precision": "float64"}
        run = self.run(number)
        measure_blocks(run, self.data, run / "blocks.csv", CPU, 500.0, **settings)

    def predictions(self, number=0):
        run = self.run(number)
        measure_predictions(run, self.data, run / "predictions.safetensors", CPU)

    def embed(self, study=STUDY.name):
        embed(self.results, self.study(study), self.tables(study) / "embedding.csv")

    def summarise(self, study=STUDY.name):
        summarise(self.results, self.study(study), self.tables(study))

    def claims(self):
        evaluate(self.results / "tables", [STUDY], self.results / "tables" / "claims.csv")

    def bundle(self):
        bundle(self.results / "figures" / "vega.js")

    def javascript(self):
        if not (self.results / "figures" / "vega.js").exists():
            self.bundle()
        return self.results / "figures" / "vega.js"

    def plot(self, figure="lambda_H", study=STUDY.name):
        plot(figure, self.tables(study), self.study(study), self.results / "figures" / study, self.javascript())

    def plot_umap(self):
        self.plot("trajectories_umap")

    def report(self):
        config = self.results / "config.yaml"
        if not config.exists():
            config.write_text("studies: {rates: {}}\n", encoding="utf-8")
        build(self.results / "report.html", self.results, [STUDY], config, self.javascript())

    def run_stages(self, number):
        """The stages of one run, in their order."""
        always = (self.train, self.covariance, self.hessian, self.stability, self.assumptions, self.locate)
        for stage in (*always, self.density, self.sharpness, self.blocks, self.predictions):
            stage(number)

    def everything(self):
        """All stages, in their order."""
        self.prepare()
        for number in range(len(RATES)):
            self.run_stages(number)
        for stage in (self.embed, self.summarise, self.claims, self.bundle, self.plot, self.report):
            stage()
