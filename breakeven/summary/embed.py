"""Stage ``embed``: the trajectories of a study in the space of predictions, laid out in two dimensions (Figure 1)."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.predictions import read
from breakeven.store.progress import progress, say
from breakeven.store.tables import cell, write_table

NEIGHBOURS = 15  # UMAP's default
FEWEST = 5  # different snapshots; UMAP's first layout, by eigenvectors, does not exist for fewer
SEED = 0


def embed(results: Path, study: Study, out: Path) -> None:
    """Write ``embedding.csv``: one row for each snapshot of the study's runs, with its place (``x``, ``y``) and ``distance``.

    ``moved``: how far it is from the run's snapshot before; ``distance_to_path``: the distance to the closest point of the
    trajectory of which ``distance`` is that to the closest snapshot, straight from one snapshot to the next. Snapshots whose
    predictions are not finite, of a run that diverged, are left out.
    """
    snapshots, predictions = gather(results, study)
    say(f"lay out {len(snapshots)} snapshots by UMAP: half a minute, and more for thousands")
    distances = pairwise(predictions)
    x, y = layout(distances)
    closest, to_path = to_the_largest_learning_rate(distances, snapshots)
    table = snapshots.assign(x=x, y=y, distance=closest, moved=moved(distances, snapshots), distance_to_path=to_path)
    write_table(out, table)


def gather(results: Path, study: Study) -> tuple[pd.DataFrame, np.ndarray]:
    """The snapshots with their labels, one row each, and their predictions (snapshots, examples, classes)."""
    if not study.points:
        raise UserError("the study has no points, so there are no runs to read")
    tables, predictions = [], []
    for run, labels in progress(study.points.items(), "read predictions", unit="run"):
        steps, tensor = read(results / "runs" / run / "predictions.safetensors", run)
        values = tensor.float().numpy()
        whole = np.isfinite(values).all(axis=(1, 2))
        columns = {"run": run} | {name: cell(value) for name, value in labels.items()}
        tables.append(pd.DataFrame(columns | {"step": steps.numpy()[whole]}, index=range(int(whole.sum()))))
        predictions.append(values[whole])
    shapes = {values.shape[1:] for values in predictions}
    if len(shapes) > 1:
        raise UserError(
            f"the runs of this study predict test sets of {' and '.join(map(str, sorted(shapes)))} examples and classes, "
            "which can't be compared: leave trajectories_umap out of its figures"
        )
    return pd.concat(tables, ignore_index=True), np.concatenate(predictions)


def pairwise(predictions: np.ndarray) -> np.ndarray:
    """The distances of (snapshots, examples, classes): ‖p − q‖ / sqrt(examples), from 0 to sqrt(2)."""
    count, examples, classes = predictions.shape
    rows = predictions.reshape(count, examples * classes)
    distances: np.ndarray = cdist(rows, rows) / np.sqrt(examples)
    return distances


def layout(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``x`` and ``y`` of each snapshot, by UMAP (McInnes, Healy, Melville 2018); NaN where there are too few different snapshots.

    UMAP would scatter equal ones, as those of a network that always says the same, into a cloud that means nothing.
    """
    count = len(distances)
    if len(np.unique(distances, axis=0)) < FEWEST:
        return np.full(count, np.nan), np.full(count, np.nan)
    try:
        from umap import UMAP  # its import takes 15 s
    except ImportError:
        raise UserError(
            "the figure trajectories_umap needs umap-learn, which is not installed: pip install 'umap-learn>=0.5.7'"
        ) from None

    model = UMAP(n_neighbors=min(NEIGHBOURS, count - 1), metric="precomputed", random_state=SEED, n_jobs=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="using precomputed metric")
        places = model.fit_transform(distances)
    return places[:, 0], places[:, 1]


def moved(distances: np.ndarray, snapshots: pd.DataFrame) -> np.ndarray:
    """The distance of each snapshot to the one before of its run; NaN for the first."""
    steps = np.append(np.nan, distances.diagonal(1))[: len(snapshots)]
    follows = (snapshots["run"] == snapshots["run"].shift()).to_numpy()
    found: np.ndarray = np.where(follows, steps, np.nan)
    return found


def to_the_largest_learning_rate(distances: np.ndarray, snapshots: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """How far each snapshot is from the trajectory of the largest learning rate with its own other labels, and seed.

    Two distances, see `embed`: to its closest snapshot, and to its closest point. NaN for those runs themselves, and where there
    is none with the same labels.
    """
    others = [name for name in snapshots if name not in ("run", "learning_rate", "step")]
    largest = (snapshots["learning_rate"] == snapshots["learning_rate"].max()).to_numpy()
    closest, to_path = np.full((2, len(snapshots)), np.nan)
    for members in snapshots.groupby(others, dropna=False, sort=False).indices.values():
        targets, sources = members[largest[members]], members[~largest[members]]
        if len(targets):
            closest[sources] = distances[np.ix_(sources, targets)].min(axis=1)
            to_path[sources] = to_segments(distances, sources, targets)
    return closest, to_path


def to_segments(distances: np.ndarray, sources: np.ndarray, path: np.ndarray) -> np.ndarray:
    """The distance of each of the ``sources`` to the closest point of the straight lines from each point of ``path`` to the next.

    From distances alone: with a and b those to the ends of a line of length c, the point that lies s of the way from its
    beginning is sqrt(a² − s (a² + c² − b²) + s² c²) away.
    """
    squares = distances**2
    ends = squares[np.ix_(sources, path)]
    if len(path) == 1:
        path, ends = np.repeat(path, 2), np.repeat(ends, 2, axis=1)
    a, b, c = ends[:, :-1], ends[:, 1:], squares[path[:-1], path[1:]]
    twice = a + c - b
    along = np.clip(np.divide(twice, 2 * c, out=np.zeros_like(twice), where=c > 0), 0, 1)
    nearest: np.ndarray = np.sqrt(np.maximum(a - along * twice + along**2 * c, 0).min(axis=1))
    return nearest
