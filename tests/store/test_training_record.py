import json
from dataclasses import replace

import pytest

from breakeven.store.errors import UserError
from breakeven.store.files import write_json
from breakeven.store.training_record import (
    FILE,
    SnapshotEntry,
    SwitchAtStep,
    TrainingRecord,
    read_training,
    write_training,
)

RECORD = TrainingRecord(
    key="abc",
    steps=20,
    steps_per_epoch=8,
    train_examples=288,
    diverged_step=None,
    stopped_step=7,
    switches=(SwitchAtStep(4, 0.2), SwitchAtStep(None, 0.3)),
    snapshots=(SnapshotEntry(0, "a", "00", 0.1), SnapshotEntry(7, "b", "11", 0.2)),
)


@pytest.mark.parametrize(
    "record", [RECORD, replace(RECORD, diverged_step=0, stopped_step=None, switches=(), snapshots=())]
)
def test_what_is_read_is_what_was_written(tmp_path, record):
    write_training(tmp_path, record)
    assert read_training(tmp_path) == record
    assert record.diverged == (record.diverged_step == 0)


def test_the_file(tmp_path):
    write_training(tmp_path, RECORD)
    content = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert content["switches"] == [{"step": 4, "learning_rate": 0.2}, {"step": None, "learning_rate": 0.3}]
    assert content["snapshots"][1] == {"step": 7, "file": "b", "sha256": "11", "learning_rate": 0.2}


@pytest.mark.parametrize("content", [{}, [], "text", 3, None, {"switches": [], "snapshots": [{"step": 3}]}])
def test_something_else_is_refused_by_name(tmp_path, content):
    write_json(tmp_path / FILE, content)
    with pytest.raises(
        UserError, match=r"training\.json' is no record of a training .*: delete it, and the same command"
    ):
        read_training(tmp_path)


@pytest.mark.parametrize("name", ["key", "steps", "switches", "snapshots"])
def test_a_record_that_lacks_something_or_has_more_is_refused(tmp_path, name):
    write_training(tmp_path, RECORD)
    content = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    for changed in ({k: v for k, v in content.items() if k != name}, content | {"more": 1}):
        write_json(tmp_path / FILE, changed)
        with pytest.raises(UserError, match="is no record of a training"):
            read_training(tmp_path)
