"""Studies with made-up numbers, as `breakeven.summary.summarise` would leave them."""

import pandas as pd

from breakeven.claims.study_tables import EMPTY_WITH, study_tables
from breakeven.specs.study import Study

STEPS_PER_EPOCH = 10
COLUMNS = {
    "break_even_lambda_H": None,
    "predicted_lambda_H": None,
    "break_even_epoch": None,
    "break_even_step": None,
    "threshold_epoch": None,
    "final_test_accuracy": None,
    "first_switch_step": None,
}


def run(seed, curves=None, diverged=False, learning_rate=0.1, batch_size=32, **columns):
    """One run: ``curves`` are values at steps 0, 10, 20, … (epochs 0, 1, 2, …), or by step; ``columns`` those of runs.csv."""
    return {"seed": seed, "curves": curves or {}, "diverged": diverged} | {
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        **columns,
    }


def tables(runs):
    """``runs.csv`` and ``trajectories.csv``."""
    rows, trajectories = [], []
    for index, described in enumerate(runs):
        name = f"run{index}"
        rows.append(COLUMNS | {"run": name} | {key: value for key, value in described.items() if key != "curves"})
        for quantity, values in described["curves"].items():
            if quantity in EMPTY_WITH:
                numbers = list(values.values()) if isinstance(values, dict) else values
                rows[-1] |= {EMPTY_WITH[quantity]: None if None in numbers else max(numbers)}
            at_steps = values if isinstance(values, dict) else {10 * i: value for i, value in enumerate(values)}
            trajectories += [
                (name, step, step / STEPS_PER_EPOCH, quantity, value)
                for step, value in at_steps.items()
                if value is not None
            ]
    return pd.DataFrame(rows), pd.DataFrame(trajectories, columns=["run", "step", "epoch", "quantity", "value"])


def study(runs, swept=("learning_rate",), name="main"):
    """The study with these runs."""
    return study_tables(Study(name, swept=tuple(swept)), *tables(runs))


def sweep(numbers, quantity="lambda_K_1", hyperparameter="learning_rate", diverged=()):
    """A run for each value of the hyperparameter and seed: ``numbers[value][seed]`` is attained at every step.

    ``diverged``: pairs of value and seed.
    """
    return [
        run(seed, {quantity: [number] * 5}, (value, seed) in diverged, **{hyperparameter: value})
        for value, row in numbers.items()
        for seed, number in enumerate(row)
    ]
