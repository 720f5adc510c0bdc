import itertools
import math
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from breakeven.specs.study import Study
from breakeven.store import predictions
from breakeven.store.errors import UserError
from breakeven.summary.embed import FEWEST, embed, layout, pairwise, to_segments

COLUMNS = ["run", "learning_rate", "batch_size", "seed"]
EXAMPLES, CLASSES = 6, 3


def write(results, rows, snapshots=3, classes=CLASSES, diverged=()):
    """Predictions of runs at steps 0, 10 …; those of ``diverged`` end in NaN."""
    rng = np.random.default_rng(0)
    for run, *_ in rows:
        folder = results / "runs" / run
        folder.mkdir(parents=True)
        values = rng.dirichlet(np.ones(classes), size=(snapshots, EXAMPLES))
        if run in diverged:
            values[-1] = np.nan
        steps = [10 * index for index in range(snapshots)]
        predictions.write(folder / "predictions.safetensors", run, steps, torch.tensor(values))


def points_of(rows, columns=COLUMNS):
    return Study(points={run: dict(zip(columns[1:], labels, strict=True)) for run, *labels in rows})


ROWS = [[f"{rate}-{seed}", rate, 32, seed] for rate in (0.01, 0.1, 0.03) for seed in (0, 1)]


@pytest.fixture
def without_umap(monkeypatch):
    """UMAP compiles for a quarter of a minute in each process that uses it: `test_umap_itself` does."""

    def fit_transform(self, distances):
        return distances[:, :2]

    stand_in = type("UMAP", (), {"__init__": lambda self, **settings: None, "fit_transform": fit_transform})
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=stand_in))


def test_distances_are_to_the_closest_snapshot_of_the_largest_learning_rate(tmp_path, without_umap):
    write(tmp_path, ROWS, diverged=["0.1-1", "0.03-0"])
    embed(tmp_path, points_of(ROWS), tmp_path / "embedding.csv")
    table = pd.read_csv(tmp_path / "embedding.csv")
    assert list(table.columns) == [*COLUMNS, "step", "x", "y", "distance", "moved", "distance_to_path"]
    assert len(table) == 6 * 3 - 2  # without the two that are not finite
    assert table[["x", "y"]].notna().all(axis=None)
    stored = {run: predictions.read(tmp_path / f"runs/{run}/predictions.safetensors", run) for run, *_ in ROWS}
    for row in table.to_dict("records"):
        if row["learning_rate"] == 0.1:
            assert math.isnan(row["distance"])
            continue
        steps, mine = stored[row["run"]]
        own = mine[steps.tolist().index(row["step"])].double()
        others = [p.double() for p in stored[f"0.1-{row['seed']}"][1] if p.isfinite().all()]
        expected = min(math.sqrt(float((own - other).square().sum()) / EXAMPLES) for other in others)
        assert row["distance"] == pytest.approx(expected, rel=1e-6)
        assert row["distance_to_path"] <= row["distance"]


def test_the_way_that_a_run_goes(tmp_path, without_umap):
    write(tmp_path, ROWS, diverged=["0.03-0"])
    embed(tmp_path, points_of(ROWS), tmp_path / "embedding.csv")
    table = pd.read_csv(tmp_path / "embedding.csv").set_index(["run", "step"])
    for run, *_ in ROWS:
        steps, values = predictions.read(tmp_path / f"runs/{run}/predictions.safetensors", run)
        assert math.isnan(table.loc[(run, 0), "moved"])
        for step, (before, now) in zip(steps.tolist()[1:], itertools.pairwise(values.double()), strict=True):
            if now.isfinite().all():
                expected = math.sqrt(float((now - before).square().sum()) / EXAMPLES)
                assert table.loc[(run, step), "moved"] == pytest.approx(expected)


