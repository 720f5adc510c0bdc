"""Which figures a study asks for."""

import pytest

from breakeven.figures import registry
from breakeven.figures.registry import DEFAULT, FIGURES
from breakeven.store.errors import ConfigError
from tests.config.example import edited, plan_of

SEEDS = "    seeds: [0, 1]\n"
LAST, FIRST = list(FIGURES)[-1], next(iter(FIGURES))


@pytest.fixture
def special(monkeypatch):
    """A figure that is drawn only where it is asked for."""
    monkeypatch.setitem(registry.FIGURES, "special", "A caption.")
    monkeypatch.setattr(registry, "ON_REQUEST", registry.ON_REQUEST | {"special"})


def figures_of(tmp_path, text):
    return plan_of(tmp_path, edited((SEEDS, SEEDS + text))).studies["main"].figures


def test_every_figure_that_is_not_special_is_the_default(special, tmp_path):
    expected = tuple(name for name in FIGURES if name not in registry.ON_REQUEST)
    assert figures_of(tmp_path, "") == figures_of(tmp_path, f"    figures: [{DEFAULT}]\n") == expected
    assert "special" not in expected and len(expected) >= 9


def test_figures_that_are_asked_for_come_in_the_order_of_the_report(special, tmp_path):
    assert figures_of(tmp_path, f"    figures: [{LAST}, {FIRST}]\n") == (FIRST, LAST)
    default = figures_of(tmp_path, "")
    assert figures_of(tmp_path, f"    figures: [special, {LAST}, {DEFAULT}]\n") == (*default, "special")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lambda_k]", r"figures\[0\]: 'lambda_k' is not known; allowed: .*lambda_K.*; did you mean 'lambda_K'\?"),
        ("[default, all]", r"figures\[1\]: 'all' is not known; allowed: .*default.*maxima"),
        ("[maxima, maxima]", r"figures: 'maxima' stands here more than once"),
        ("[]", r"figures: must not be empty"),
        ("maxima", r"figures: 'maxima' is not a list"),
        ("[3]", r"figures\[0\]: 3 is not a text"),
    ],
)
def test_wrong_names_are_told_with_what_is_allowed(tmp_path, text, message):
    with pytest.raises(ConfigError, match=rf":\d+: studies\.main\.{message}"):
        figures_of(tmp_path, f"    figures: {text}\n")


def test_a_figure_of_what_is_not_measured_is_refused(tmp_path):
    asked = "    figures: [blocks]\n"
    with pytest.raises(
        ConfigError, match=r"figures\[0\]: 'blocks' would show nothing: .* measurements\.hessian\.blocks"
    ):
        figures_of(tmp_path, asked)
    text = edited((SEEDS, SEEDS + asked), ("measurements:", "measurements:\n  hessian: {blocks: layer}"))
    assert plan_of(tmp_path, text).studies["main"].figures == ("blocks",)


@pytest.mark.parametrize(
    ("optimizers", "text", "shown"),
    [
        ("[sgd]", "", False),
        ("[sgd, adam]", "", True),
        ("[adamw]", "", True),  # whose module imports it
        ("[rmsprop]", "", True),
        ("[FILE]", "def build(parameters): pass\n", False),
        ("[FILE]", "def build(parameters): pass\ndef preconditioner(state): pass\n", True),
    ],
)
def test_a_figure_of_the_preconditioned_h_takes_a_preconditioner(tmp_path, optimizers, text, shown):
    file = tmp_path / "mine.py"
    file.write_text(text, encoding="utf-8")
    optimizers = optimizers.replace("FILE", f"'{file}:build'")
    sweep = ("      learning_rate: [0.03, 0.1]\n", f"      optimizer: {optimizers}\n")
    config = edited(sweep, (SEEDS, f"{SEEDS}    figures: [preconditioned]\n"))
    if shown:
        assert plan_of(tmp_path, config).studies["main"].figures == ("preconditioned",)
    else:
        message = r"figures\[0\]: 'preconditioned' would show nothing: no optimizer of the study \(.*\) has a precond"
        with pytest.raises(ConfigError, match=message):
            plan_of(tmp_path, config)
