"""Does the largest value along each run rise or fall across a sweep? Conjectures C1 and C2."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from breakeven.claims import hypothesis_tests as statistics
from breakeven.claims import quantities
from breakeven.claims.blocks import combinations, complete
from breakeven.claims.catalogue import SYMBOLS, Claim, Trend
from breakeven.claims.evidence import RAW_AND_SMOOTHED, Evidence, join, maximum, row, with_names
from breakeven.claims.hypothesis_tests import Numbers, Tested
from breakeven.claims.quantities import StudyTables


def trend(claim: Claim, test: Trend, study: StudyTables) -> Iterator[Evidence]:
    """A row at each combination of the other swept hyperparameters."""
    grids = list(combinations(study, without=[test.hyperparameter]))
    # a study can be several grids, not all of which sweep this one
    grids = [(others, runs) for others, runs in grids if runs[test.hyperparameter].nunique() > 1] or grids[:1]
    for smoothed in RAW_AND_SMOOTHED:
        maxima = quantities.maxima(study, test.quantity, smoothed)
        for others, runs in grids:
            yield _along(claim, test, runs, join([maximum(test.quantity, smoothed), others]), maxima.where(maxima > 0))


def _along(claim: Claim, test: Trend, runs: pd.DataFrame, quantity: str, maxima: pd.Series) -> Evidence:
    """The trend of ``maxima`` over ``runs``, which differ in nothing but the hyperparameter and the seed."""
    symbol = SYMBOLS[test.hyperparameter]
    runs, notes = complete(runs, [test.hyperparameter], maxima)
    table = runs.assign(value=maxima.reindex(runs.index)).pivot(
        index="seed", columns=test.hyperparameter, values="value"
    )
    table = table.sort_index(axis=1)
    if table.shape[1] < 2:
        return Evidence(quantity, note=join([*notes, f"fewer than 2 values of {symbol}: no trend"]))
    numbers = table.to_numpy(float)
    means = np.exp(np.log(numbers).mean(axis=0))
    named = [(mean, f"{symbol} = {value:g}") for value, mean in zip(table.columns, means, strict=True)]

    def tested(_: Numbers) -> Tested:
        return statistics.trend(numbers)

    ratios = np.log(numbers[:, -1] / numbers[:, 0])
    return row(claim, quantity, ratios, tested, scale=math.exp, our_value=with_names(named[::-1]), notes=notes)
