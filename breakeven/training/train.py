"""Stage ``train``: one run, from its specification to its history and snapshots."""

import hashlib
from pathlib import Path

import torch

from breakeven.data.dataset import load, read_manifest
from breakeven.jobs.cost import Took
from breakeven.specs.run import RunSpec, canonical_json, run_id, source_of
from breakeven.specs.schedule import are_located, first_unstable
from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN
from breakeven.store.progress import progress, say
from breakeven.store.rows import read_numbers, read_steps
from breakeven.store.training_record import SNAPSHOTS, read_training
from breakeven.training.checkpoints import Checkpoints, read_took
from breakeven.training.extension import extend
from breakeven.training.registry import preconditioner
from breakeven.training.results import is_published, publish
from breakeven.training.training import Training


def train(
    spec: RunSpec,
    data: Path,
    out: Path,
    state: Path,
    device: torch.device,
    key: str = "",
    source: Path | None = None,
    initial_weights: Path | None = None,
    family: str = "",
) -> Took:
    """Train the run of ``spec`` on the prepared data set in ``data``; write its results into the folder ``out``.

    At each step of the snapshot schedule, θ_t and θ_{t+1} are saved; the loss and accuracy at θ_t are evaluated there
    and at the start of each epoch. The run ends, diverged, at the first step t where the loss of its mini-batch or a weight
    of θ_t is not finite. Where the training accuracy was evaluated and is at least ``stop_at_accuracy``, the run ends with
    a snapshot. ``state`` holds the checkpoints, also of a training that a signal ends, and at the end the last one; those with
    another ``key``, the digest of all that the run depends on, are not used. ``source``: the folder of the run whose break-even
    point the schedule counts in, if it does. ``initial_weights``: the file that the first weights are taken from, if it is.
    ``family``: the digest of what the beginning of the run depends on; with it, the training goes on from a shorter run beside
    ``out``, if there is one. Returns what others took that it went on from, or who did all of it.
    """
    dataset = load(data, device, spec.dataset)
    training = Training(spec, dataset, device, _break_even_step(spec, source), initial_weights)
    key = _key(training, data, key)
    if is_published(out, key):
        say(f"{run_id(spec)} has been trained already, by a process that this one waited for")
        return read_took(state)
    checkpoints = Checkpoints(training, state, key, family)
    if not checkpoints.resume() and extend(training, family, out, state):
        checkpoints.save()
    first, last = training.step, training.steps
    say(f"train {run_id(spec)} on {device}, from step {first} to {last}, {training.steps_per_epoch} steps per epoch")
    with checkpoints:
        for _ in progress(training.remaining_steps(), "train", unit="step", initial=first, total=last + 1):
            training.evaluate_here()
            before = training.weights_here()
            training.take_step()
            training.save_snapshot(before, state / SNAPSHOTS)
            checkpoints.after_step()
    checkpoints.save()
    publish(training, key, out, state)
    return checkpoints.earlier


def _break_even_step(spec: RunSpec, source: Path | None) -> int | None:
    """The break-even point of the run in folder ``source``, to the step; None where there is none, or none is needed."""
    if source_of(spec) is None:
        return None
    if source is None:
        raise UserError(
            "source: this run's schedule counts in the break-even point of another; give the folder of that run"
        )
    steps, table = read_training(source).measured_steps, source / "locate.csv"
    located = read_numbers(table, ["step", "stability_lhs"])
    sides = read_steps(source / "stability.csv", ["stability_lhs"], steps)
    if not are_located(located, sides, preconditioner(spec) is not None):
        raise UserError(f"'{table}' does not have the steps of the run's break-even point: delete it, {AGAIN}")
    return first_unstable(located)


def _key(training: Training, data: Path, key: str) -> str:
    """The digest of all that the results depend on, also where no ``key`` is given."""
    parts = [canonical_json(training.spec), str(training.schedule), read_manifest(data)["sha256"], key]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
