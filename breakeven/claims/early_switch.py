"""Does the early phase decide? A run that switches after its break-even point, against two that had not passed theirs.

Take a run that switches from η₁ to η₂ at step s, q the quantity along it, and q_η along the run that keeps η from the start. At
time τ after the switch this share of its distance from the curve of η₂ is left:

    r(τ) = (f(q(s + τ)) − f(q_η₂(s + τ))) / (f(q_η₁(s)) − f(q_η₂(s)))

It is 1 right after the switch, and falls to 0 as the run forgets where it was. Runs are compared at equal times since their
switches, never at equal steps, which would give the later switch less time to forget:

- with **the earlier switch**, from η₁ to η₂ before the break-even point. A system without memory, which relaxes to the curve of
  its present rate, has equal r after both, however the distance of the curves grows. But if everything changes more slowly late
  in training, more is left of the later switch, too.
- with **the control**, which begins at another rate and switches to η₂ at the same step, where it has not passed its own
  break-even point. A system without memory has equal r, also where it slows down as steps go by. But the two began at different
  rates, so that the control has trained less far by then if its rate is the smaller one, and starts at another distance.

What both say is explained by neither one's weakness. What is not excluded: that a network forgets less, the further (not the
longer) it has trained. f is the logarithm, and the quantity itself: a distance that shrinks exponentially on one scale does not
on the other, where more is left of a larger one, or less; and nobody knows the scale.

Schedules that do more than switch are left out: with warm-up or a decay the rate changes all the time, and there is no curve of a
rate to forget.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import combinations, complete
from breakeven.claims.evidence import Evidence, Unit, closest_to_zero, from_seeds
from breakeven.claims.hypothesis_tests import Numbers
from breakeven.claims.study_tables import WINDOW, StudyTables, curve, number
from breakeven.claims.words import joined, symbol, with_names
from breakeven.specs.run import Entry, Switch

ACCURACY = "test_accuracy"  # told as its error, which is a positive quantity as the others
APART = 1.5  # curves lie apart where they differ by this factor; a share of less than that would be one of noise
NO_CONTROL = (
    "no test: without a control, which switches as late without having passed its break-even point, lateness alone may "
    "leave as much"
)


@dataclass(frozen=True)
class Switched:
    """A schedule that switches once, and the one that keeps its first learning rate, in words."""

    schedule: str
    first: str


@dataclass(frozen=True)
class Comparison:
    """Schedules that switch, ``before`` or ``after`` the break-even point, to the learning rate that ``second`` keeps.

    ``control``: another first rate, at the step of ``after``; None where there is none.
    """

    second: str
    before: Switched
    after: Switched
    control: Switched | None = None

    @property
    def switched(self) -> list[Switched]:
        """Those that switch, the one that is compared with the others first."""
        return [self.after, self.before, *([] if self.control is None else [self.control])]

    @property
    def schedules(self) -> list[str]:
        """All, each once."""
        each = [self.second, *(name for one in self.switched for name in (one.schedule, one.first))]
        return list(dict.fromkeys(each))


@dataclass(frozen=True)
class EarlySwitch:
    """Is more left of the distance at the switch, if it comes after the break-even point?

    The number of a seed: with the mean of r over the measured times that all runs have, the differences after − before and
    after − control, on both scales; of these four the one that is closest to 0, and 0 where they differ in sign. So it is above
    0 only where all say that more is left. Effect: its median over seeds. Without a control there is no test. The distance at
    the switch, by which is divided, is that of the curves smoothed as in the paper.
    """

    quantity: str
    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = {
        1: "more is left if switched after the break-even point",
        -1: "less is left if switched after the break-even point",
    }
    findings: ClassVar[dict[int, str]] = {
        1: "a run that switches after its break-even point forgets less: {size} more of its distance in {about} is left",
        -1: "a run that switches after its break-even point forgets more: {size} less of its distance in {about} is left",
        0: "it is not clear that a run that switches after its break-even point forgets less: {effect} of its distance in "
        "{about} more is left",
    }
    needs: ClassVar[str] = "sweeps schedules that switch before and after the break-even point"

    def applies(self, compared: Collection[str]) -> bool:
        """On sweeps of the schedule; which switches there are, the runs say."""
        return "schedule" in compared

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each pair of learning rates, at each combination of the other swept hyperparameters."""
        for others, runs in combinations(tables, without=["schedule"]):
            for comparison in comparisons(schedules_of(runs)):
                chosen = runs[runs["schedule"].isin(comparison.schedules)]
                yield self._compared(tables, chosen, comparison, others)

    def _compared(self, tables: StudyTables, runs: pd.DataFrame, comparison: Comparison, others: str) -> Evidence:
        """What is left if the learning rate switches after the break-even point, less what is left otherwise."""
        words = [one.schedule for one in comparison.switched]
        name = "test error" if self.quantity == ACCURACY else symbol(self.quantity)
        where = joined([*words, others])
        quantity = joined([f"distance of {name} left at equal times since the switch", where])
        runs, notes = complete(runs, ["schedule"])
        ids = runs.assign(run=runs.index).pivot(index="seed", columns="schedule", values="run")
        if set(ids.columns) != set(comparison.schedules):
            note = joined([*notes, "the comparison takes all these schedules, with their constant rates"])
            return Evidence(quantity, note=note, where=where)
        left_out: dict[str, list[str]] = {}
        shares = []
        for seed, of_seed in ids.iterrows():
            try:
                shares.append(
                    shares_left(
                        tables, self.quantity, comparison, {str(name): str(run) for name, run in of_seed.items()}
                    )
                )
            except NoPosition as reason:
                left_out.setdefault(str(reason), []).append(str(seed))
        notes += [f"left out, {reason}: seed {', '.join(seeds)}" for reason, seeds in left_out.items()]
        table = np.array(shares).reshape(-1, len(words), 2)  # seeds, schedules, scales
        our_value = with_names([(float(np.median(table[:, i, 0])), word) for i, word in enumerate(words) if len(table)])
        numbers = closest_to_zero((table[:, :1] - table[:, 1:]).reshape(len(table), 2 * len(words) - 2))
        if comparison.control is None:
            return Evidence(quantity, our_value=our_value, note=joined([*notes, NO_CONTROL]), where=where)
        return from_seeds(quantity, numbers, Unit.DIFFERENCE, our_value=our_value, notes=notes, where=where)


