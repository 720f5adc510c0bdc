"""Studies of switched learning rates in worlds where it is known whether passing the break-even point leaves anything."""

import json
import math
from typing import Any

import numpy as np
from simulated_studies import run

SWEPT = ("learning_rate", "schedule")
BEFORE, AFTER = 0.9, 1.25  # break-even points: the runs that switch there are measured at other times since
SWITCH: dict[str, Any] = {"unit": "break_even", "learning_rate": 0.3}
SCHEDULES: dict[str, tuple[float, list[dict[str, Any]]]] = {  # the learning rate that each begins at, and its switches
    "second": (0.3, []),
    "first": (0.03, []),
    "other": (0.02, []),
    "before": (0.03, [SWITCH | {"at": BEFORE}]),
    "after": (0.03, [SWITCH | {"at": AFTER}]),
    "control": (0.02, [SWITCH | {"at": AFTER, "of": 0.03}]),
}
FIRST = {"before": "first", "after": "first", "control": "other"}
GRID = (*range(0, 201, 10), 250, 300, 400, 500, 600)  # measured steps, sparse late
END = GRID[-1]
NOISE = 0.3  # standard deviation of the logarithm of each measured value


def log_curves(random: np.random.Generator, growth: str) -> dict[str, np.ndarray]:
    """The curves of the constant rates, as logarithms at each step: those of the first two part from that of the second.

    ``growth``: they part at once and stay apart ("levels off"), or go on parting ("grows"), each in its own way.
    """
    t = np.arange(END + 1)
    size = math.exp(random.normal(0, 0.2))
    second = math.log(5) + 0.5 * np.exp(-(((t - 40) / 60) ** 2))
    if growth == "levels off":
        return {"second": second, "first": second + 2 * size * (1 - np.exp(-t / 60)),
                "other": second + 2.6 * size * (1 - np.exp(-t / 120))}  # fmt: skip
    return {"second": second, "first": second + size * t / 100, "other": second + 0.7 * size * (t / 100) ** 1.5}


def relaxed(curve: np.ndarray, second: np.ndarray, step: int, rate: np.ndarray, scale: str) -> np.ndarray:
    """``curve`` until the step; then its distance from ``second``, on a scale, shrinks by exp(−rate) in each step. Logarithms."""
    there, back = (np.exp, np.log) if scale == "linear" else (np.positive, np.positive)
    distance = (there(curve[step]) - there(second[step])) * np.exp(-np.cumsum(rate[step:]))
    after = back(there(second[step + 1 :]) + distance[: END - step])
    return np.concatenate([curve[: step + 1], after])


def by_progress(random: np.random.Generator) -> tuple[int, dict[str, np.ndarray]]:
    """A break-even point, and the curves of runs that know only how far they have trained, and their present rate.

    With u the sum of the learning rates so far, λ = min(g(u), 2/η) · exp(−u/U): it grows until Eq. 1 stops it, then decays.
    """
    begins_at, growth, end = (
        1.5 * random.lognormal(0, 0.1),
        1.2 * random.lognormal(0, 0.2),
        60 * random.lognormal(0, 0.2),
    )
    point = round(math.log(2 / 0.03 / begins_at) / growth / 0.03 / 10) * 10
    curves = {}
    for name, (eta, switches) in SCHEDULES.items():
        rate = np.full(END + 1, eta)
        for switch in switches:
            rate[round(switch["at"] * point) + 1 :] = switch["learning_rate"]
        trained = np.cumsum(rate)
        curves[name] = np.minimum(math.log(begins_at) + growth * trained, np.log(2 / rate)) - trained / end
    return point, curves


def switched_runs(
    random: np.random.Generator,
    seeds: int,
    growth: str = "levels off",
    slows: bool = False,
    scale: str = "log",
    passed: str = "",
    noise: float = NOISE,
    control: bool = True,
    **changes: Any,
) -> list[dict[str, Any]]:
    """The runs of a study. One without memory relaxes to the curve of its present rate; with ``slows``, the later the slower.

    ``growth``: see `log_curves`; or "by progress": all is as `by_progress` says.
    ``passed``: what one does that has passed its break-even point before the switch; empty: the same; "freezes": it goes on as
    if there were no switch; "forgets": it relaxes ten times as fast. ``control``: with the schedules of the control.
    ``changes``: columns of runs.csv, by schedule.
    """
    t = np.arange(END + 1)
    rate = 0.08 / (1 + t / 40) ** 1.5 if slows else np.full(END + 1, 0.02)
    runs = []
    for seed in range(seeds):
        point = int(random.choice(range(80, 161, 10)))
        if growth == "by progress":
            point, curves = by_progress(random)
        else:
            curves = log_curves(random, growth)
        steps = {"before": round(BEFORE * point), "after": round(AFTER * point), "control": round(AFTER * point)}
        for name, step in steps.items():
            if growth == "by progress":
                continue
            faster = {"freezes": 0, "forgets": 10}.get(passed, 1) if name == "after" else 1
            curves[name] = relaxed(curves[FIRST[name]], curves["second"], step, faster * rate, scale)
            if faster == 0:
                curves[name] = curves["first"]
        for name, values in curves.items():
            if name in ("other", "control") and not control:
                continue
            eta, switches = SCHEDULES[name]
            measured = {step: math.exp(values[step] + random.normal(0, noise)) for step in GRID}
            columns = {
                "break_even_step": {"first": point, "other": 400}.get(name),
                "first_switch_step": steps.get(name),
            }
            columns |= {"learning_rate": eta, "schedule": json.dumps(switches)} | changes.get(name, {})
            runs.append(run(seed, {"lambda_K_1": measured}, **columns))
    return runs
