"""One study in words, numbers and figures, as the template of the report shows it."""

import json
import os
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from breakeven.figures.offline import script_json
from breakeven.figures.registry import FIGURES
from breakeven.specs.run import canonical_json
from breakeven.specs.run_file import read_spec
from breakeven.store.sealed_json import read_sealed_json
from breakeven.store.tables import read_table
from breakeven.store.training_record import FILE, TrainingRecord, read_training

LABELS = {"learning_rate": "learning rate η", "batch_size": "batch size S"}
# column of runs.csv -> heading, and how to write its numbers
COLUMNS = {
    "max_lambda_K": ("max λ_K^1", ".4g"),
    "max_lambda_H": ("max λ_H^1", ".4g"),
    "max_trace_over_lambda_1": ("max Tr(K)/λ_K^1", ".4g"),
    "max_lambda_star_over_lambda_1": ("max λ_K^*/λ_K^1", ".3g"),
    "break_even_after_step": ("stable until step", ".0f"),
    "break_even_step": ("break-even step", ".0f"),
    "break_even_lambda_H": ("λ_H^1 at break-even", ".4g"),
    "predicted_lambda_H": ("λ_H^1 by Eq. 1", ".4g"),
    "threshold_epoch": ("first epoch past the threshold", ".3g"),
    "final_train_accuracy": ("final training accuracy", ".1%"),
    "final_test_accuracy": ("final test accuracy", ".1%"),
}
MISSING = "–"


def label(hyperparameter: str) -> str:
    """A hyperparameter's name in words."""
    return LABELS.get(hyperparameter, hyperparameter.replace("_", " "))


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


def training_facts(results: Path, runs: pd.DataFrame) -> dict[str, TrainingRecord]:
    """What the train stage recorded of each run."""
    folders = {run: results / "runs" / str(run) for run in runs["run"]}
    return {run: read_training(folder) for run, folder in folders.items() if (folder / FILE).is_file()}


def common_settings(results: Path, training: dict[str, TrainingRecord]) -> dict[str, str]:
    """The settings that all runs of the study share, as text."""
    specs = [json.loads(canonical_json(read_spec(results / "runs" / run))) for run in training]
    first: dict[str, Any] = specs[0] if specs else {}
    shared = {key: value for key, value in first.items() if all(spec.get(key) == value for spec in specs)}
    return {label(key): words(value) for key, value in shared.items() if value not in (None, {}, [])}


def run_rows(runs: pd.DataFrame, shown: list[str], training: dict[str, TrainingRecord]) -> list[dict[str, Any]]:
    """The rows of the table of runs; cells are text."""
    rows = []
    for run in runs.sort_values([*shown, "seed"]).to_dict("records"):
        diverged = str(run["diverged"]).lower() == "true"
        step = training[run["run"]].diverged_step if run["run"] in training else None
        outcome = "finished" if not diverged else "diverged" if step is None else f"diverged at step {step}"
        unconverged = int(run["unconverged_snapshots"])
        incomplete = str(run["remarks"]) if pd.notna(run["remarks"]) else ""
        remarks = [f"H not converged at {unconverged} measured steps"] if unconverged else []
        remarks += [incomplete] if incomplete else []
        remarks += [f"no break-even point: {run['break_even_note']}"] if pd.isna(run["break_even_step"]) else []
        cells = [run.get(column) for column in COLUMNS]
        numbers = [
            MISSING if cell is None or pd.isna(cell) else f"{cell:{form}}"
            for cell, (_, form) in zip(cells, COLUMNS.values(), strict=True)
        ]
        rows.append(
            {
                "settings": [words(run[name]) for name in shown] + [str(run["seed"])],
                "outcome": "; ".join([outcome, *remarks]),
                "diverged": diverged,
                "alarm": diverged or unconverged > 0 or bool(incomplete),
                "numbers": numbers,
                "run": run["run"],
            }
        )
    return rows


def figures(names: Collection[str], folder: Path, out: Path) -> list[dict[str, Any]]:
    """Those figures of ``names`` that exist: heading, notes and specification apart, and links to the pictures."""
    found = []
    link = quote(Path(os.path.relpath(folder, out.parent)).as_posix())
    for name, caption in FIGURES.items():
        path = folder / f"{name}.vl.json"
        if name not in names or not path.is_file():
            continue
        spec = read_sealed_json(path, "figure")
        title = spec.pop("title")  # text of the page instead, where it wraps on a phone and is found by a search
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
                "csv": f"{link}/{name}.csv",
                "target": shlex.quote((folder / f"{name}.svg").as_posix()),
            }
        )
    return found


def study_view(study: dict[str, Any], results: Path, out: Path) -> dict[str, Any]:
    """Everything that the template shows of one study."""
    name = study["name"]
    runs = read_table(results / "tables" / name / "runs.csv")
    training = training_facts(results, runs)
    swept = list(study["swept"])
    sweeps = [f"{label(key)} over {listed(distinct(runs[key]))}" for key in swept]
    diverged = int((runs["diverged"].astype(str).str.lower() == "true").sum())
    shown = swept or ["learning_rate", "batch_size"]
    return {
        "name": name,
        "description": study.get("description") or "",
        "sweeps": listed(sweeps) if sweeps else "",
        "seeds": distinct(runs["seed"]),
        "runs": sorted(runs["run"].astype(str)),
        "diverged": diverged,
        "unconverged": int((runs["unconverged_snapshots"] > 0).sum()),
        "incomplete": int(runs["remarks"].notna().sum()),
        "threshold": f"{100 * study['accuracy_threshold']:.4g} %",
        "settings": common_settings(results, training),
        "headings": [*(label(key) for key in shown), "seed", "outcome", *(head for head, _ in COLUMNS.values()), "run"],
        "rows": run_rows(runs, shown, training),
        "figures": figures(study.get("figures", FIGURES), results / "figures" / name, out),
    }
