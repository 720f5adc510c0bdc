"""A small results folder, complete as the report needs it."""

import json
from dataclasses import replace

from breakeven.claims.evaluate import evaluate
from breakeven.figures.plot import specification
from breakeven.figures.registry import FIGURES
from breakeven.specs.run import RunSpec
from breakeven.specs.run_file import write_spec
from breakeven.store.tables import write_table
from breakeven.store.training_record import TrainingRecord, write_training
from tests.figures.synthetic import make_embedding, make_study

HOSTILE = '"><img src=x onerror=alert(1)>'
DESCRIPTION = "<script>alert('λ')</script> & more"


def write_results(results, *arguments, figures=tuple(FIGURES)):
    """Tables, figures and records of one study for each of ``arguments`` (keywords of ``make_study``)."""
    studies = []
    for keywords in arguments:
        description = keywords.pop("description", "")
        trajectories, runs, study = make_study(**keywords)
        study = replace(study, description=description, figures=tuple(figures))
        tables, pictures = results / "tables" / study.name, results / "figures" / study.name
        tables.mkdir(parents=True)
        pictures.mkdir(parents=True)
        write_table(tables / "trajectories.csv", trajectories)
        write_table(tables / "runs.csv", runs)
        write_table(tables / "embedding.csv", make_embedding(trajectories, runs))
        for figure in figures:
            spec = specification(figure, tables, study)
            (pictures / f"{figure}.vl.json").write_text(json.dumps(spec), encoding="utf-8")
        for run in runs.to_dict("records"):
            folder = results / "runs" / run["run"]
            folder.mkdir(parents=True, exist_ok=True)
            settings = {name: run[name] for name in ("learning_rate", "batch_size", "seed")}
            write_spec(folder, RunSpec({"loader": "digits"}, "simple_cnn", {}, snapshots=(), steps=500, **settings))
            diverged_step = 120 if run["diverged"] else None
            write_training(folder, TrainingRecord("", 500, 44, 1437, diverged_step, None, (), ()))
        studies.append(study)
    evaluate(results / "tables", studies, results / "tables" / "claims.csv")
    return studies
