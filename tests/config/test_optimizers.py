"""Optimizers and their options in a config: what a run is then, and one sentence for each mistake."""

import dataclasses

import pytest

from breakeven.config import code_digest
from breakeven.config.results import Results
from breakeven.specs.run import canonical_json, run_id
from tests.config.example import CONFIG, edited, mistakes, plan_of

BASE = "studies.main.base"
STEPS = "      steps: 500\n"
OWN = """\
def build(parameters, *, rho: float = 0.9, table: File = "table.txt"):
    ...

def condition(*, rho: float):
    ...
"""


def with_base(*lines):
    return edited((STEPS, STEPS + "".join(f"      {line}\n" for line in lines)))


def specs(folder, text):
    return list(plan_of(folder, text).runs.values())


def test_sgd_with_no_options_is_the_run_of_before(tmp_path):
    before = specs(tmp_path, CONFIG)
    assert "optimizer" not in "".join(map(canonical_json, before))
    assert specs(tmp_path, with_base("optimizer: sgd", "optimizer_options: {}")) == before


def test_options_that_are_the_default_are_left_out(tmp_path):
    [adam, *_] = specs(tmp_path, with_base("optimizer: adam"))
    assert adam.optimizer_options == {} and '"optimizer":"adam"' in canonical_json(adam)
    assert "optimizer_options" not in canonical_json(adam)
    [same, *_] = specs(tmp_path, with_base("optimizer: adam", "optimizer_options: {beta1: 0.9, eps: 1e-8}"))
    [other, *_] = specs(tmp_path, with_base("optimizer: adam", "optimizer_options: {beta1: 0.9, beta2: 0.99}"))
    assert same == adam and other.optimizer_options == {"beta2": 0.99}
    assert run_id(other) != run_id(adam) == run_id(dataclasses.replace(other, optimizer_options={}))


def test_optimizers_and_options_are_swept(tmp_path):
    text = edited(("learning_rate: [0.03, 0.1]", "optimizer: [sgd, adam, adamw, rmsprop]"))
    plan = plan_of(tmp_path, text)
    assert {spec.optimizer for spec in plan.runs.values()} == {"sgd", "adam", "adamw", "rmsprop"}
    assert {point["optimizer"] for point in plan.studies["main"].points.values()} == {"sgd", "adam", "adamw", "rmsprop"}
    sweep = edited(
        (STEPS, STEPS + "      optimizer: adam\n"),
        ("learning_rate: [0.03, 0.1]", "optimizer_options: [{}, {beta2: 0.99}]"),
    )
    assert {str(point["optimizer_options"]) for point in plan_of(tmp_path, sweep).studies["main"].points.values()} == {
        "{}",
        "{'beta2': 0.99}",
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["optimizer: adan"],
            f"{BASE}.optimizer: 'adan' is not known; allowed: adam, adamw, rmsprop, sgd; did you mean 'adam'?",
        ),
        (
            ["optimizer: lion"],
            f"{BASE}.optimizer: 'lion' is not known; allowed: adam, adamw, rmsprop, sgd, or a function of your own: "
            "FILE.py:FUNCTION",
        ),
        (
            ["optimizer: adam", "optimizer_options: {beta1: 1}"],
            f"{BASE}.optimizer_options.beta1: 1 is too large; allowed: a number of at least 0 and below 1",
        ),
        (
            ["optimizer: adam", "optimizer_options: {eps: 0}"],
            f"{BASE}.optimizer_options.eps: 0 is too small; allowed: a number above 0",
        ),
        (
            ["optimizer: adam", "optimizer_options: {epsilon: 1e-8}"],
            f"{BASE}.optimizer_options.epsilon: unknown key; did you mean 'eps'?",
        ),
        (
            ["optimizer_options: {beta1: 0.9}"],
            f"{BASE}.optimizer_options.beta1: unknown key; allowed: none",
        ),
        (
            ["optimizer: adam", "momentum: 0.9"],
            f"{BASE}.momentum: 0.9 has no meaning with optimizer 'adam'; its options are beta1, beta2, eps",
        ),
        (
            ["optimizer: rmsprop", "momentum: 0.9", "nesterov: true"],
            f"{BASE}.nesterov: true has no meaning with optimizer 'rmsprop'; its options are alpha, eps",
        ),
        (["beta1: 0.9"], f"{BASE}.beta1: unknown key; options of an optimizer stand in 'optimizer_options'"),
        (["optimizer: own_optimizer.py:bild"], f"{BASE}.optimizer: 'own_optimizer.py' has no function 'bild'"),
        (
            ["optimizer: own_optimizer.py:build", "weight_decay: 0.1"],
            f"{BASE}.weight_decay: 0.1 has no meaning with optimizer 'own_optimizer.py:build'; its options are rho, table",
        ),
        (
            ["optimizer: own_optimizer.py:condition"],
            f"{BASE}.optimizer: 'own_optimizer.py' can't be read: 'condition' has the arguments (*, rho: float); allowed: "
            "(parameters, *, OPTIONS)",
        ),
        (
            ["optimizer: wrong.py:build"],
            f"{BASE}.optimizer: 'condition' of 'wrong.py' asks for 'beta', which is no option of the optimizer: it has none",
        ),
    ],
)
def test_a_mistake_is_a_sentence(tmp_path, monkeypatch, lines, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_optimizer.py").write_text(OWN)
    (tmp_path / "wrong.py").write_text("def build(parameters): ...\n\ndef condition(*, beta: float): ...\n")
    assert mistakes(tmp_path, with_base(*lines)) == [message]


def test_one_of_the_users_own_counts_its_file_and_what_it_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "counted_optimizer.py"  # what it declares is read once in a process

    def keys(content="1"):
        for cached in (code_digest.code_of, code_digest._code, code_digest._imports):
            cached.cache_clear()
        plan = plan_of(tmp_path, with_base("optimizer: counted_optimizer.py:build", "optimizer_options: {rho: 0.5}"))
        results, run = Results(plan, lambda path: content), next(iter(plan.runs))
        return {
            "train": results.training(run).key,
            **{name: results.measurement(name, run).key for name in ("hessian", "stability")},
        }

    path.write_text(OWN)
    before = keys()
    assert all(keys(content="2")[name] != before[name] for name in before)
    path.write_text(OWN + "\n# a comment\n")
    assert keys() == before
    path.write_text(OWN.replace("...", "return 1"))
    assert all(keys()[name] != before[name] for name in before)
