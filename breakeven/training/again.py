"""Steps of a run that are taken again, from a snapshot on: training is deterministic, so that they are those that it took."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from breakeven.data.dataset import Dataset
from breakeven.networks.weights import copy_of, load_into
from breakeven.specs.run import RunSpec
from breakeven.store.snapshots import Snapshot
from breakeven.store.training_record import TrainingRecord
from breakeven.training.training import Training


def taken_again(
    spec: RunSpec, record: TrainingRecord, dataset: Dataset, device: torch.device, start: Snapshot, steps: Iterable[int]
) -> Iterator[tuple[Snapshot, float]]:
    """What a snapshot at each of the ``steps``, which follow that of ``start`` in order, would hold; η of the step from there.

    It ends where the training diverges, which the one before did not. The step from ``start`` is taken for the buffers alone:
    its result is in the snapshot, θ_{t+1} and what the optimizer remembers then.
    """
    # the first weights are those of the snapshot, wherever the run took its own from
    training = Training(replace(spec, initial_weights=None), dataset, device, record.break_even_step)
    load_into(training.model, start)
    training.step = start.step
    training.take_step()
    training.settle()
    with torch.no_grad():
        for name, parameter in training.model.named_parameters():
            parameter.copy_(start.next[name])
    training.optimizer.load_state(start.optimizer)
    for step in steps:
        while training.step < step and training.diverged_step is None:
            training.take_step()
        parameters, buffers = (
            copy_of(dict(training.model.named_parameters())),
            copy_of(dict(training.model.named_buffers())),
        )
        rate = training.schedule.rate(step)
        training.take_step()
        training.settle()
        if training.diverged_step is not None:
            return
        after, remembered = copy_of(dict(training.model.named_parameters())), copy_of(training.optimizer.state())
        yield Snapshot(step, parameters, after, buffers, remembered), rate
