import json

import pytest

from breakeven.specs.study import Study, from_json, from_part, part_of
from breakeven.store.errors import UserError

POINTS = {"r": {"learning_rate": 0.1, "batch_size": 8, "network": "mlp", "schedule": [], "seed": 0}}
STUDY = Study("a", "Why?", ("network", "schedule"), 0.5, ("maxima",), POINTS, predictions=True)


def test_a_study_passes_through_json_as_it_is():
    """Also through JSON with sorted keys, whose labels would come in another order."""
    everything = part_of(
        STUDY, "name", "description", "swept", "accuracy_threshold", "figures", "points", "predictions"
    )
    again = from_json(json.dumps(everything, sort_keys=True))
    assert again == STUDY
    assert list(again.points["r"]) == list(POINTS["r"])


def test_what_a_stage_is_not_told_has_its_default():
    assert from_part(part_of(STUDY, "name")) == Study("a")


def test_what_a_study_does_not_have_is_told():
    with pytest.raises(
        UserError,
        match=r"^study has no 'nam'; allowed: accuracy_threshold, description, figures, measurements, name",
    ):
        from_part({"nam": 1})


def test_curves_are_told_apart_by_the_schedule_and_not_by_what_it_begins_at():
    assert Study(swept=("batch_size", "learning_rate", "schedule")).compared == ("batch_size", "schedule")
    assert Study(swept=("batch_size", "learning_rate")).compared == ("batch_size", "learning_rate")
