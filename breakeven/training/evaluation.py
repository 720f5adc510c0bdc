"""Loss and accuracy on the training, the test and, where there is one, the validation set."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from breakeven.data.dataset import Dataset
from breakeven.data.targets import training_targets
from breakeven.networks.loss import predicts_numbers, summed_loss
from breakeven.networks.memory_format import colours_last
from breakeven.store.progress import within

EXAMPLES, NUMBERS = 1000, 1000 * 3 * 32 * 32  # that go through the network at once, at most


@dataclass(frozen=True)
class Evaluation:
    """A row of ``history.csv``: mean loss (nats, or ½‖f − y‖²) and accuracy on a ``split``, "train", "test" or "validation"."""

    step: int
    epoch: float
    split: str
    loss: float
    accuracy: float


def evaluate(model: nn.Module, network: str, dataset: Dataset, step: int, epoch: float) -> list[Evaluation]:
    """Loss and accuracy on each split, the training set first, in evaluation mode (running averages, no dropout).

    ``network``: the name of ``model``.

    It is left in training mode. The training set is represented by its fixed ``evaluated`` subset, at most 10,000
    examples, never augmented. NaN stands for a loss that is not finite, and for an accuracy of outputs that are not, which
    name no class, or of a network that predicts numbers.
    """
    model.eval()
    found = [
        Evaluation(step, epoch, split, *_loss_and_accuracy(model, network, dataset, *examples))
        for split, examples in dataset.evaluated_splits.items()
    ]
    model.train()
    return found


@torch.no_grad()
def _loss_and_accuracy(
    model: nn.Module, network: str, dataset: Dataset, inputs: Tensor, labels: Tensor
) -> tuple[float, float]:
    dtype, has_none = next(model.parameters()).dtype, predicts_numbers(model)
    # of loss, right answers, outputs that are not finite; on the device, for which a GPU is waited once
    sums = torch.zeros(3, dtype=torch.float64, device=labels.device)
    size = min(EXAMPLES, max(1, NUMBERS // inputs[0].numel()))
    chunks = within(torch.split(inputs, size), "evaluate", unit="chunk")
    for chunk, target in zip(chunks, torch.split(labels, size), strict=True):
        outputs = model(colours_last(dataset.inputs(chunk, dtype), network))
        loss = summed_loss(model, outputs, training_targets(target, dataset.classes, 0.0, dtype))
        correct = torch.zeros_like(loss) if has_none else (outputs.argmax(dim=1) == target).sum()
        sums += torch.stack([part.to(torch.float64) for part in (loss, correct, (~outputs.isfinite()).sum())])
    loss_sum, correct_sum, not_finite = sums.tolist()
    mean = loss_sum / len(labels)
    accuracy = math.nan if has_none or not_finite else correct_sum / len(labels)
    return mean if math.isfinite(mean) else math.nan, accuracy
