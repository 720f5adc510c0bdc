"""One study in words, numbers and figures, as the template of the report shows it."""

import json
import os
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from breakeven.figures.labels import label, with_schedules_in_words
from breakeven.figures.offline import script_json
from breakeven.figures.registry import FIGURES
from breakeven.report.inside import Tables
from breakeven.specs.quantities import COLUMNS
from breakeven.specs.run import canonical_json
from breakeven.specs.run_file import read_spec
from breakeven.specs.study import Study
from breakeven.store.files import read_json
from breakeven.store.tables import read_table
from breakeven.store.training_record import FILE, read_training

SHOWN = [column for column in COLUMNS if column.form]  # in the tables of runs
# in the first of them, which fits beside each other; the others unfold
FIRST = ("max_lambda_K", "max_lambda_H", "break_even_step", "break_even_lambda_H", "final_test_accuracy")
MISSING = "–"


def words(value: Any) -> str:
    """A setting as text."""
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(words(item) for item in value) if value else "none"
    if isinstance(value, float):
        return MISSING if pd.isna(value) else f"{value:.10g}"
    return str(value)


def distinct(values: pd.Series) -> list[str]:
    """The distinct values in their order, as text."""
    found = list(values.drop_duplicates())
    try:
        found.sort()
    except TypeError:
        found.sort(key=str)
    return [words(value) for value in found]


def listed(items: list[str]) -> str:
    """A list as in a sentence: a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def sweeps(study: Study, runs: pd.DataFrame) -> str:
    """What a study sweeps, over which values; empty where it sweeps nothing. ``runs``: with schedules in words."""
    found = [f"{label(key)} over {listed(distinct(runs[key]))}" for key in study.compared]
    return listed(found) if found else ""


def settings_of(run: Path) -> dict[str, Any]:
    """The hyperparameters of the run in this folder that are not left out as neutral."""
    settings: dict[str, Any] = json.loads(canonical_json(read_spec(run)))
    return settings


def common_settings(settings: list[dict[str, Any]]) -> dict[str, str]:
    """The settings that all runs of the study share, as text."""
    first = settings[0] if settings else {}
    shared = {key: value for key, value in first.items() if all(each.get(key) == value for each in settings)}
    return {label(key): words(value) for key, value in shared.items() if value not in (None, {}, [])}


def outcome(run: dict[Any, Any], diverged_step: int | None) -> str:
    """How a run ended."""
    if not run["diverged"]:
        return "finished"
    return "diverged" if diverged_step is None else f"diverged at step {diverged_step}"


def remarks(run: dict[Any, Any]) -> str:
    """What could not be computed of a run, and why."""
    found = []
    if run["unconverged_snapshots"] > 0:
        found.append(f"H not converged at {int(run['unconverged_snapshots'])} measured steps")
    if pd.notna(run["remarks"]):
        found.append(str(run["remarks"]))
    if pd.isna(run["break_even_step"]):
        found.append(f"no break-even point: {run['break_even_note']}")
    return "; ".join(found)


def number(value: Any, form: str) -> str:
    """A cell of the table of runs."""
    return MISSING if value is None or pd.isna(value) else f"{value:{form}}"


def run_rows(runs: pd.DataFrame, shown: list[str], diverged_steps: dict[str, int | None]) -> list[dict[str, Any]]:
    """The rows of the tables of runs; cells are text. ``shown``: the hyperparameters that they have."""
    return [
        {
            "settings": [words(run[name]) for name in shown] + [str(run["seed"])],
            "outcome": outcome(run, diverged_steps.get(run["run"])),
            "diverged": run["diverged"],
            "alarm": run["diverged"] or run["unconverged_snapshots"] > 0 or pd.notna(run["remarks"]),
            "first": [number(run.get(column.name), column.form) for column in SHOWN if column.name in FIRST],
            "others": [number(run.get(column.name), column.form) for column in SHOWN if column.name not in FIRST],
            "remarks": remarks(run),
            "run": run["run"],
        }
        for run in runs.sort_values([*shown, "seed"]).to_dict("records")
    ]


def figures(names: Collection[str], folder: Path, out: Path) -> list[dict[str, Any]]:
    """Those figures of ``names`` that exist: heading, notes and specification, and links to the pictures."""
    found = []
    link = quote(Path(os.path.relpath(folder, out.parent)).as_posix())
    for name, caption in FIGURES.items():
        path = folder / f"{name}.vl.json"
        if name not in names or not path.is_file():
            continue
        spec = read_json(path, "figure")
        title = spec["title"]  # of pictures; text of the page, where it wraps on a phone and is found by a search
        _, *notes = title["subtitle"]  # its first line names the study, as the section does
        found.append(
            {
                "name": name,
                "title": title["text"],
                "notes": " ".join(notes),
                "caption": caption,
                "description": spec["description"],
                "spec": script_json(spec),
                "svg": f"{link}/{name}.svg",
                "png": f"{link}/{name}.png",
                "target": shlex.quote((folder / f"{name}.svg").as_posix()),
            }
        )
    return found


def study_view(study: Study, results: Path, out: Path, tables: Tables) -> dict[str, Any]:
    """Everything that the template shows of one study; ``tables``: those that the page holds."""
    runs = with_schedules_in_words(read_table(results / "tables" / study.name / "runs.csv"))
    folders = [results / "runs" / str(run) for run in runs["run"]]
    trained = [folder for folder in folders if (folder / FILE).is_file()]
    diverged_steps = {folder.name: read_training(folder).diverged_step for folder in trained}
    shown = list(study.compared) or ["learning_rate", "batch_size"]
    return {
        "name": study.name,
        "description": study.description,
        "sweeps": sweeps(study, runs),
        "seeds": distinct(runs["seed"]),
        "runs": sorted(runs["run"].astype(str)),
        "diverged": int(runs["diverged"].sum()),
        "unconverged": int((runs["unconverged_snapshots"] > 0).sum()),
        "incomplete": int(runs["remarks"].notna().sum()),
        "threshold": f"{100 * study.accuracy_threshold:.4g} %",
        "settings": common_settings([settings_of(folder) for folder in trained]),
        "settings_headings": [*map(label, shown), "seed"],
        "first_headings": [column.symbol for column in SHOWN if column.name in FIRST],
        "other_headings": [column.symbol for column in SHOWN if column.name not in FIRST],
        "rows": run_rows(runs, shown, diverged_steps),
        "figures": figures(study.figures, results / "figures" / study.name, out),
        "tables": [
            tables.table(results / "tables" / study.name / f"{name}.csv", f"{study.name}-{name}.csv")
            for name in ("runs", "trajectories")
        ],
    }
