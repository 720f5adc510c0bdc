"""Stage ``train``: one run of SGD, from its specification to its history and snapshots."""

import hashlib
import json
import math
import shutil
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from breakeven.data.dataset import Dataset, chosen, load, read_manifest
from breakeven.data.targets import training_targets
from breakeven.jobs.termination import deferred_signals, end
from breakeven.networks.build import build
from breakeven.networks.weights import copy_of
from breakeven.specs.randomness import derived_seed, generator
from breakeven.specs.run import RunSpec, canonical_json, run_id
from breakeven.specs.schedule import learning_rate_at, learning_rates, snapshot_steps, total_steps
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.files import whole_file, write_text
from breakeven.store.progress import progress, say
from breakeven.store.sealed import verify
from breakeven.store.sealed_json import write_sealed_json
from breakeven.store.training_record import FILE, read_training
from breakeven.training import checkpoint
from breakeven.training.augmentation import crop_flip
from breakeven.training.evaluation import evaluate
from breakeven.training.precision import WEIGHTS, computing

SECONDS_BETWEEN_CHECKPOINTS = 20.0
RUN_FILE, HISTORY_FILE = "run.yaml", "history.csv"


def train(
    spec: RunSpec,
    data: Path,
    out: Path,
    state: Path,
    device: torch.device,
    code: str,
    break_even_step: int | None = None,
) -> None:
    """Train the run of ``spec`` on the prepared data set in ``data``; write its results into the folder ``out``.

    Each step takes exactly S examples; an epoch is floor(N / S) steps on a fresh random order, its remainder left out.
    At each step of the snapshot schedule, θ_t and θ_{t+1} are saved; the loss and accuracy at θ_t are evaluated there
    and at the start of each epoch. The run ends, diverged, at the first step t where the loss of its mini-batch or a weight
    of θ_t is not finite. Where the training accuracy was evaluated and is at least ``stop_at_accuracy``, the run ends with
    a snapshot. ``state`` holds the checkpoints, also of a training that a signal ends, and at the end the last one; ``code`` is
    the digest of this stage's code. ``break_even_step``: of the run that `source_of` names, which a schedule may count in; None
    where it has no break-even point.
    """
    dataset = load(data, device, spec.dataset)
    run = run_id(spec)
    examples = len(dataset.train_labels)
    steps_per_epoch = examples // spec.batch_size
    if steps_per_epoch == 0:
        raise UserError(f"batch_size: {spec.batch_size} is more than the {examples} training examples: lower it")
    steps = total_steps(spec, steps_per_epoch)
    rates = learning_rates(spec, steps_per_epoch, break_even_step)
    measured = set(snapshot_steps(spec, steps_per_epoch))

    key = _key(spec, rates, read_manifest(data)["sha256"], code)
    if _is_published(out, key):
        say(f"{run} has been trained already, by a process that this one waited for")
        return
    model = build(spec, dataset.input_shape, dataset.classes, WEIGHTS[spec.precision], device)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=spec.learning_rate, momentum=spec.momentum, weight_decay=spec.weight_decay
    )
    done = _resume(state, key, model, optimizer)
    say(f"train {run} on {device}, from step {done.step} to {steps}, {steps_per_epoch} steps per epoch")

    saved_at = time.monotonic()
    ended = done.diverged_step is not None or done.stopped_step is not None
    remaining = range(0) if ended else range(done.step, steps + 1)
    with deferred_signals() as received:
        for step in progress(remaining, "train", unit="step", initial=done.step, total=steps + 1):
            if step in measured or step % steps_per_epoch == 0:
                rows = evaluate(model, dataset, step, step / steps_per_epoch)
                done.history += rows
                if _is_reached(spec.stop_at_accuracy, rows):
                    done.stopped_step = step
            now = _weights(model) if step in measured or step == done.stopped_step else None
            raw, labels = _mini_batch(dataset, spec, step, steps_per_epoch)
            inputs = dataset.inputs(raw, WEIGHTS[spec.precision])
            targets = training_targets(labels, dataset.classes, spec.label_smoothing, WEIGHTS[spec.precision])
            problem = _sgd_step(model, optimizer, inputs, targets, spec, step, learning_rate_at(rates, step))
            if problem:
                done.diverged_step = step
                say(f"diverged: {problem} at step {step}")
                break
            if now is not None:
                snapshot = snapshots.Snapshot(step, now[0], _weights(model)[0], now[1])
                done.snapshots.append(snapshots.write(state / "snapshots", run, snapshot))
            done.step = step + 1
            if done.stopped_step is not None:
                say(f"stopped: the training accuracy is at least {spec.stop_at_accuracy} at step {step}")
                break
            signal = received()
            if signal or time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                checkpoint.save(state, key, done, _tensors(model, optimizer))
                saved_at = time.monotonic()
            if signal:
                say(f"ended by a signal after step {step}; the same command goes on from there")
                end(signal)
    checkpoint.save(state, key, done, _tensors(model, optimizer))
    facts = {
        "steps": steps,
        "steps_per_epoch": steps_per_epoch,
        "train_examples": examples,
        "key": key,
        "learning_rates": rates,  # also those after the end
    }
    _publish(spec, done, out, state, facts)


