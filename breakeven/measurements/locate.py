"""Stage ``locate``: the break-even point of a run to the step, by training again between the two snapshots where it lies."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from breakeven.data.dataset import Dataset, load
from breakeven.measurements.hessian import start_vectors
from breakeven.measurements.measured import Measured, measuring
from breakeven.measurements.stability import equation_1
from breakeven.specs.randomness import generator
from breakeven.specs.run import RunSpec, run_id
from breakeven.specs.run_file import read_spec
from breakeven.specs.schedule import interval_of_break_even
from breakeven.spectra.curvature import Way, fastest_way, reverse_mode
from breakeven.spectra.curvature_check import MeasuredNetwork
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs
from breakeven.spectra.preconditioned import Preconditioned, inverse_root
from breakeven.store import eigenvectors, snapshots
from breakeven.store.errors import MeasurementError
from breakeven.store.notes import Note, cell
from breakeven.store.progress import progress, say
from breakeven.store.rows import read_steps, write_rows
from breakeven.store.snapshots import Snapshot
from breakeven.store.training_record import TrainingRecord, read_training
from breakeven.training.again import taken_again
from breakeven.training.registry import preconditioner

MEASURED_BEFORE = ["learning_rate", "lambda_1", "curvature_variance", "stability_lhs", "break_even_curvature"]
COLUMNS = ["step", *MEASURED_BEFORE, "matvecs", "note"]
# How far the weights that were reached again may be from those of the snapshot, relative to how far they moved, where it is but
# rounding: on a GPU, another machine, with other threads. Rounding of 1e-7 may grow so much; other steps are off by tenths.
ROUNDING = 1e-3
# At the next step H is near, and what the step before lacked, the gradient knows; two take half as many products again. At 20
# steps of a run on digits λ_H^1 was within 2e-4 of that of a tolerance of 1e-5, with one; within 5e-4 with two.
START_VECTORS = 1

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Interval:
    """The steps of a run from ``first`` to ``last``, which have snapshots: the last stable one and the first unstable one."""

    run: Path
    spec: RunSpec
    record: TrainingRecord
    dataset: Dataset
    device: torch.device
    first: int
    last: int

    def snapshot(self, step: int) -> Snapshot:
        """The one that training saved."""
        [entry] = [entry for entry in self.record.snapshots if entry.step == step]
        return snapshots.read(self.run / "snapshots" / entry.file, run_id(self.spec), step, entry.sha256)

    def again(self, start: Snapshot, steps: Iterable[int]) -> Iterator[tuple[Snapshot, float]]:
        """What snapshots at the ``steps`` would hold, trained again from ``start``, see `taken_again`."""
        return taken_again(self.spec, self.record, self.dataset, self.device, start, steps)


def measure_locate(
    run: Path,
    data: Path,
    out: Path,
    device: torch.device,
    memory_mb: float,
    *,
    most_steps: int,
    tolerance: float,
    max_matvecs: int,
    batch_size: int,
    precision: str,
) -> None:
    """Write ``locate.csv``: steps from the last stable snapshot before the first unstable one to that.

    The training is taken up again at the one, and must come to the other, see `difference`. On the way λ_H^1 and the left-hand
    side of Eq. 1 are measured as the stages hessian and stability do: at each step, until one is unstable, which is the
    break-even point; and further until one is stable again, which says that the left-hand side crosses 1 more than once. So no
    step before the break-even point is passed over. Where more than ``most_steps`` lie between the two snapshots, so many at
    equal distances are tried first, then those before the first unstable one of them, and so on: an excursion above 1 between two
    of them is not seen.

    A run that never breaks even has no rows; one that is unstable where it is first known has that row alone. ``matvecs``:
    products with H, empty in the rows of the two snapshots, which are those of ``stability.csv``. ``note``: why cells are empty,
    or doubtful.
    """
    spec, record = read_spec(run), read_training(run)
    table = read_steps(run / "stability.csv", MEASURED_BEFORE, record.measured_steps)
    before: dict[int, Row] = {int(row[0]): dict(zip(COLUMNS, (int(row[0]), *row[1:]), strict=False)) for row in table}
    sides = ((step, row["stability_lhs"]) for step, row in before.items())
    ends = interval_of_break_even(sides, from_stable=preconditioner(spec) is not None)
    rows = {step: before[step] for step in ends or () if step is not None}
    if ends is not None and ends[0] is not None and ends[1] - ends[0] > 1 and most_steps:
        say(f"train again from step {ends[0]} to {ends[1]}, between which the break-even point lies")
        interval = Interval(run, spec, record, load(data, device, spec.dataset), device, ends[0], ends[1])
        eigensolver = Eigensolver(interval, tolerance, max_matvecs, batch_size, memory_mb)
        with measuring(spec, interval.dataset, precision, device) as measured:
            between, note = search(interval, most_steps, lambda *found: eigensolver.row(measured(*found)))
        rows |= between
        if note is not None:
            rows[interval.last] = {**rows[interval.last], "note": cell([note])}
    else:
        say(
            "no steps to measure: "
            + ("there is no break-even point" if ends is None else f"it is at the snapshot of step {ends[1]}")
        )
    write_rows(out, COLUMNS, (rows[step] for step in sorted(rows)), infinite=["stability_lhs"])


@dataclass
class Tried:
    """What a pass found: its rows; the last stable step before the first unstable one, if any; is one stable after that?"""

    stable: Snapshot
    unstable: int | None = None
    crosses_again: bool = False
    rows: dict[int, Row] = field(default_factory=dict)

    def add(self, snapshot: Snapshot, row: Row) -> None:
        """Take up the next step."""
        self.rows[snapshot.step] = row
        if row["stability_lhs"] >= 1 and self.unstable is None:
            self.unstable = snapshot.step
        elif row["stability_lhs"] < 1 and self.unstable is None:
            self.stable = snapshot
        elif row["stability_lhs"] < 1:
            self.crosses_again = True


def search(
    interval: Interval, most_steps: int, row_at: Callable[[Snapshot, float], Row]
) -> tuple[dict[int, Row], Note | None]:
    """What ``row_at`` gives of the steps between the ends, see `measure_locate`; what there is to say of the last one.

    The whole interval is trained once, to its end, which must be the stored one; a finer search begins at the last stable step.
    """
    rows: dict[int, Row] = {}
    begin, last = interval.snapshot(interval.first), interval.last
    end: Snapshot | None = None
    note, crosses_again = None, False
    while last - begin.step > 1:
        whole = not rows
        every = math.ceil((last - begin.step) / (most_steps + 1))
        steps = [*range(begin.step + every, last, every), *([last] if whole else [])]
        found = Tried(begin, crosses_again=crosses_again)
        for snapshot, rate in progress(interval.again(begin, steps), "locate", unit="step", total=len(steps)):
            if snapshot.step == last:
                end = snapshot
            elif found.unstable is None or not found.crosses_again:
                found.add(snapshot, row_at(snapshot, rate))
        note = difference(interval, end) if whole else note
        if note is Note.NOT_REPEATED:
            return {}, note
        rows |= found.rows
        if every == 1 or (found.stable is begin and found.unstable is None):  # or it is known nowhere between
            break
        begin, last, crosses_again = found.stable, found.unstable or last, found.crosses_again
    return rows, note


def difference(interval: Interval, found: Snapshot | None) -> Note | None:
    """What there is to say of the ``last`` weights, ``found`` again; None where they are those of the snapshot to the bit.

    So they are on a CPU, with the same number of threads. Beyond `ROUNDING` others are a `MeasurementError` there; on a GPU,
    where rounding may differ from time to time and grow, a note. ``found``: None where the training diverged.
    """
    start, stored = interval.snapshot(interval.first), interval.snapshot(interval.last)
    if found is not None and all(torch.equal(found.now[name], weight) for name, weight in stored.now.items()):
        return None
    moved = _distance(start.next, stored.now)
    apart = math.inf if found is None or not moved else _distance(found.now, stored.now) / moved
    if apart <= ROUNDING:
        return Note.OTHER_BITS
    if interval.device.type != "cpu":
        return Note.NOT_REPEATED
    raise MeasurementError(
        f"training again from the snapshot of step {interval.first} comes to other weights at step {interval.last} than those of "
        f"its snapshot (off by {apart:.2g} of how far they moved, and rounding leaves at most {ROUNDING:g}): the run was "
        "trained on another device, or not as its files say; delete its training.json to train it again, or set "
        "measurements.locate.most_steps to 0, which leaves the break-even point at a snapshot"
    )


def _distance(weights: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> float:
    squares = [(weights[name].double() - other.double()).square().sum() for name, other in others.items()]
    return math.sqrt(sum(map(float, squares)))


class Eigensolver:
    """Measures steps, each from the eigenvector of the one before; the first from that of the snapshot.

    Where the optimizer has a preconditioner P, that of the step, the eigenvalue is that of P^(-1/2) H P^(-1/2).
    """

    def __init__(
        self, interval: Interval, tolerance: float, max_matvecs: int, batch_size: int, memory_mb: float
    ) -> None:
        self._spec, self._examples = interval.spec, interval.record.train_examples
        self._tolerance, self._max_matvecs = tolerance, max_matvecs
        self._batch_size, self._memory_mb = batch_size, memory_mb
        self._preconditioner = preconditioner(interval.spec)
        self._previous: Tensor | None = None
        if self._preconditioner is None:
            vector = eigenvectors.read(interval.run / "eigenvectors", run_id(interval.spec), interval.first)
            self._previous = vector.to(interval.device)[None]
        self._way: Way | None = None

    def row(self, measured: Measured) -> Row:
        """The row of a step."""
        batches = measured.batches(self._batch_size)
        self._way = self._way or fastest_way(measured.model, measured.inputs)
        hessian = Hessian(measured.model, batches, self._memory_mb)
        operator: Hessian | Preconditioned = hessian
        root = None
        if self._preconditioner is not None:
            root = inverse_root(measured.model, self._preconditioner(measured.snapshot.optimizer))
            operator = Preconditioned(hessian, root)
        network = MeasuredNetwork(measured.model, batches, reverse_mode)

        def in_weights(vector: Tensor) -> Tensor:
            return vector if root is None else root * vector

        draws = generator(self._spec.seed, "lanczos" if root is None else "preconditioned", measured.step)
        start = start_vectors(self._previous, operator.gradient, draws, START_VECTORS)
        pairs = largest_eigenpairs(
            *(operator.matvec, start, 1, self._tolerance, self._max_matvecs, draws),
            lambda vector: network.noise(in_weights(vector)),
        )
        self._previous = torch.cat([pairs.vectors, pairs.neighbours]) if pairs.converged else None
        lambda_1 = float(pairs.values[0])
        vector = in_weights(pairs.vectors[0]) if math.isfinite(lambda_1) else None
        along = equation_1(measured, self._spec, self._examples, lambda_1, vector, self._batch_size, self._way)
        notes = along.notes if pairs.converged else [Note.NOT_CONVERGED, *along.notes]
        return {
            "step": measured.step,
            "learning_rate": measured.learning_rate,
            "lambda_1": lambda_1,
            "curvature_variance": along.variance,
            "stability_lhs": math.nan if along.side is None else along.side,
            "break_even_curvature": along.crossing,
            "matvecs": pairs.matvecs,
            "note": cell(notes),
        }
