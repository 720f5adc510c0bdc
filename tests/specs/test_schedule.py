import dataclasses
import math

import pytest

from breakeven.specs.run import RunSpec, Segment, Switch, source_of
from breakeven.specs.schedule import first_unstable, snapshot_steps, total_steps

RUN = RunSpec({"loader": "digits"}, "simple_cnn", {}, 0.1, 32, (Segment(10, 30), Segment(50)), seed=0, steps=200)


def with_snapshots(*segments, **changes):
    return dataclasses.replace(RUN, snapshots=segments, **changes)


def test_length():
    assert total_steps(RUN, 44) == 200
    assert total_steps(dataclasses.replace(RUN, steps=None, epochs=3), 44) == 132


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        (RUN, [0, 10, 20, 30, 80, 130, 180, 200]),
        (
            with_snapshots(Segment(7, 20), Segment(100)),
            [0, 7, 14, 120, 200],
        ),  # counted from 20, where the first one ends
        (with_snapshots(Segment(50)), [0, 50, 100, 150, 200]),
        (with_snapshots(Segment(10, 20)), [0, 10, 20, 200]),
        (with_snapshots(Segment(500)), [0, 200]),
        (with_snapshots(Segment(10, 30), Segment(50), steps=25), [0, 10, 20, 25]),
        (with_snapshots(Segment(10, 30), Segment(50), steps=1), [0, 1]),
        (with_snapshots(Segment(1, 2, "epoch"), Segment(2, unit="epoch")), [0, 40, 80, 160, 200]),
        (with_snapshots(Segment(20, 1, "epoch"), Segment(2, unit="epoch")), [0, 120, 200]),
        (with_snapshots(Segment(20, 40), Segment(1, unit="epoch"), steps=None, epochs=3), [0, 20, 40, 80, 120]),
    ],
)
def test_snapshots_with_40_steps_per_epoch(spec, steps):
    assert snapshot_steps(spec, 40) == steps


def test_the_run_whose_break_even_point_is_counted_in():
    switched = dataclasses.replace(RUN, schedule=(Switch(10, 0.05), Switch(1.5, 0.01, "break_even")))
    assert source_of(switched) == dataclasses.replace(RUN, schedule=(Switch(10, 0.05),))
    assert source_of(dataclasses.replace(RUN, schedule=(Switch(10, 0.05),))) is None
    of_another = dataclasses.replace(RUN, schedule=(Switch(10, 0.05), Switch(1.5, 0.01, "break_even", of=0.3)))
    assert source_of(of_another) == dataclasses.replace(RUN, learning_rate=0.3, schedule=(Switch(10, 0.05),))


@pytest.mark.parametrize(
    ("sides", "step"),
    [
        ([0.5, 0.9, 1.2, 0.8, 3.0], 20),
        ([0.5, math.nan, 0.999, 1.0], 30),  # exactly 1 is the boundary, and counts
        ([math.nan, math.inf, 2.0], 10),
        ([1.5, 0.1], 0),
        ([0.5, math.nan, -1.0], None),
        ([], None),
    ],
)
def test_the_break_even_point_is_the_first_step_that_is_unstable(sides, step):
    assert first_unstable((10.0 * index, side) for index, side in enumerate(sides)) == step