class NoPosition(Exception):
    """Why a seed has no number."""


def shares_left(tables: StudyTables, quantity: str, comparison: Comparison, runs: Mapping[str, str]) -> Numbers:
    """The mean of r over the times that all have, of each schedule that switches, on either scale: (schedules, 2).

    ``runs``: the run of each schedule, of one seed.
    """
    switched = comparison.switched
    steps = [number(tables, runs[one.schedule], "first_switch_step") for one in switched]
    if any(map(math.isnan, steps)):
        raise NoPosition("a learning rate never switches")
    if comparison.control and number(tables, runs[comparison.control.first], "break_even_step") <= steps[-1]:
        raise NoPosition("the control had passed its own break-even point")
    second = _positive(tables, runs[comparison.second], quantity)
    firsts = [_both(_positive(tables, runs[one.first], quantity), second) for one in switched]
    at_switch = np.array([_distance(both, step) for both, step in zip(firsts, steps, strict=True)])
    apart = at_switch[:, 0] * np.sign(at_switch[0, 0])
    if not (apart >= math.log(APART)).all():
        raise NoPosition(
            f"the curves of the constant rates do not lie {APART} times apart, on one side, at each switch"
        )
    left = [
        _left(_both(_positive(tables, runs[one.schedule], quantity), second), step)
        for one, step in zip(switched, steps, strict=True)
    ]
    times = _common([each.steps for each in left])
    if not len(times):
        raise NoPosition("no measured times since the switch that all have")
    means = [[np.interp(times, each.steps, scale).mean() for scale in each.values] for each in left]
    shares: Numbers = np.array(means) / at_switch
    return shares


def schedules_of(runs: pd.DataFrame) -> dict[str, tuple[float, tuple[Entry, ...]]]:
    """The schedules of runs, by their words, sorted: the learning rate that each begins at, and its entries."""
    first = runs.drop_duplicates("schedule").sort_values("schedule")
    numbers = zip(first["learning_rate"].astype(float), first["entries"], strict=True)
    return dict(zip(first["schedule"], numbers, strict=True))


