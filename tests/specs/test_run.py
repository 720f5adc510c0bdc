import dataclasses
import json
import re
import subprocess
import sys
from typing import Annotated

import pytest

from breakeven.specs.dataset import dataset_id
from breakeven.specs.multipliers import Cosine, Linear, StepDecay, WarmUp
from breakeven.specs.run import RunSpec, Segment, Switch, canonical_json, from_hand, from_json, run_id, source_of
from breakeven.store.errors import UserError

PLAIN = RunSpec(
    dataset={"loader": "digits"},
    network="simple_cnn",
    network_options={},
    learning_rate=0.1,
    batch_size=32,
    snapshots=(Segment(10, 100), Segment(50)),
    seed=0,
    steps=500,
)
EVERYTHING = RunSpec(
    dataset={"loader": "cifar10", "measured_fraction": 0.1, "train_examples": 1000},
    network="simple_cnn_bn",
    network_options={"channels": [16, 32], "dense": 64},
    learning_rate=1e-5,
    batch_size=128,
    snapshots=(Segment(1, 2, "epoch"), Segment(5, unit="epoch")),
    seed=7,
    epochs=20,
    momentum=0.9,
    weight_decay=1e-4,
    schedule=(Switch(3, 0.01, "epoch"), Switch(100, 0.001)),
    augmentation="crop_flip",
    precision="float64",
)


def test_pinned_ids():
    """Users' results are found again by these: if this fails, the change would orphan all of them. Don't edit the ids."""
    assert canonical_json(PLAIN) == (
        '{"batch_size":32,"dataset":{"loader":"digits"},"learning_rate":0.1,"network":"simple_cnn","network_options":{},'
        '"seed":0,"snapshots":[{"every":10,"until":100},{"every":50}],"steps":500}'
    )
    assert run_id(PLAIN) == "digits-simple_cnn-lr0.1-bs32-seed0-f3a19fdeaa"
    assert run_id(EVERYTHING) == "cifar10-simple_cnn_bn-lr1e-05-bs128-seed7-85014e03ad"
    assert dataset_id(PLAIN.dataset) == "digits-ad3a46e9"
    assert dataset_id(EVERYTHING.dataset) == "cifar10-226b4377"


@pytest.mark.parametrize("spec", [PLAIN, EVERYTHING])
def test_canonical_form_and_back(spec):
    assert from_json(canonical_json(spec)) == spec
    assert canonical_json(from_json(canonical_json(spec))) == canonical_json(spec)


def test_integers_in_float_fields_are_floats():
    one = dataclasses.replace(PLAIN, learning_rate=1, momentum=0, schedule=(Switch(5, 2),))
    assert json.loads(canonical_json(one))["schedule"] == [{"at": 5, "learning_rate": 2.0}]
    assert run_id(one) == run_id(dataclasses.replace(PLAIN, learning_rate=1.0, schedule=(Switch(5, 2.0),)))


def test_whose_break_even_point_a_switch_counts_in_is_part_of_the_identity_where_it_is_said():
    """The first id is of a run of before ``of``: don't edit it."""
    plain = dataclasses.replace(PLAIN, schedule=(Switch(1.5, 0.3, "break_even"),))
    assert canonical_json(plain).endswith('"schedule":[{"at":1.5,"learning_rate":0.3,"unit":"break_even"}],"seed":0,"snapshots":'
                                          '[{"every":10,"until":100},{"every":50}],"steps":500}')  # fmt: skip
    assert run_id(plain) == "digits-simple_cnn-lr0.1-bs32-seed0-7eb8618ed6"
    of_another = dataclasses.replace(PLAIN, schedule=(Switch(1.5, 0.3, "break_even", of=1),))
    assert json.loads(canonical_json(of_another))["schedule"][0]["of"] == 1 and '"of":1.0' in canonical_json(of_another)
    assert from_json(canonical_json(of_another)) == of_another and run_id(of_another) != run_id(plain)


MULTIPLIED = dataclasses.replace(
    PLAIN,
    schedule=(
        WarmUp(until=2, unit="epoch"),
        Cosine(final=0.1),
        Linear(at=1.5, until=3.0, unit="break_even", of=1),
        StepDecay(every=5, factor=0.5),
        Switch(9, 1),
    ),
)


def test_what_multiplies_the_learning_rate_is_part_of_the_identity():
    """Each is told by its kind, which a switch has not: users' results are found again by this. Don't edit the id."""
    said = [
        {"kind": "warm_up", "unit": "epoch", "until": 2},
        {"final": 0.1, "kind": "cosine"},
        {"at": 1.5, "kind": "linear", "of": 1.0, "unit": "break_even", "until": 3.0},
        {"every": 5, "factor": 0.5, "kind": "step_decay"},
        {"at": 9, "learning_rate": 1.0},
    ]
    assert json.loads(canonical_json(MULTIPLIED))["schedule"] == said and '"of":1.0' in canonical_json(MULTIPLIED)
    assert from_json(canonical_json(MULTIPLIED)) == from_hand(canonical_json(MULTIPLIED)) == MULTIPLIED
    assert run_id(MULTIPLIED) == "digits-simple_cnn-lr0.1-bs32-seed0-351b2af030"
    kinds = [dataclasses.replace(PLAIN, schedule=(kind(),)) for kind in (Cosine, Linear)]
    assert len({run_id(spec) for spec in (PLAIN, MULTIPLIED, *kinds)}) == 4


