"""Does the early phase decide? Runs whose learning rate switches before the break-even point, against those after it."""

import math
import re
from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from breakeven.claims import hypothesis_tests as statistics
from breakeven.claims import quantities
from breakeven.claims.blocks import combinations, complete
from breakeven.claims.catalogue import SYMBOLS, Claim, Switch
from breakeven.claims.evidence import Evidence, join, row, with_names
from breakeven.claims.quantities import StudyTables

# how `breakeven.config.plan` writes a schedule with one switch, in the column of that name
SWITCHED = re.compile(r"(?P<first>[^, ]+), (?P<second>[^, ]+) from (?P<at>[^, ]+) x break-even")
ACCURACY = "final_test_accuracy"


def switch(claim: Claim, test: Switch, study: StudyTables) -> Iterator[Evidence]:
    """A row for each pair of learning rates, at each combination of the other swept hyperparameters."""
    for others, runs in combinations(study, without=["schedule"]):
        for labels in triples(set(runs["schedule"].astype(str))):
            yield _compared(claim, test, study, runs[runs["schedule"].astype(str).isin(labels)], labels, others)


def triples(labels: Collection[str]) -> list[tuple[str, str, str]]:
    """The comparisons that the schedules of a study allow, by their labels, with η₂ the rate after the switch.

    η₂ from the start; the last switch to it before the break-even point; the first switch to it after that.
    """
    found: dict[tuple[str, str], dict[float, str]] = {}
    for label in labels:
        match = SWITCHED.fullmatch(label)
        if match and match["second"] in labels:
            found.setdefault((match["first"], match["second"]), {})[float(match["at"])] = label
    chosen = []
    for (_, second), by_multiple in sorted(found.items()):
        before = [at for at in by_multiple if at < 1]
        after = [at for at in by_multiple if at > 1]
        if before and after:
            chosen.append((second, by_multiple[max(before)], by_multiple[min(after)]))
    return chosen


def _compared(
    claim: Claim, test: Switch, study: StudyTables, runs: pd.DataFrame, labels: tuple[str, str, str], others: str
) -> Evidence:
    """How much further the later switch ends from η₂ from the start than the earlier one."""
    accuracy = test.quantity == ACCURACY
    symbol = SYMBOLS[test.quantity] + ("" if accuracy else " after both switches")
    quantity = join([symbol, *labels[1:], others])
    runs, notes = complete(runs, ["schedule"])
    ids = runs.assign(run=runs.index).astype({"schedule": str}).pivot(index="seed", columns="schedule", values="run")
    if set(ids.columns) != set(labels):
        return Evidence(quantity, note=join([*notes, "the comparison takes all three schedules"]))
    values = np.array([_ends(study, list(of_seed), test.quantity) for of_seed in ids[list(labels)].to_numpy()])
    known = np.isfinite(values).all(axis=1)
    if not known.all():
        seeds = ", ".join(str(seed) for seed in ids.index[~known])
        notes.append(f"seeds left out, without a switch or a measured step after it: {seeds}")
    table = values[known]
    reference, before, after = table.T
    return row(
        claim,
        quantity,
        np.abs(after - reference) - np.abs(before - reference),
        statistics.mean,
        our_value=_named(table if accuracy else np.exp(table), labels, accuracy),
        notes=notes,
    )


def _ends(study: StudyTables, runs: list[str], quantity: str) -> list[float]:
    """Where the three runs of a seed end: their test accuracies, or the mean logarithms of a quantity after both switches.

    The mean is over the steps that all three are measured at. NaN where a switch never came or nothing follows it.
    """
    switches = [quantities.number(study, run, "first_switch_step") for run in runs[1:]]
    if any(map(math.isnan, switches)):
        return [math.nan] * len(runs)
    if quantity == ACCURACY:
        return [quantities.number(study, run, ACCURACY) for run in runs]
    curves = [quantities.curve(study, run, quantity).set_index("step")["value"] for run in runs]
    table = pd.concat(curves, axis=1, join="inner")
    table = table[(table.index > max(switches)) & (table > 0).all(axis=1)]
    return list(np.log(table.to_numpy(float)).mean(axis=0)) if len(table) else [math.nan] * len(runs)


def _named(table: statistics.Numbers, labels: tuple[str, str, str], plain: bool) -> str:
    """The three means over seeds, plain or geometric, with the learning rates that they belong to."""
    if not len(table):
        return ""
    means = table.mean(axis=0) if plain else np.exp(np.log(table).mean(axis=0))
    names = [f"η = {labels[0]} from the start", *(f"η = {label}" for label in labels[1:])]
    return with_names(list(zip(means, names, strict=True)))
