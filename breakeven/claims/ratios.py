"""What is the ratio of two numbers: are they the same, or which is larger?"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from breakeven.claims import hypothesis_tests as statistics
from breakeven.claims import quantities
from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.catalogue import BatchNorm, Claim, Peak, PredictedPoint
from breakeven.claims.evidence import RAW_AND_SMOOTHED, Evidence, equivalence, join, maximum, row, with_names
from breakeven.claims.quantities import StudyTables


def peak(claim: Claim, test: Peak, study: StudyTables) -> Iterator[Evidence]:
    """The epoch of the largest value over the first epoch past the accuracy threshold."""
    runs, notes = complete(study.runs, study.swept)
    threshold = quantities.logarithms(quantities.column(study, "threshold_epoch"))[runs.index]
    for smoothed in RAW_AND_SMOOTHED:
        largest = quantities.logarithms(quantities.peak_epochs(study, test.quantity, smoothed))[runs.index]
        ratio = largest - threshold
        why = "left out: never past the threshold, a value that could not be computed, or largest at the start"
        yield row(
            claim,
            f"epoch of {maximum(test.quantity, smoothed)} / epoch past the accuracy threshold",
            by_seed(ratio, runs),
            statistics.mean,
            scale=math.exp,
            our_value=_means({"epoch of the peak": largest, "epoch of the threshold": threshold}),
            notes=[*notes, *lacking(ratio, why)],
        )


def predicted_point(claim: Claim, test: PredictedPoint, study: StudyTables) -> Iterator[Evidence]:
    """λ_H^1 at the break-even point over its prediction by Eq. 1."""
    runs, notes = complete(study.runs, study.swept)
    measured, predicted = (
        quantities.logarithms(quantities.column(study, name))[runs.index]
        for name in ("break_even_lambda_H", "predicted_lambda_H")
    )
    ratio = measured - predicted
    yield equivalence(
        claim,
        "λ_H^1 at break-even, measured / predicted by Eq. 1",
        by_seed(ratio, runs),
        our_value=_means({"measured": measured, "predicted": predicted}),
        notes=[*notes, *lacking(ratio, "left out: no break-even point, or λ_H^1 not above 0 there")],
    )


def batch_norm(claim: Claim, test: BatchNorm, study: StudyTables) -> Iterator[Evidence]:
    """A row for each network that is there with and without ``_bn``, at each combination of the other hyperparameters."""
    for others, runs in combinations(study, without=["network", "learning_rate"]):
        networks = sorted(set(runs["network"]))
        for plain in (name for name in networks if f"{name}_bn" in networks):
            lowest = runs["learning_rate"][runs["network"] == f"{plain}_bn"].min()
            rates = runs["learning_rate"][runs["network"] == plain]
            sides = [(f"{plain}_bn", lowest), (plain, rates[rates > lowest].min())]
            words = " / ".join(f"{name} at η = {rate:g}" for name, rate in sides)
            for smoothed in RAW_AND_SMOOTHED:
                quantity = join([f"{maximum(test.quantity, smoothed)}, {words}", others])
                yield _compared(claim, runs, quantity, sides, quantities.maxima(study, test.quantity, smoothed))


def _compared(
    claim: Claim, runs: pd.DataFrame, quantity: str, sides: list[tuple[str, float]], maxima: pd.Series
) -> Evidence:
    """Are ``maxima`` at the first of two sides, each a network and a learning rate, what they are at the second?"""
    logs = quantities.logarithms(maxima)
    chosen = pd.concat([runs[(runs["network"] == name) & (runs["learning_rate"] == rate)] for name, rate in sides])
    chosen, notes = complete(chosen, ["network", "learning_rate"], logs)
    table = chosen.assign(value=logs.reindex(chosen.index)).pivot(index="seed", columns="network", values="value")
    if table.shape[1] < 2:
        return Evidence(quantity, note=join([*notes, "one of the two is missing"]))
    values = [(math.exp(table[name].mean()), f"{name}, η = {rate:g}") for name, rate in sides]
    ratio = (table[sides[0][0]] - table[sides[1][0]]).to_numpy(float)
    return equivalence(claim, quantity, ratio, our_value=with_names(values), notes=notes)


def _means(logs: dict[str, pd.Series]) -> str:
    """The geometric means of several numbers of each run, over the runs that have them all."""
    known = pd.DataFrame(logs).dropna()
    return with_names([(float(np.exp(known[name].mean())), name) for name in logs])