def test_the_run_whose_break_even_point_a_schedule_counts_in():
    """Without this and all later entries."""
    assert source_of(PLAIN) is None
    assert source_of(MULTIPLIED) == dataclasses.replace(PLAIN, learning_rate=1, schedule=MULTIPLIED.schedule[:2])
    first = dataclasses.replace(PLAIN, schedule=(StepDecay(every=1.0, factor=0.5, unit="break_even"), Cosine()))
    assert source_of(first) == PLAIN


LATER = {
    "steps": None,
    "label_smoothing": 0.1,
    "stop_at_accuracy": 0.9,
    "nesterov": True,
    "optimizer": "adam",
    "optimizer_options": {"beta2": 0.99},
    "initial_weights": "0123456789abcdef",
    "sampling": "replacement",
}  # fields that came after the pinned ids


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(RunSpec)])
def test_every_field_is_part_of_the_identity(field):
    other = dataclasses.replace(PLAIN, **{field: LATER[field] if field in LATER else getattr(EVERYTHING, field)})
    assert run_id(other) != run_id(PLAIN)


def test_ids_are_safe_as_folder_names():
    nasty = dataclasses.replace(PLAIN, dataset={"loader": "../a b/ü" * 30}, network="x\n;{y}", learning_rate=1e20)
    for name in (run_id(nasty), dataset_id(nasty.dataset), run_id(EVERYTHING)):
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,91}", name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        canonical_json(PLAIN)[:-1] + ',"tempo":1}',
        canonical_json(PLAIN).replace("every", "evry"),
    ],
)
@pytest.mark.parametrize("read", [from_json, from_hand])
def test_what_is_no_specification_is_refused(read, text):
    with pytest.raises(UserError, match="not the specification of a run"):
        read(text)


@pytest.mark.parametrize("spec", [PLAIN, EVERYTHING])
def test_what_is_written_by_hand_may_be_the_canonical_form(spec):
    assert from_hand(canonical_json(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        canonical_json(PLAIN).replace("0.1", '"0.1"'),
        canonical_json(PLAIN).replace("0.1", "1" + "0" * 400),
        canonical_json(PLAIN).replace("0.1", "NaN"),
        canonical_json(PLAIN).replace('"simple_cnn"', "3"),
        canonical_json(PLAIN).replace('"loader"', '"path"'),
        canonical_json(PLAIN).replace('"steps":500', '"steps":true'),
        canonical_json(PLAIN).replace('"steps":500', '"steps":0'),
        canonical_json(PLAIN).replace('"steps":500', '"precision":"float16"'),
        canonical_json(PLAIN).replace('"every":50', '"every":"50"'),
        canonical_json(PLAIN).replace('[{"every":10,"until":100},{"every":50}]', "[]"),
        canonical_json(PLAIN).replace('[{"every":10,"until":100},{"every":50}]', "[3]"),
        canonical_json(MULTIPLIED).replace('"cosine"', '"cosin"'),
        canonical_json(MULTIPLIED).replace('"cosine"', "[]"),
        canonical_json(MULTIPLIED).replace('"final":0.1', '"final":1.5'),
        canonical_json(MULTIPLIED).replace('"final":0.1', '"factor":0.1'),
        canonical_json(MULTIPLIED).replace('"factor":0.5,', ""),
        canonical_json(MULTIPLIED).replace('{"final":0.1,"kind":"cosine"}', "7"),
        "[" * 100_000,
    ],
)
def test_values_that_are_written_by_hand_are_checked(text):
    with pytest.raises(UserError, match="not the specification of a run"):
        from_hand(text)


def test_a_new_hyperparameter_changes_no_id():
    """One more field with a neutral default: the runs that there were keep their text and id."""
    later = dataclasses.make_dataclass(
        "Later", [("tempo", Annotated[float, "How fast."], 1.0)], bases=(RunSpec,), frozen=True
    )
    for spec in (PLAIN, EVERYTHING):
        values = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
        assert (canonical_json(later(**values)), run_id(later(**values))) == (canonical_json(spec), run_id(spec))
        assert run_id(later(**values, tempo=2.0)) != run_id(spec)


def test_data_sets_with_equal_specifications_have_one_id():
    folder = {"loader": "image_folder", "path": "a", "image_size": 32}
    assert dataset_id(folder) != dataset_id(folder | {"path": "b"})
    assert dataset_id(folder) == dataset_id(dict(reversed(folder.items())))


@pytest.mark.parametrize(
    "module", ["specs.run", "specs.dataset", "specs.schedule", "networks.registry", "data.registry", "config.plan"]
)
def test_planning_imports_nothing_slow(module):
    code = f"import sys, breakeven.{module}; print({{'torch', 'pandas', 'numpy'}} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.mark.parametrize("module", ["specs.run", "networks.registry", "data.registry"])
def test_jobs_import_no_pydantic(module):
    code = f"import sys, breakeven.{module}; print('pydantic' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