def _is_reached(accuracy: float | None, rows: list[dict[str, float | str]]) -> bool:
    [reached] = [row["accuracy"] for row in rows if row["split"] == "train"]
    return accuracy is not None and float(reached) >= accuracy


def _sgd_step(
    model: nn.Module,
    optimizer: torch.optim.SGD,
    inputs: Tensor,
    targets: Tensor,
    spec: RunSpec,
    step: int,
    learning_rate: float,
) -> str:
    """Take the SGD step θ_t → θ_{t+1}, unless the loss of its mini-batch or θ_t is not finite; then return what is not.

    A weight can be infinite where the loss is finite, behind a ReLU that is 0.
    """
    model.train()
    torch.manual_seed(derived_seed(spec.seed, "dropout", step))  # the one randomness that layers draw themselves
    with computing(spec.precision, inputs.device):
        loss = cross_entropy(model(inputs), targets)
        largest = get_total_norm([parameter.detach() for parameter in model.parameters()], norm_type=math.inf)
        value, weight = torch.stack([loss.detach().to(largest), largest]).tolist()
        if not math.isfinite(value):
            return f"the training loss is {value}"
        if not math.isfinite(weight):
            return f"a weight is {weight}"
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return ""


def _mini_batch(dataset: Dataset, spec: RunSpec, step: int, steps_per_epoch: int) -> tuple[Tensor, Tensor]:
    """The S examples of ``step``: a slice of the random order of its epoch, which depends on seed and epoch alone."""
    epoch, position = divmod(step, steps_per_epoch)
    order = _order(len(dataset.train_labels), spec.seed, epoch)
    indices = order[position * spec.batch_size : (position + 1) * spec.batch_size]
    raw = chosen(dataset.train_inputs, indices)
    if spec.augmentation == "crop_flip":
        raw = crop_flip(raw, generator(spec.seed, "augmentation", step))
    return raw, chosen(dataset.train_labels, indices)


@lru_cache(maxsize=1)  # once an epoch, not once a step
def _order(examples: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(examples, generator=generator(seed, "order", epoch))


def _weights(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return copy_of(dict(model.named_parameters())), copy_of(dict(model.named_buffers()))


def _key(spec: RunSpec, rates: list[tuple[int, float]], data: str, code: str) -> str:
    return hashlib.sha256("\n".join([canonical_json(spec), str(rates), data, code]).encode()).hexdigest()


def _tensors(model: nn.Module, optimizer: torch.optim.SGD) -> dict[str, Tensor]:
    """Weights, buffers and momentum, by name, for the checkpoint."""
    tensors = {f"model/{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        momentum = optimizer.state[parameter].get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum/{name}"] = momentum
    return tensors


def _resume(state: Path, key: str, model: nn.Module, optimizer: torch.optim.SGD) -> checkpoint.Progress:
    found = checkpoint.resume(state, key)
    if found is None:
        return checkpoint.Progress()
    done, tensors = found
    model.load_state_dict({k.removeprefix("model/"): t for k, t in tensors.items() if k.startswith("model/")})
    for name, parameter in model.named_parameters():
        if f"momentum/{name}" in tensors:
            optimizer.state[parameter]["momentum_buffer"] = tensors[f"momentum/{name}"].to(parameter.device)
    return done


def _is_published(out: Path, key: str) -> bool:
    """Whether the results in ``out`` are whole and of the same specification, data and code."""
    try:
        record = read_training(out)
        for name in (RUN_FILE, HISTORY_FILE):
            verify(out / name, by=out / FILE)
    except UserError:
        return False
    return record.get("key") == key and all(checkpoint.intact(out / "snapshots", s) for s in record["snapshots"])


def _publish(spec: RunSpec, done: checkpoint.Progress, out: Path, state: Path, facts: dict[str, Any]) -> None:
    """Write the results where the pipeline expects them, ``training.json`` last.

    The checkpoint and its snapshots stay in ``state``: whoever has lost the results needs no other training for them.
    """
    write_text(out / RUN_FILE, yaml.safe_dump({"run": run_id(spec)} | json.loads(canonical_json(spec))))
    with whole_file(out / HISTORY_FILE) as temporary:
        columns = ["step", "epoch", "split", "loss", "accuracy"]
        pd.DataFrame(done.history, columns=columns).to_csv(temporary, index=False)
    shutil.rmtree(out / "snapshots", ignore_errors=True)
    (out / "snapshots").mkdir()
    for snapshot in done.snapshots:
        _link_or_copy(state / "snapshots" / snapshot["file"], out / "snapshots" / snapshot["file"])
    record = {
        "run": run_id(spec),
        "spec": json.loads(canonical_json(spec)),
        "diverged": done.diverged_step is not None,
        "diverged_step": done.diverged_step,
        "stopped_step": done.stopped_step,
        "batch_size": spec.batch_size,
        **facts,
        "snapshots": done.snapshots,
    }
    known = {out / "snapshots" / snapshot["file"]: snapshot["sha256"] for snapshot in done.snapshots}
    write_sealed_json(out / FILE, record, out / RUN_FILE, out / HISTORY_FILE, known=known)


def _link_or_copy(source: Path, target: Path) -> None:
    """One file under two names takes no more space; where a file system has no such thing, a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
