"""``export``: histories and spectra of runs in the format of another tool, from their tables alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from breakeven.export.curves import read_curves
from breakeven.export.tensorboard import write_tensorboard
from breakeven.store.errors import UserError
from breakeven.store.progress import progress
from breakeven.store.tables import read_table
from breakeven.store.training_record import FILE


def export(names: Sequence[str] = (), results: Path = Path("results"), tensorboard: Path | None = None) -> str:
    """Write the curves of these runs and studies, or of all runs in the results folder, for the tools that are named.

    ``tensorboard``: the folder that ``tensorboard --logdir`` is given; it gets one log folder for each run.
    """
    if tensorboard is None:
        raise UserError("export: say what for and where to: --tensorboard FOLDER")
    runs = list(dict.fromkeys(_chosen(results, names)))
    for run in progress(runs, "export", unit="run"):
        write_tensorboard(tensorboard, read_curves(run))
    return f"wrote {len(runs)} {'run' if len(runs) == 1 else 'runs'}: tensorboard --logdir {tensorboard}"


def _chosen(results: Path, names: Sequence[str]) -> Iterator[Path]:
    """The folders of the runs of these names, and of the runs of these studies."""
    trained = {path.parent.name: path.parent for path in sorted(results.glob(f"runs/*/{FILE}"))}
    if not trained:
        raise UserError(f"the results folder '{results}' has no trained runs: start snakemake first")
    for name in names or trained:
        table = results / "tables" / name / "runs.csv"
        if name in trained:
            yield trained[name]
        elif table.is_file():
            yield from (results / "runs" / run for run in read_table(table, ["run"])["run"])
        else:
            raise UserError(f"'{name}' is no run and no study with a table in the results folder '{results}'")
