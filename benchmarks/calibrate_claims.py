"""For each kind of claim, worlds in which it is false, and one in which it holds: what the verdict says of them.

A world draws the runs of a study, as `breakeven.summary.summarise` would leave them. In a false world a claim may be supported
in at most 6 % of the studies; where the opposite holds it should be contradicted, and where it holds be supported.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import common
import numpy as np
import pandas as pd
from simulated_studies import run, study
from switched_worlds import SWEPT, switched_runs

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.claim import Claim
from breakeven.claims.evidence import Role
from breakeven.claims.hypothesis_tests import LEVEL, verdict
from breakeven.summary.proportionality import proportionality

SEEDS = 10
RATES = (0.03, 0.1, 0.3)
MANY_RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
FALSE, HOLDS, OPPOSITE = "false", "holds", "opposite"

Runs = list[dict[str, Any]]
Draw = Callable[[np.random.Generator], Runs]


@dataclass(frozen=True)
class World:
    """A world: the claims that it is about (their ids begin so), what is so in it, and what it makes of them.

    ``where``: the setting of the row that is asked; by default the first.
    """

    claims: str
    words: str
    truth: str
    draw: Draw
    swept: tuple[str, ...] = ("learning_rate",)
    where: str = ""


def level(random: np.random.Generator, spread: float = 0.3) -> float:
    """A log-normal factor about 1."""
    return float(random.lognormal(0, spread))


def walk(random: np.random.Generator, steps: int = 9) -> np.ndarray:
    """A random walk."""
    return random.normal(size=steps).cumsum()


# --- C1, C2: maxima along a sweep


def maxima(power: float) -> Draw:
    """Maxima are a power of the hyperparameter; seeds and runs differ."""

    def draw(random: np.random.Generator) -> Runs:
        return [
            run(seed, {"lambda_K_1": [1.0, 2.0 * top, 2.0 * top, 2.0 * top, 1.0]}, learning_rate=eta)
            for seed in range(SEEDS)
            for of_seed in [level(random, 0.5)]
            for eta in RATES
            for top in [of_seed * eta**power * level(random)]
        ]

    return draw


def falling(power: float) -> Draw:
    """λ_K^1 is largest at the start, the same for all runs of a seed, and falls to a power of the hyperparameter."""

    def draw(random: np.random.Generator) -> Runs:
        fall = np.array([0.6, 0.3, 0.1, 0.03, 0.01, 0.003])
        return [
            run(seed, {"lambda_K_1": [start, *(start * fall + end * noise).tolist()]}, learning_rate=eta)
            for seed in range(SEEDS)
            for start in [80.0 * level(random)]
            for eta in RATES
            for end in [10 * eta**power * level(random)]
            for noise in [random.lognormal(0, 0.2, len(fall))]
        ]

    return draw


# --- along runs


def curves(x: str, y: str, shared: float, until: str) -> Draw:
    """Two curves along one run of each seed: random walks that share a part."""

    def draw(random: np.random.Generator) -> Runs:
        runs = []
        for seed in range(SEEDS):
            own, other, common_part = (walk(random) for _ in range(3))
            pair = {x: np.exp(0.2 * (own + common_part)), y: np.exp(0.2 * (other + shared * common_part))}
            lists = {name: values.tolist() for name, values in pair.items()}
            runs.append(run(seed, lists, **{until: 8.0}))
        return runs

    return draw


def peaks(factor: float) -> Draw:
    """The peak comes at the epoch of the threshold times a factor, give or take."""

    def draw(random: np.random.Generator) -> Runs:
        runs = []
        for seed in range(SEEDS):
            of_seed = level(random)
            for eta in RATES:
                at = 12 * factor * of_seed * level(random)
                curve = [math.exp(-(((epoch - at) / 10) ** 2)) for epoch in range(60)]
                runs.append(
                    run(seed, {"lambda_K_1": curve, "lambda_H_1": curve}, learning_rate=eta, threshold_epoch=12.0)
                )
        return runs

    return draw


# --- Eq. 1


def growth(stopped_by: Callable[[float, np.random.Generator], float]) -> Draw:
    """λ_H^1 grows up to a level, then swings about it; Eq. 1 predicts break-even at 1.6/η, and calls it past that."""

    def draw(random: np.random.Generator) -> Runs:
        runs = []
        for seed in range(SEEDS):
            for eta in MANY_RATES:
                top = stopped_by(eta, random) * level(random, 0.1)
                curve = [top * min(1.0, 0.05 * 1.6**step) for step in range(8)] + [0.8 * top, 0.9 * top]
                predicted = 1.6 / eta * level(random, 0.1)
                crossed = next((value for value in curve if value >= predicted), None)
                first = next((10 * i for i in range(9) if curve[i] > curve[i + 1] and curve[i] >= top / 2), None)
                known = {"break_even_lambda_H": crossed, "predicted_lambda_H": predicted if crossed else None}
                runs.append(run(seed, {"lambda_H_1": curve}, learning_rate=eta, first_peak_step=first, **known))
        return runs

    return draw


def endless(factor: float) -> Draw:
    """λ_H^1 grows to the end of training, which comes at a factor of what Eq. 1 predicts."""

    def draw(random: np.random.Generator) -> Runs:
        return [
            run(
                seed,
                {"lambda_H_1": [factor * predicted * (step + 1) / 10 for step in range(10)]},
                learning_rate=eta,
                break_even_lambda_H=predicted,
                predicted_lambda_H=predicted,
            )
            for seed in range(SEEDS)
            for eta in RATES
            for predicted in [1.6 / eta * level(random, 0.1)]
        ]

    return draw


def unrelated(eta: float, random: np.random.Generator) -> float:
    """Growth ends where the data end it, far above the prediction at every η, and elsewhere at each."""
    return 400.0 * {rate: factor for rate, factor in zip(MANY_RATES, UNRELATED, strict=True)}[eta]


UNRELATED = (0.8, 1.3, 0.9, 1.2, 0.7, 1.1)


def points(related: bool) -> Draw:
    """What the points of a sweep do to two numbers, both or each by itself, the same for all seeds."""

    def draw(random: np.random.Generator) -> Runs:
        x, y = random.normal(0, 1, (2, len(MANY_RATES)))
        y = -x if related else y
        return [
            run(
                seed,
                {"lambda_K_1": [k] * 5, "lambda_H_1": [math.exp(y[i]) * level(random, 0.05)] * 5},
                learning_rate=eta,
                predicted_lambda_H=k,
                break_even_lambda_H=k,
                break_even_epoch=k,
                final_test_accuracy=0.8 + 0.02 * y[i] + 0.002 * random.normal(),
            )
            for seed in range(SEEDS)
            for i, eta in enumerate(MANY_RATES)
            for k in [math.exp(x[i]) * level(random, 0.05)]
        ]

    return draw


# --- what the model of the early phase assumes


def levels(quantity: str, about: float) -> Draw:
    """A quantity swings about a level until break-even, and is elsewhere after it."""

    def draw(random: np.random.Generator) -> Runs:
        return [
            run(
                seed,
                {quantity: [*(of_seed * random.lognormal(0, 0.3, 8)).tolist(), *[about**-3] * 8]},
                learning_rate=eta,
                break_even_epoch=7.0,
            )
            for seed in range(SEEDS)
            for of_seed in [about * level(random, 0.1)]
            for eta in RATES
        ]

    return draw


def proportional(power: float, noise: float) -> Draw:
    """λ_K^1 is a power of λ_H^1, which grows by two orders, times noise; both as in the tables of a run, summarised as there."""

    def draw(random: np.random.Generator) -> Runs:
        runs = []
        for seed in range(SEEDS):
            for eta in RATES:
                steps = range(0, 80, 10)
                h = np.geomspace(0.3, 30.0, len(steps)) * random.lognormal(0, 0.1, len(steps))
                k = 0.1 * level(random) * h**power * random.lognormal(0, noise, len(steps))
                tables = [pd.DataFrame({"step": steps, "lambda_1": values}) for values in (k, h)]
                early = proportionality(*tables, until=70)
                columns = {
                    "lambda_K_over_lambda_H": early.alpha,
                    "lambda_K_over_lambda_H_spread": early.spread,
                    "lambda_K_lambda_H_slope": early.slope,
                }
                runs.append(run(seed, learning_rate=eta, **columns))
        return runs

    return draw


def after_steps(unstable: float, stable: float = 1.05) -> Draw:
    """The curvature along e_H^1 changes by a factor in a step, another one where SGD is unstable."""

    def draw(random: np.random.Generator) -> Runs:
        runs = []
        for seed in range(SEEDS):
            for eta in RATES:
                side = random.lognormal(0, 0.7, 14)
                before = random.lognormal(2, 0.5, 14)
                change = np.where(side >= 1, unstable * level(random, 0.1), stable) * random.lognormal(0, 0.2, 14)
                curves = {"stability_lhs": side, "lambda_H_1": before, "curvature_after_step": before * change}
                runs.append(run(seed, {name: each.tolist() for name, each in curves.items()}, learning_rate=eta))
        return runs

    return draw


def at_sizes(draws: dict[int, Draw]) -> Draw:
    """Each batch size has a world of its own."""

    def draw(random: np.random.Generator) -> Runs:
        return [each | {"batch_size": size} for size, of_size in draws.items() for each in of_size(random)]

    return draw


# --- what stays at the edge

Ratio = Callable[[np.random.Generator, int], np.ndarray]


def edge(full: Ratio, equation_1: Ratio, batch: Ratio, beta: float = 0.0) -> Draw:
    """Three quantities grow to their thresholds, and are then what these say, over their thresholds, at so many steps.

    2/η is 20, and Eq. 1 puts λ_H^1 at 12; where the two theories of λ_H^1 differ, that of the full batch is asked first. With
    momentum, ``batch`` is over the lower plateau.
    """

    def draw(random: np.random.Generator) -> Runs:
        runs = []
        for seed in range(SEEDS):
            before, steps, of_seed = 6, 24, level(random, 0.05)
            growth = np.geomspace(0.05, 0.9, before)
            curvature = full(random, steps) * of_seed
            follows = equation_1(random, steps) * of_seed
            sharpness = 20 * (1 - beta) * batch(random, steps) * of_seed
            curve = np.concatenate([growth, curvature]) * 20 * (1 + beta)
            curves = {
                "lambda_H_1": curve,
                "threshold": np.full(before + steps, 20 * (1 + beta)),
                "break_even_curvature": curve / np.concatenate([growth, follows]),
                "batch_sharpness": np.concatenate([20 * growth, sharpness]),
                "lower_plateau": np.full(before + steps, 20 * (1 - beta)),
                "upper_plateau": np.full(before + steps, 20 * (1 + beta)),
            }
            lists = {name: values.tolist() for name, values in curves.items()}
            runs.append(run(seed, lists, first_peak_step=10.0 * before))
        return runs

    return draw


def about(middle: float, spread: float = 0.15) -> Ratio:
    """Noise about a level."""
    return lambda random, steps: middle * random.lognormal(0, spread, steps)


def swinging(size: float) -> Ratio:
    """Up and down about 1 by a factor: right on average, and hardly ever there."""
    return lambda random, steps: size ** np.where(np.arange(steps) % 2, 1.0, -1.0) * random.lognormal(0, 0.1, steps)


def vanishing(random: np.random.Generator, steps: int) -> np.ndarray:
    """At the edge, and ever less: the left-hand side of Eq. 1 goes to 1 as well."""
    return np.geomspace(1.0, 0.001, steps) * random.lognormal(0, 0.1, steps)


# --- batch normalization


def two_networks(ratio: float) -> Draw:
    """Maxima with batch normalization at the lowest η, and without at the next, are in a ratio."""

    def draw(random: np.random.Generator) -> Runs:
        sides = {("cnn_bn", 0.01): ratio, ("cnn", 0.1): 1.0, ("cnn", 0.01): 2.0, ("cnn_bn", 0.1): 2.0}
        return [
            run(
                seed,
                dict.fromkeys(["trace_over_lambda_1", "lambda_K_1", "g_over_g5"], [value * level(random, 0.1)] * 5),
                network=network,
                learning_rate=eta,
            )
            for seed in range(SEEDS)
            for (network, eta), value in sides.items()
        ]

    return draw


# --- trajectories


def parting(share: Callable[[np.ndarray, np.ndarray], np.ndarray], faster: float = 0.0) -> Draw:
    """λ_K^1 rises to a peak and falls; of the way that predictions go at the smaller rate, a share leads away from the larger.

    ``share``: of the time, from 0 to 1, and of λ_K^1 over its peak, noise aside. ``faster``: how much more predictions move where
    λ_K^1 is high.
    """

    def draw(random: np.random.Generator) -> Runs:
        runs = []
        for seed in range(SEEDS):
            time = np.linspace(0, 1, 41)
            peak = random.uniform(0.25, 0.45)
            lambda_k = np.exp(-(((time - peak) / 0.12) ** 2)) + 0.02
            noisy = lambda_k * random.lognormal(0, 0.1, len(time))
            way = random.lognormal(0, 0.3, 40) * (1 + faster * lambda_k[1:])
            away = np.clip(share(time[1:], lambda_k[1:]) + random.normal(0, 0.3, 40), -1, 1) * way
            curves = {
                "lambda_K_1": noisy.tolist(),
                "moved": [None, *way.tolist()],
                "distance_to_path": [0.0, *away.cumsum().tolist()],
            }
            runs += [
                run(seed, curves, learning_rate=0.03),
                run(seed, {"lambda_K_1": noisy.tolist()}, learning_rate=0.3),
            ]
        return runs

    return draw


# --- learning rates that switch


def switched(**settings: Any) -> Draw:
    """A world of `switched_worlds`."""
    return lambda random: switched_runs(random, SEEDS, **settings)


NETWORKS = ("learning_rate", "network")
SIZES = ("batch_size", "learning_rate")
MIXED = (  # a claim, what is so at S = 8 and at S = 32, and how: on average over both it would be as the claim says
    (
        "proportional",
        "nothing to do with it at S = 8, its square at S = 32",
        ((OPPOSITE, proportional(0, 0.3)), (OPPOSITE, proportional(2, 0.3))),
    ),
    (
        "quadratic",
        "off by a twentieth at S = 8, by twice the term at S = 32",
        ((HOLDS, levels("example_quadratic_error", 0.05)), (OPPOSITE, levels("example_quadratic_error", 2.0))),
    ),
    ("falls", "by much at S = 8, rises at S = 32", ((HOLDS, after_steps(0.4)), (OPPOSITE, after_steps(1.3)))),
)
THEORIES = ("full_batch", "equation_1", "batch_sharpness")  # in the order in which `edge` takes them
WORLDS = [
    World("C1.lambda_K.learning_rate", "λ_K^1 has nothing to do with η", FALSE, maxima(0)),
    World("C1.lambda_K.learning_rate", "λ_K^1 rises with η", OPPOSITE, maxima(0.5)),
    World("C1.lambda_K.learning_rate", "λ_K^1 falls by a factor of 3 over a factor of 10 in η", HOLDS, maxima(-0.5)),
    World("C1.lambda_K.learning_rate", "it only falls, to levels that have nothing to do with η", FALSE, falling(0)),
    World("C1.lambda_K.learning_rate", "it only falls, and to higher levels for a larger η", OPPOSITE, falling(0.5)),
    World("C1.lambda_K.learning_rate", "it only falls, and to lower levels for a larger η", HOLDS, falling(-0.5)),
    World("early.lambda_K", "two random walks", FALSE, curves("lambda_K_1", "lambda_H_1", 0, "break_even_epoch")),
    World("early.lambda_K", "they part", OPPOSITE, curves("lambda_K_1", "lambda_H_1", -2, "break_even_epoch")),
    World("early.lambda_K", "they share most", HOLDS, curves("lambda_K_1", "lambda_H_1", 2, "break_even_epoch")),
    World("early.alpha_star", "two random walks", FALSE, curves("lambda_K_1", "alpha_star", 0, "threshold_epoch")),
    World(
        "early.alpha_star", "α* grows with λ_K^1", OPPOSITE, curves("lambda_K_1", "alpha_star", 2, "threshold_epoch")
    ),
    World("early.alpha_star", "α* falls with λ_K^1", HOLDS, curves("lambda_K_1", "alpha_star", -2, "threshold_epoch")),
    World("peak.", "the peak comes when the threshold does", FALSE, peaks(1.0)),
    World("peak.", "the peak comes later", OPPOSITE, peaks(1.8)),
    World("peak.", "the peak comes before", HOLDS, peaks(0.5)),
    World("break_even.point", "Eq. 1 stops nothing: growth ends where the data end it", OPPOSITE, growth(unrelated)),
    World("break_even.point", "growth ends at a factor of 1.5 of it", FALSE, growth(lambda eta, _: 1.5 * 1.6 / eta)),
    World("break_even.point", "nothing stops growth but the end of training, at 1.4 of it", FALSE, endless(1.4)),
    World("break_even.point", "nothing stops growth but the end of training, at 3 times it", OPPOSITE, endless(3.0)),
    World("break_even.point", "growth ends there", HOLDS, growth(lambda eta, _: 1.1 * 1.6 / eta)),
    World("break_even.maximum", "each point of the sweep has its own level", FALSE, points(related=False)),
    World(
        "break_even.maximum",
        "growth ends in proportion to the prediction",
        HOLDS,
        growth(lambda eta, _: 1.8 * 1.6 / eta),
    ),
    World("break_even.maximum", "it is the other way round", OPPOSITE, points(related=True)),
    World("assumption.alignment", "e_K^1 lies as much along e_H^1 as across", FALSE, levels("alignment", 2**-0.5)),
    World("assumption.alignment", "e_K^1 has nothing to do with e_H^1", OPPOSITE, levels("alignment", 0.02)),
    World("assumption.alignment", "e_K^1 lies along e_H^1", HOLDS, levels("alignment", 0.95)),
    World("assumption.quadratic", "off by half", FALSE, levels("example_quadratic_error", 0.5)),
    World(
        "assumption.quadratic", "off by as much as the term itself", OPPOSITE, levels("example_quadratic_error", 1.0)
    ),
    World("assumption.quadratic", "off by a fifth", HOLDS, levels("example_quadratic_error", 0.2)),
    World("assumption.proportional", "λ_K^1 has nothing to do with λ_H^1", OPPOSITE, proportional(0, 0.3)),
    World("assumption.proportional", "λ_K^1 is the square of λ_H^1", OPPOSITE, proportional(2, 0.3)),
    World("assumption.proportional", "to the power of one and a half", FALSE, proportional(1.5, 0.3)),
    World("assumption.proportional", "in proportion", HOLDS, proportional(1, 0.3)),
    World("assumption.spread", "in proportion, with much noise", OPPOSITE, proportional(1, 1.0)),
    World("assumption.spread", "as its square", OPPOSITE, proportional(2, 0.1)),
    World("assumption.spread", "in proportion", HOLDS, proportional(1, 0.2)),
    World("assumption.falls", "unstable steps do nothing to the curvature", FALSE, after_steps(1.0)),
    World("assumption.falls", "it rises at unstable steps, and falls at stable ones", OPPOSITE, after_steps(1.3, 0.7)),
    World("assumption.falls", "it falls at unstable steps", HOLDS, after_steps(0.7)),
    *(
        World(
            f"assumption.{name}",
            f"{words}: at {where}",
            truth,
            at_sizes({8: small, 32: large}),
            SIZES,
            where,
        )
        for name, words, ((true_8, small), (true_32, large)) in MIXED
        for where, truth in (("S = 8", true_8), ("S = 32", true_32))
    ),
    *(
        World(f"theories.{name}", words, truth, edge(*(ratio if name == each else about(3.0) for each in THEORIES)))
        for name in THEORIES
        for words, truth, ratio in (
            ("it stays a factor of 3 below its threshold", OPPOSITE, about(1 / 3)),
            ("it stays at a factor of 1.5", FALSE, about(1.5, 0.02)),
            ("it swings about it by a factor of 3", OPPOSITE, swinging(3.0)),
            ("it vanishes", OPPOSITE, vanishing),
            ("it stays there, and the others do not", HOLDS, about(1.0)),
        )
    ),
    *(
        World(
            f"theories.{name}",
            "λ_H^1 stops where Eq. 1 is stable, and batch sharpness says so",
            truth,
            edge(about(0.2), about(0.3), about(1)),
        )
        for name, truth in zip(THEORIES, (OPPOSITE, OPPOSITE, HOLDS), strict=True)
    ),
    World("theories.batch_sharpness", "it is at the upper plateau", OPPOSITE, edge(about(1), about(1), about(19), 0.9)),
    World("theories.batch_sharpness", "it is at the lower one", HOLDS, edge(about(1), about(1), about(1), 0.9)),
    World(
        "theories.batch_sharpness_upper", "it is at the upper plateau", HOLDS, edge(about(1), about(1), about(19), 0.9)
    ),
    World(
        "theories.batch_sharpness_upper", "it is at the lower one", OPPOSITE, edge(about(1), about(1), about(1), 0.9)
    ),
    World("theories.batch_sharpness_upper", "it is between the two", OPPOSITE, edge(about(1), about(1), about(4), 0.9)),
    World("batch_norm.", "a ratio of 3", OPPOSITE, two_networks(3.0), NETWORKS),
    World("batch_norm.", "a ratio of 1.5", FALSE, two_networks(1.5), NETWORKS),
    World("batch_norm.", "equal", HOLDS, two_networks(1.0), NETWORKS),
    World("trajectories.", "they part at one pace", FALSE, parting(lambda time, _: 0.3 + 0 * time)),
    World(
        "trajectories.", "at one pace, and all moves more at the peak", FALSE, parting(lambda t, _: 0.3 + 0 * t, 4.0)
    ),
    World("trajectories.", "the faster the later", FALSE, parting(lambda time, _: 0.8 * time)),
    World("trajectories.", "at once, and no more", FALSE, parting(lambda time, _: np.exp(-time / 0.2))),
    World(
        "trajectories.",
        "at one pace from the peak of λ_K^1 on",
        FALSE,
        parting(lambda _, high: 0.5 * np.maximum.accumulate(high > 0.5)),
    ),
    World("trajectories.", "only where λ_K^1 is low", OPPOSITE, parting(lambda _, high: 0.5 * (high < 0.5))),
    World("trajectories.", "while λ_K^1 is high", HOLDS, parting(lambda _, high: 0.5 * (high > 0.5))),
    World("early_phase.lambda_K", "no memory, while the curves go on parting", FALSE, switched(growth="grows"), SWEPT),
    World("early_phase.lambda_K", "no memory, and forgetting slows down", FALSE, switched(slows=True), SWEPT),
    World("early_phase.lambda_K", "the same, on the linear scale", FALSE, switched(slows=True, scale="linear"), SWEPT),
    World(
        "early_phase.lambda_K",
        "λ_K^1 depends on how far a run has trained",
        FALSE,
        switched(growth="by progress"),
        SWEPT,
    ),
    World(
        "early_phase.lambda_K", "past break-even, a run forgets at once", OPPOSITE, switched(passed="forgets"), SWEPT
    ),
    World("early_phase.lambda_K", "past break-even, it keeps its position", HOLDS, switched(passed="freezes"), SWEPT),
    World("generalization.", "accuracy has its own course over the sweep", FALSE, points(related=False)),
    World("generalization.", "accuracy falls where λ_K^1 rises", HOLDS, points(related=True)),
]


def report(studies: int) -> str:
    """A table of how often each verdict comes in each world."""
    header = ["claim", "world", "truth", "supported", "contradicted", "inconclusive"]
    title = f"### Claims: verdicts in simulated worlds, {SEEDS} seeds, {studies} studies each (false: supported at most 6 %)"
    return f"{title}\n\n{common.table(header, rows(studies))}"


def rows(studies: int) -> Iterator[list[str]]:
    """A row for each claim and world."""
    pairs = [(world, claim) for world in WORLDS for claim in CLAIMS if claim.id.startswith(world.claims)]
    for world, claim in pairs:
        found = rates(world, claim, studies)
        shares = [f"{found[name]:.1%}" for name in ("supported", "contradicted", "inconclusive")]
        yield [claim.id, world.words, world.truth, *shares]


def rates(world: World, claim: Claim, studies: int) -> dict[str, float]:
    """How often each verdict comes of the primary test of ``claim``, judged alone."""
    random = np.random.default_rng(0)
    verdicts = [of_study(claim, study(world.draw(random), world.swept), world.where) for _ in range(studies)]
    return {name: verdicts.count(name) / studies for name in ("supported", "contradicted", "inconclusive")}


def of_study(claim: Claim, tables: Any, where: str) -> str:
    """The verdict of the first primary row that the study has, at the setting ``where``."""
    row = next(row for row in claim.test.rows(tables) if row.role is Role.PRIMARY and where in row.where)
    if row.sample is None:
        return verdict(False, False)
    return verdict(row.sample.p_value <= LEVEL, row.sample.direction == claim.test.direction)
