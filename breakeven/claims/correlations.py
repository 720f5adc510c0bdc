"""Do two numbers rise and fall together, along a run or across the runs of a seed?"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from breakeven.claims import hypothesis_tests as statistics
from breakeven.claims import quantities
from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.catalogue import SYMBOLS, Claim, EarlyCorrelation, Generalization, PredictedMaximum
from breakeven.claims.evidence import RAW_AND_SMOOTHED, Evidence, in_all, join, maximum, row
from breakeven.claims.quantities import StudyTables

ENDS = {"break_even_epoch": "the break-even point", "threshold_epoch": "the accuracy threshold"}


def early_correlation(claim: Claim, test: EarlyCorrelation, study: StudyTables) -> Iterator[Evidence]:
    """Along the measured steps of each run until the end of its early phase."""
    runs, notes = complete(study.runs, study.swept)
    correlations = quantities.early_correlation(study, test.x, test.y, test.until)[runs.index]
    why = f"left out: {ENDS[test.until]} is never reached, or in fewer than {statistics.MIN_STEPS} measured steps"
    yield row(
        claim,
        f"{SYMBOLS[test.x]} and {SYMBOLS[test.y]} until {ENDS[test.until]}",
        by_seed(correlations, runs),
        statistics.mean,
        scale=math.tanh,
        our_value=in_all(np.tanh(correlations.dropna().to_numpy(float)), "runs"),
        notes=[*notes, *lacking(correlations, why)],
    )


def predicted_maximum(claim: Claim, test: PredictedMaximum, study: StudyTables) -> Iterator[Evidence]:
    """Max λ_H^1 and its prediction by Eq. 1, across all runs of each seed."""
    predicted = quantities.logarithms(quantities.column(study, "predicted_lambda_H"))
    for smoothed in RAW_AND_SMOOTHED:
        quantity = f"{maximum('lambda_H_1', smoothed)}, and its prediction by Eq. 1"
        largest = quantities.logarithms(quantities.maxima(study, "lambda_H_1", smoothed))
        yield _across_runs(claim, study, study.runs, quantity, predicted, largest)


def generalization(claim: Claim, test: Generalization, study: StudyTables) -> Iterator[Evidence]:
    """The final test accuracy, at each combination of the swept hyperparameters that are not of SGD."""
    accuracy = quantities.column(study, "final_test_accuracy")
    for symbol, values in _explaining(test, study):
        for others, runs in combinations(study, without=["learning_rate", "batch_size", "schedule"]):
            quantity = join([f"{SYMBOLS['final_test_accuracy']} and {symbol}", others])
            yield _across_runs(claim, study, runs, quantity, quantities.logarithms(values), accuracy)


def _explaining(test: Generalization, study: StudyTables) -> Iterator[tuple[str, pd.Series]]:
    """What the accuracy is compared with, by its symbol: a column of ``runs.csv``, or a maximum, raw and smoothed."""
    if test.quantity == "break_even_epoch":
        yield SYMBOLS[test.quantity], quantities.column(study, test.quantity)
        return
    for smoothed in RAW_AND_SMOOTHED:
        yield maximum(test.quantity, smoothed), quantities.maxima(study, test.quantity, smoothed)


def _across_runs(
    claim: Claim, study: StudyTables, runs: pd.DataFrame, quantity: str, x: pd.Series, y: pd.Series
) -> Evidence:
    """The correlation of ``x`` and ``y`` over the runs of each seed."""
    pair = pd.DataFrame({"x": x, "y": y})
    runs, notes = complete(runs, study.swept, pair["x"], pair["y"])
    groups = runs.join(pair).groupby("seed")
    values = np.array([statistics.linear_correlation(rows["x"].to_numpy(), rows["y"].to_numpy()) for _, rows in groups])
    known = values[np.isfinite(values)]
    if len(known) < len(values):
        few = f"fewer than {statistics.MIN_RUNS} runs, or all equal"
        notes.append(f"no correlation for {len(values) - len(known)} of {len(values)} seeds: {few}")
    our_value = in_all(np.tanh(known), "seeds")
    return row(claim, quantity, known, statistics.mean, scale=math.tanh, our_value=our_value, notes=notes)