def comparisons(schedules: Mapping[str, tuple[float, tuple[Entry, ...]]]) -> list[Comparison]:
    """The comparisons that schedules allow, for each pair of learning rates that runs keep.

    Of several switches before the break-even point it takes the last, and of those after it the first; of several controls that
    whose first rate is closest.
    """
    constant = {rate: words for words, (rate, entries) in schedules.items() if not entries}
    once: dict[str, tuple[float, Switch]] = {}
    for words, (first, entries) in schedules.items():
        match entries:
            case (Switch(unit="break_even") as switch,) if first in constant:
                once[words] = first, switch
    found = []
    for first, second in dict.fromkeys((first, switch.learning_rate) for first, switch in once.values()):
        to_second = {words: pair for words, pair in once.items() if pair[1].learning_rate == second}
        own = {
            switch.at: words
            for words, (rate, switch) in to_second.items()
            if rate == first and switch.of in (None, first)
        }
        before, after = [at for at in own if at < 1], [at for at in own if at > 1]
        if not before or not after or second not in constant:
            continue
        at = min(after)
        controls = {
            rate: words
            for words, (rate, switch) in to_second.items()
            if rate != first and switch.of == first and switch.at == at
        }
        nearest = min(controls, key=lambda rate: abs(math.log(rate / first)), default=None)
        found.append(
            Comparison(
                constant[second],
                before=Switched(own[max(before)], constant[first]),
                after=Switched(own[at], constant[first]),
                control=None if nearest is None else Switched(controls[nearest], constant[nearest]),
            )
        )
    return found


@dataclass(frozen=True)
class _Curves:
    """Values at measured steps, or times: (steps,), and (curves, steps) or, of one, (steps,)."""

    steps: Numbers
    values: Numbers


def _positive(tables: StudyTables, run: str, quantity: str) -> _Curves:
    """The quantity along a run, where it is above 0; of the accuracy its error."""
    rows = curve(tables, run, quantity)
    steps, values = rows["step"].to_numpy(float), rows["value"].to_numpy(float)
    if quantity == ACCURACY:
        values = 1 - values
    return _Curves(steps[values > 0], values[values > 0])


def _both(one: _Curves, other: _Curves) -> _Curves:
    """Two curves at the steps that both have."""
    steps, i, j = np.intersect1d(one.steps, other.steps, return_indices=True)
    return _Curves(steps, np.stack([one.values[i], other.values[j]]))


def _scales(both: Numbers) -> Numbers:
    """The differences of two curves, on the logarithmic scale and on their own: (2, steps)."""
    logs = np.log(both)
    return np.stack([logs[0] - logs[1], both[0] - both[1]])


def _distance(both: _Curves, step: float) -> Numbers:
    """The distances of two curves at a step, on both scales, smoothed over measured steps; NaN where they don't reach so far."""
    if len(both.steps) < WINDOW:
        return np.full(2, math.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.vstack([both.steps, _scales(both.values)]), WINDOW, axis=1)
    centres, *smoothed = windows.mean(axis=2)  # a window of unequal gaps stands for its own middle
    return np.array([np.interp(step, centres, scale, left=math.nan, right=math.nan) for scale in smoothed])


def _left(both: _Curves, step: float) -> _Curves:
    """The differences of two curves, on both scales, by the time since a step, after it."""
    later = both.steps > step
    return _Curves(both.steps[later] - step, _scales(both.values[:, later]))


def _common(since: Sequence[Numbers]) -> Numbers:
    """The times of the first array that all have: measured, or between measured ones that are as close as those of the first.

    Between two times what is left is taken from the straight line, which lies above a curve that levels off: if at all, the
    comparison finds more left in the others.
    """
    times, *others = since
    if len(times) < 2 or any(len(other) < 2 for other in others):
        return np.array([])
    gaps = np.diff(times, prepend=2 * times[0] - times[1])
    shared = np.ones(len(times), dtype=bool)
    for other in others:
        after = np.searchsorted(other, times).clip(1, len(other) - 1)
        shared &= (other[0] <= times) & (times <= other[-1]) & (other[after] - other[after - 1] <= gaps)
    found: Numbers = times[shared]
    return found
