"""Loss and accuracy on the training and the test set."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from breakeven.data.dataset import Dataset, chosen
from breakeven.store.progress import within

EXAMPLES, NUMBERS = 1000, 1000 * 3 * 32 * 32  # that go through the network at once, at most


def evaluate(model: nn.Module, dataset: Dataset, step: int, epoch: float) -> list[dict[str, float | str]]:
    """Mean cross-entropy (nats) and accuracy in evaluation mode (running averages, no dropout), one row per split.

    The training set is represented by its fixed ``evaluated`` subset, at most 10,000 examples, never augmented. NaN stands
    for a loss that is not finite, and for an accuracy of outputs that are not, which name no class.
    """
    splits = {
        "train": (chosen(dataset.train_inputs, dataset.evaluated), dataset.train_labels[dataset.evaluated]),
        "test": (dataset.test_inputs, dataset.test_labels),
    }
    rows: list[dict[str, float | str]] = []
    for split, (inputs, labels) in splits.items():
        loss, accuracy = _loss_and_accuracy(model, dataset, inputs, labels)
        rows.append({"step": step, "epoch": epoch, "split": split, "loss": loss, "accuracy": accuracy})
    return rows


@torch.no_grad()
def _loss_and_accuracy(model: nn.Module, dataset: Dataset, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    model.eval()
    dtype = next(model.parameters()).dtype
    loss, correct, finite = 0.0, 0, True
    size = min(EXAMPLES, max(1, NUMBERS // inputs[0].numel()))
    chunks = within(inputs.split(size), "evaluate", unit="chunk")
    for chunk, target in zip(chunks, labels.split(size), strict=True):
        outputs = model(dataset.inputs(chunk, dtype))
        loss += cross_entropy(outputs, target, reduction="sum").item()
        correct += int((outputs.argmax(dim=1) == target).sum().item())
        finite = finite and bool(outputs.isfinite().all())
    mean = loss / len(labels)
    return mean if math.isfinite(mean) else math.nan, correct / len(labels) if finite else math.nan
