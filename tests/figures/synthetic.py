"""Small deterministic tables in the shape of the real ones."""

from itertools import product

import numpy as np
import pandas as pd

from breakeven.specs.study import Study

MAXIMA = {  # column of runs.csv -> quantity of trajectories.csv
    "max_lambda_K": "lambda_K_1",
    "max_lambda_H": "lambda_H_1",
    "max_lambda_star_over_lambda_1": "lambda_star_over_lambda_1",
    "max_trace_over_lambda_1": "trace_over_lambda_1",
}
OTHERS = ["step_of_max_lambda_K", "step_of_max_lambda_H", "max_trace_K"]
BREAK_EVEN = [
    "break_even_step",
    "break_even_epoch",
    "break_even_after_step",
    "break_even_lambda_H",
    "predicted_lambda_H",
    "measured_break_even_step",
]
EXAMPLES = 1437
CONSTANT = ("threshold", "two_over_lr", "lower_plateau", "upper_plateau")


def make_study(
    name="learning_rate",
    sweeps=None,
    points=None,
    seeds=(0, 1, 2),
    steps=500,
    diverging=(),
    unconverged=(),
    missing=False,
):
    """Trajectories, runs and study of a sweep; ``diverging`` holds the indices of the runs that diverge half-way.

    The sweep is the grid of ``sweeps``, or the ``points`` themselves.

    Every run has its break-even point at step 20; in those of ``unconverged``, H did not converge at step 30.
    """
    sweeps = {"learning_rate": [0.03, 0.1, 0.3]} if sweeps is None else sweeps
    rng = np.random.default_rng(1)
    runs, rows = [], []
    points = points or [dict(zip(sweeps, values, strict=True)) for values in product(*sweeps.values())]
    for index, (point, seed) in enumerate((point, seed) for point in points for seed in seeds):
        settings = {"learning_rate": 0.1, "batch_size": 32} | point
        rate = settings["learning_rate"] if isinstance(settings["learning_rate"], float) else 0.1
        heat = rate * 32 / settings["batch_size"]
        identity = (
            {"run": f"digits-simple_cnn-seed{seed}-{index:06x}{len(points):02x}{len(seeds):02x}"}
            | settings
            | {"seed": seed}
        )
        step = np.unique(np.concatenate([np.arange(0, min(101, steps + 1), 10), np.arange(0, steps + 1, 50)]))
        epoch = step / np.ceil(EXAMPLES / settings["batch_size"])
        progress = 1 - np.exp(-step * np.sqrt(heat) / 40)
        noise = np.exp(0.25 * rng.standard_normal((8, len(step))))
        hump = progress * np.exp(-1.5 * progress) + 0.01
        values = {
            "train_loss": 2.3 * (1.02 - progress) * noise[0] ** 0.3,
            "train_accuracy": np.clip(0.1 + 0.88 * progress * noise[1] ** 0.1, 0, 1),
            "test_loss": 2.3 * (1.1 - progress) * noise[2] ** 0.3,
            "test_accuracy": np.clip(0.1 + 0.84 * progress * noise[3] ** 0.1, 0, 1),
            "lambda_K_1": hump / heat * noise[4],
            "lambda_star_over_lambda_1": 0.004 * heat**0.5 * noise[5],
            "trace_over_lambda_1": 4 + 6 * heat**0.3 * noise[6],
            "lambda_H_1": 60 * hump / np.sqrt(heat) * noise[7],
            "lambda_H_1_of_block[conv1]": 20 * hump / np.sqrt(heat) * noise[7],
            "lambda_H_1_of_block[dense.2]": 30 * hump / np.sqrt(heat) * noise[6],
            "threshold": np.full(len(step), 2 * (1 + settings.get("momentum", 0)) / rate),
            "two_over_lr": np.full(len(step), 2 / rate),
            "break_even_curvature": 1.6 / rate * noise[7] ** 0.2,
            "batch_sharpness": 2 / rate * progress * noise[5],
            "lower_plateau": np.full(len(step), 2 * (1 - settings.get("momentum", 0)) / rate),
            "upper_plateau": np.full(len(step), 2 * (1 + settings.get("momentum", 0)) / rate),
            "stability_lhs": 4 * hump * noise[7],
            "alpha_star": 2 + 20 * (1 - progress) * noise[6],
            "delta_loss": 0.1 * np.log(noise[5]),
            "g_over_g5": 1.2 + 0.3 * noise[4],
            "gamma_norm": 4 + progress * noise[5],
            "converged_H": np.where((step == 30) & (index in unconverged), 0.0, 1.0),
        }
        if index in diverging:
            half = len(step) // 2
            measured = {quantity: series for quantity, series in values.items() if quantity not in CONSTANT}
            for quantity, series in measured.items():
                series[half - 1] *= 1 if quantity.endswith("accuracy") else 1e12
                series[half] = np.inf
                series[half + 1 :] = np.nan
        if missing:
            values = {quantity: np.full(len(step), np.nan) for quantity in values}
        for quantity, series in values.items():
            rows += [
                identity | {"step": int(s), "epoch": float(e), "quantity": quantity, "value": float(v)}
                for s, e, v in zip(step, epoch, series, strict=True)
            ]
        past = epoch[values["train_accuracy"] > 0.6]
        accuracies = ["final_train_accuracy", "final_test_accuracy"]
        summary = dict.fromkeys([*MAXIMA, *OTHERS, *BREAK_EVEN, *accuracies], np.nan)
        summary |= {"break_even_note": "nothing was measured", "unconverged_snapshots": int(index in unconverged)}
        summary["remarks"] = None
        if not missing:
            finite = {name: values[quantity][np.isfinite(values[quantity])] for name, quantity in MAXIMA.items()}
            summary |= {name: series.max() for name, series in finite.items()}
            summary["final_train_accuracy"] = values["train_accuracy"][-1]
            summary["final_test_accuracy"] = values["test_accuracy"][-1]
            measured = dict(zip(step, values["lambda_H_1"], strict=True))
            summary |= {"break_even_step": 20, "break_even_after_step": 10, "break_even_note": None}
            summary["measured_break_even_step"] = 20
            summary["break_even_epoch"] = 20 / np.ceil(EXAMPLES / settings["batch_size"])
            summary |= {"break_even_lambda_H": measured[20], "predicted_lambda_H": 0.8 * measured[20]}
        summary["threshold_epoch"] = past[0] if len(past) else np.nan
        runs.append(identity | {"diverged": index in diverging} | summary)
    study = Study(name=name, swept=tuple(points[0]), accuracy_threshold=0.6)
    return pd.DataFrame(rows), pd.DataFrame(runs), study


