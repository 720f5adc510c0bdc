"""The verdicts are right as often as they say: simulated studies each way, of five seeds.

With no effect, a verdict is wrong in at most 5 % of the studies; with the effect stated, it is `supported` at least as
often as stated. Noise is log-normal, with a standard deviation of 0.3 in the logarithm, and seeds differ by more than that.

There are 300 studies of each kind, or as many as BREAKEVEN_CALIBRATION says; what is counted among them may be off by what
the binomial law allows for one in a hundred. A test at twice its level shows in 300, smaller faults in 10,000.
"""

import math
import os

import numpy as np
import pytest
from scipy import stats

from breakeven.claims import hypothesis_tests

STUDIES = int(os.environ.get("BREAKEVEN_CALIBRATION", "300"))
SEEDS, NOISE = 5, 0.3


def at_most(rate):
    """The largest share of the studies that is no surprise where the true rate is at most this."""
    return stats.binom.ppf(0.99, STUDIES, rate) / STUDIES


def at_least(rate):
    """The smallest share of the studies that is no surprise where the true rate is at least this."""
    return stats.binom.ppf(0.01, STUDIES, rate) / STUDIES


ALLOWED = at_most(hypothesis_tests.LEVEL)


def sweeps(random, factor, values):
    """λ_K^1 of every seed at each value, falling by ``factor`` from the first value to the last."""
    falls = factor ** -np.linspace(0, 1, values)
    return falls * np.exp(random.normal(0, 0.5, (SEEDS, 1)) + random.normal(0, NOISE, (SEEDS, values)))


def trend(random, effect, values=3):
    tested = hypothesis_tests.page_trend(sweeps(random, effect, values))
    return tested.p_value, tested.direction == -1


def pairs(random, effect):
    return trend(random, effect, values=2)


def early_phase(random, effect):
    """Two runs of each seed, two curves of eight steps: random walks that share a part."""
    z = []
    for _ in range(SEEDS):
        walks = random.normal(size=(2, 3, 8)).cumsum(axis=2)
        runs = [(own + effect * shared, other + effect * shared) for own, other, shared in walks]
        z.append(np.mean([hypothesis_tests.spearman_z(np.exp(x), y) for x, y in runs]))
    tested = hypothesis_tests.t_test(np.array(z))
    return tested.p_value, tested.direction == 1


def across_runs(random, effect):
    """Three runs of each seed: a number, and another that follows it with noise."""
    z = []
    for _ in range(SEEDS):
        x = random.normal(size=3)
        z.append(hypothesis_tests.pearson_z(x, effect * x + random.normal(size=3)))
    tested = hypothesis_tests.t_test(np.array(z))
    return tested.p_value, tested.direction == 1


def equivalence(random, effect):
    """The logarithms of a ratio, which is ``effect``, with half the noise: seeds are averages over several runs."""
    tested = hypothesis_tests.equivalence_test(math.log(effect) + random.normal(0, NOISE / 2, SEEDS), math.log(1.5))
    return tested.p_value, tested.direction == 1


def rates(kind, effect):
    """How often each verdict comes, of `STUDIES` of one claim."""
    random = np.random.default_rng(0)
    verdicts = []
    for _ in range(STUDIES):
        p_value, as_expected = kind(random, effect)
        verdicts.append(hypothesis_tests.verdict(*hypothesis_tests.adjusted([p_value]), as_expected))
    return {name: verdicts.count(name) / STUDIES for name in ("supported", "contradicted", "inconclusive")}


def told(capsys, what, found):
    with capsys.disabled():
        print(f"\n{what}: {', '.join(f'{name} {rate:.1%}' for name, rate in found.items())}")


@pytest.mark.parametrize(("kind", "nothing"), [(trend, 1), (pairs, 1), (early_phase, 0), (across_runs, 0)])
def test_without_an_effect_a_verdict_is_wrong_at_most_at_the_level(kind, nothing, capsys):
    found = rates(kind, nothing)
    told(capsys, f"{kind.__name__}, no effect", found)
    assert found["supported"] + found["contradicted"] <= ALLOWED


@pytest.mark.parametrize("kind", [pairs, across_runs])
def test_a_test_at_twice_its_level_is_noticed(kind, monkeypatch, capsys):
    monkeypatch.setattr(hypothesis_tests, "LEVEL", 2 * hypothesis_tests.LEVEL)
    found = rates(kind, 1 if kind is pairs else 0)
    told(capsys, f"{kind.__name__} at twice the level, no effect", found)
    assert found["supported"] + found["contradicted"] > ALLOWED


@pytest.mark.parametrize(
    ("kind", "effect", "power"),
    [
        (trend, 2, 0.7),  # from the smallest to the largest of three values by a factor of two
        (trend, 3, 0.95),
        (pairs, 2, 0.7),
        (early_phase, 2, 0.95),  # four fifths of the variance of a step are shared
        (across_runs, 4, 0.9),
        (equivalence, 1, 0.95),
    ],
)
def test_an_effect_is_supported_at_the_stated_power(kind, effect, power, capsys):
    found = rates(kind, effect)
    told(capsys, f"{kind.__name__}, effect {effect}", found)
    assert found["supported"] >= at_least(power)
    assert found["contradicted"] <= at_most(0.001)


def test_at_the_bound_of_the_equivalence_each_verdict_is_wrong_at_most_at_the_level(capsys):
    """The true ratio is 1.5, where either verdict is hardest to get right; the test has two one-sided levels of 5 %."""
    found = rates(equivalence, 1.5)
    told(capsys, "equivalence, ratio 1.5", found)
    assert found["supported"] <= ALLOWED and found["contradicted"] <= ALLOWED


def test_a_different_ratio_is_contradicted(capsys):
    found = rates(equivalence, 3)
    told(capsys, "equivalence, ratio 3", found)
    assert found["contradicted"] >= at_least(0.95) and found["supported"] == 0


def test_of_many_claims_without_an_effect_none_gets_a_verdict(capsys):
    """Any wrong verdict among eight claims of one evaluation, of trends and pairs: in at most 5 % of the evaluations."""
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(STUDIES):
        p_values = [kind(random, 1)[0] for kind in (trend, pairs) for _ in range(4)]
        wrong += any(hypothesis_tests.verdict(p, True) != "inconclusive" for p in hypothesis_tests.adjusted(p_values))
    told(capsys, "any of eight claims, no effect", {"wrong": wrong / STUDIES})
    assert wrong / STUDIES <= ALLOWED
