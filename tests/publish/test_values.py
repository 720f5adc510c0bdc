"""What words can name: each number is that of the tables, and what is not there, or no longer so, is an error."""

import pytest

from breakeven.publish.published import read_published
from breakeven.publish.values import Values
from breakeven.store.errors import UserError
from tests.publish.example import put_finding

RATE = ("C1.lambda_K.learning_rate", "rate")
SIZE = ("C1.lambda_H.batch_size", "size")


@pytest.fixture
def values(tmp_path):
    put_finding(tmp_path / "one")
    return Values(read_published(tmp_path / "one"))


def test_numbers_of_claims(values):
    assert values.effect(*RATE) == "0.25" and values.interval(*RATE) == "0.2 to 0.3"
    assert values.p(*RATE) == "< 0.001" and values.seeds(*RATE) == "8"
    assert values.ours(*RATE, "η = 0.1") == "1.54" and values.ours(*SIZE, "S = 8", where="η = 0.3") == "4"
    assert values.paper(RATE[0], "η = 0.01") == "3.01"
    assert values.ratio(values.paper(RATE[0], "η = 0.01"), values.paper(RATE[0], "η = 0.1")) == "3.5"
    assert values.size(*RATE) == "4 times" and values.size(*SIZE, where="η = 0.3") == "2 times"
    assert values.effect(*SIZE, where="η = 0.1") == "0.5" and values.effect(*SIZE, where="η = 0.3") == "2"
    assert values.p(*SIZE, where="η = 0.3") == "= 0.002"
    assert values.effect(*SIZE, where="η = 0.1", smoothed=False) == "7"
    assert values.says(*SIZE, "supported", smoothed=False) == "" and values.ours(*SIZE, "S = 8", smoothed=False) == "4"


def test_numbers_of_runs(values):
    """Of 1 and 100 the median is 50.5, the geometric mean 10."""
    assert values.runs("rate") == "3" and values.runs("rate", learning_rate=0.1) == "2"
    assert values.having("rate", "break_even_step") == "2"
    assert values.having("rate", "diverged") == "1" and values.having("rate", "diverged", seed=1) == "0"
    assert values.median("rate", "max_lambda_H", learning_rate=0.1) == "50.5"
    assert values.mean("rate", "max_lambda_H", learning_rate=0.1) == "10"
    assert values.span("rate", "max_lambda_H") == "1 to 100"
    assert values.median("rate", "break_even_step") == "20"
    assert values.per_cent("rate", "final_test_accuracy") == "75"


@pytest.mark.parametrize(
    ("name", "arguments", "settings", "words"),
    [
        ("effect", SIZE, {}, "one: 2 tests of C1.lambda_H.batch_size in study size where ''"),
        ("effect", (*SIZE, "η = 0.2"), {}, "one: 0 tests"),
        ("effect", ("C1.lambda_H.batch_size", "rate"), {}, "one: 0 tests"),
        ("ours", (*RATE, "η = 0.01"), {}, "has no number of 'η = 0.01'; it has: 1.54 (η = 0.1)"),
        ("says", (*RATE, "contradicted"), {}, "learning_rate is contradicted in study rate, and it is supported"),
        ("median", ("rate", "max_lambda_H"), {"learning_rate": 0.2}, "no run with {'learning_rate': 0.2}"),
        ("median", ("rate", "break_even_step"), {"seed": 1}, "has a break_even_step"),
    ],
)
def test_what_is_not_there(values, name, arguments, settings, words):
    with pytest.raises(UserError) as error:
        getattr(values, name)(*arguments, **settings)
    assert words in str(error.value)


def test_a_verdict_that_holds_leaves_no_text(values):
    assert values.says(*RATE, "supported") == ""