def test_the_closest_point_of_a_path():
    """Against the foot of the perpendicular, or the nearest end, of each line, in coordinates."""
    rng = np.random.default_rng(3)
    points, path = rng.normal(size=(40, 7)), rng.normal(size=(5, 7)).cumsum(axis=0)
    path = np.concatenate([path, path[-1:]])  # it may stand still

    def by_hand(point):
        fine = np.linspace(0, 1, 20_001)[:, None]
        lines = (one + fine * (two - one) for one, two in itertools.pairwise(path))
        return min(np.linalg.norm(line - point, axis=1).min() for line in lines)

    everything = np.concatenate([points, path])
    distances = np.linalg.norm(everything[:, None] - everything[None], axis=2)
    found = to_segments(distances, np.arange(40), np.arange(40, 46))
    np.testing.assert_allclose(found, [by_hand(point) for point in points], rtol=1e-6)
    assert (found < distances[:40, 40:].min(axis=1) - 1e-6).any()
    np.testing.assert_allclose(to_segments(distances, np.arange(40), np.array([42])), distances[:40, 42])
    on_it = to_segments(distances, np.arange(40, 46), np.arange(40, 46))
    assert (on_it < 1e-6).all()


def test_other_hyperparameters_are_compared_with_their_own(tmp_path, without_umap):
    columns = ["run", "learning_rate", "batch_size", "network_options", "seed"]
    grid = itertools.product((0.01, 0.1), ({"dense": 4}, {"dense": 8}))
    rows = [[f"{index}", rate, 32, options, 0] for index, (rate, options) in enumerate(grid)]
    rows += [["alone", 0.01, 64, {"dense": 4}, 0]]
    write(tmp_path, rows)
    embed(tmp_path, points_of(rows, columns), tmp_path / "embedding.csv")
    table = pd.read_csv(tmp_path / "embedding.csv", dtype={"run": str}).set_index("run")
    stored = {
        run: predictions.read(tmp_path / f"runs/{run}/predictions.safetensors", run)[1].float() for run, *_ in rows
    }
    for low, high in (("0", "2"), ("1", "3")):
        both = pairwise(torch.cat([stored[low], stored[high]]).numpy())
        np.testing.assert_allclose(table.loc[low, "distance"], both[:3, 3:].min(axis=1), rtol=1e-6)
    assert table.loc["alone", "distance"].isna().all()  # no larger learning rate at its batch size
    assert table.loc["1", "network_options"].iloc[0] == '{"dense": 8}'


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_few_snapshots_are_left_without_a_place(count):
    places = layout(pairwise(random_predictions(count)))
    assert places[0].shape == places[1].shape == (count,)
    assert np.isnan(places).all()


def test_a_missing_library_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)  # what Python does where it is not installed
    with pytest.raises(
        UserError, match=r"needs umap-learn, which is not installed: pip install 'umap-learn>=0\.5\.7'$"
    ):
        layout(pairwise(random_predictions(FEWEST)))


def random_predictions(count):
    return np.random.default_rng(1).dirichlet(np.ones(3), size=(count, 4))


def test_equal_snapshots_have_no_place():
    """Constant predictions, and those of four different snapshots again and again."""
    different = np.random.default_rng(1).dirichlet(np.ones(3), size=(FEWEST - 1, 4))
    for values in (np.full((30, 4, 3), 1 / 3), np.concatenate([different] * 5)):
        assert np.isnan(layout(pairwise(values))).all()


def test_umap_itself():
    """One test, so that it compiles in one process: the same layout each time, what is close stays close, few snapshots."""
    rng = np.random.default_rng(2)
    centres = np.repeat(rng.dirichlet(np.ones(3), size=(2, 50)), 30, axis=0)
    values = centres + 0.01 * rng.normal(size=centres.shape)
    values[1] = values[0]  # runs of one seed begin at the same weights
    distances = pairwise(values)
    first, second = layout(distances), layout(distances)
    assert np.array_equal(first, second)
    places = np.stack(first, axis=1)
    middles = places[:30].mean(axis=0), places[30:].mean(axis=0)
    for half, own, other in ((places[:30], *middles), (places[30:], *reversed(middles))):
        assert (np.linalg.norm(half - own, axis=1) < np.linalg.norm(half - other, axis=1)).all()

    for count in (FEWEST, FEWEST + 1, 40):
        few = layout(pairwise(random_predictions(count)))
        assert few[0].shape == few[1].shape == (count,)
        assert np.isfinite(few).all(), count


def test_test_sets_of_different_shapes_are_refused(tmp_path):
    write(tmp_path, ROWS[:1])
    write(tmp_path, ROWS[1:2], classes=4)
    with pytest.raises(UserError, match=r"predict test sets of \(6, 3\) and \(6, 4\) examples and classes"):
        embed(tmp_path, points_of(ROWS[:2]), tmp_path / "embedding.csv")
    assert not (tmp_path / "embedding.csv").exists()