def with_preconditioned(trajectories, unconverged=()):
    """As of runs of Adam: a preconditioned eigenvalue that is 20 times λ_H^1, with the threshold 38/η.

    It did not converge at the steps ``unconverged``.
    """
    rows = trajectories[trajectories["quantity"] == "lambda_H_1"]
    rows = rows.assign(quantity="preconditioned_lambda_H_1", value=20 * rows["value"])
    value = trajectories["value"].where(trajectories["quantity"] != "threshold", 19 * trajectories["value"])
    converged = rows.assign(
        quantity="preconditioned_converged_H", value=np.where(rows["step"].isin(unconverged), 0.0, 1.0)
    )
    return pd.concat([trajectories.assign(value=value), rows, converged], ignore_index=True)


def make_embedding(trajectories, runs):
    """An embedding of the snapshots: a spiral for each run, whose distance grows with the step."""
    points = trajectories[trajectories["quantity"] == "lambda_K_1"]
    labels = [name for name in points if name not in ("epoch", "quantity", "value")]
    step, turn = points["step"], points["run"].rank(method="dense")
    low = points["learning_rate"] < points["learning_rate"].max()
    return points[labels].assign(
        x=step * np.cos(step / 50 + turn), y=step * np.sin(step / 50 + turn), distance=(step / 1000).where(low)
    )


CASES = {
    "learning_rate": {},
    "batch_size": {"name": "batch_size", "sweeps": {"batch_size": [8, 32, 128]}},
    "two": {"name": "two", "sweeps": {"learning_rate": [0.03, 0.3], "batch_size": [8, 32]}},
    "one_seed": {"name": "one_seed", "seeds": [0]},
    "no_sweep": {"name": "no_sweep", "sweeps": {}},
    "diverged": {"name": "diverged", "sweeps": {"learning_rate": [0.03, 0.1, 0.3, 3.0]}, "diverging": (4, 9, 10, 11)},
    "unconverged": {"name": "unconverged", "unconverged": (0, 4)},
    "missing": {"name": "missing", "missing": True},
    "momentum": {"name": "momentum", "sweeps": {"batch_size": [8, 32], "momentum": [0.0, 0.9]}},
    "names": {"name": "names", "sweeps": {"network": ["mlp", "simple_cnn"]}},
    "many": {"name": "many", "sweeps": {"learning_rate": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]}},
}  # fmt: skip
