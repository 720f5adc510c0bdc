"""The verdicts are right as often as they say: smaller versions of what ``benchmarks/calibration.py`` prints.

What is counted among so many simulated studies may be off by what the binomial law allows for one in a thousand.
"""

import calibrate_claims
import calibrate_tests
import pytest
from scipy import stats

from breakeven.claims import hypothesis_tests
from breakeven.claims.catalogue import CLAIMS

STUDIES = 300
OF_CLAIMS = 12
WRONG, COVERED = 0.06, 0.93


def at_most(rate, studies=STUDIES):
    """The largest share of the studies that is no surprise where the true rate is at most this."""
    return stats.binom.ppf(0.999, studies, rate) / studies


def at_least(rate, studies=STUDIES):
    """The smallest share of the studies that is no surprise where the true rate is at least this."""
    return stats.binom.ppf(0.001, studies, rate) / studies


@pytest.mark.parametrize("noise", calibrate_tests.NOISES)
@pytest.mark.parametrize("kind", calibrate_tests.KINDS)
def test_without_an_effect_verdicts_are_rarely_wrong_and_intervals_cover(kind, noise):
    simulate, sizes = calibrate_tests.KINDS[kind]
    for size in (sizes[0], sizes[-1]):
        wrong, covered, odds = calibrate_tests.rates(simulate, calibrate_tests.NOISES[noise], size, STUDIES)
        assert wrong <= at_most(WRONG) and covered >= at_least(COVERED)
        assert odds == 0  # interval and verdict never disagree


def test_a_test_at_four_times_its_level_is_noticed(monkeypatch):
    monkeypatch.setattr(calibrate_tests, "LEVEL", 4 * hypothesis_tests.LEVEL)
    wrong, covered, _ = calibrate_tests.rates(calibrate_tests.ratio, calibrate_tests.normal, 10, STUDIES)
    assert wrong > at_most(WRONG) and covered < at_least(COVERED)


@pytest.mark.parametrize("world", calibrate_claims.WORLDS, ids=lambda world: f"{world.claims}: {world.words}")
def test_a_claim_fails_where_it_is_false(world):
    """One claim of each kind: in a false world hardly ever supported, where the opposite holds contradicted, else supported."""
    claim = next(claim for claim in CLAIMS if claim.id.startswith(world.claims))
    found = calibrate_claims.rates(world, claim, OF_CLAIMS)
    if world.truth == calibrate_claims.HOLDS:
        assert found["supported"] >= at_least(0.9, OF_CLAIMS) and found["contradicted"] == 0
        return
    assert found["supported"] <= at_most(WRONG, OF_CLAIMS)
    if world.truth == calibrate_claims.OPPOSITE:
        assert found["contradicted"] >= at_least(0.9, OF_CLAIMS)


def test_every_kind_of_claim_has_a_world_in_which_it_is_false():
    untold = {type(claim.test).__name__ for claim in CLAIMS}
    for world in calibrate_claims.WORLDS:
        if world.truth != calibrate_claims.HOLDS:
            untold -= {type(claim.test).__name__ for claim in CLAIMS if claim.id.startswith(world.claims)}
    assert not untold
