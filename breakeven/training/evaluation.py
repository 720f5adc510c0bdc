"""Loss and accuracy on the training and the test set."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from breakeven.data.dataset import Dataset

CHUNK = 1000


def evaluate(model: nn.Module, dataset: Dataset, step: int, epoch: float) -> list[dict[str, float | str]]:
    """Mean cross-entropy (nats) and accuracy in evaluation mode (running averages, no dropout), one row per split.

    The training set is represented by its fixed ``evaluated`` subset, at most 10,000 examples, never augmented.
    """
    splits = {
        "train": (dataset.train_images[dataset.evaluated], dataset.train_labels[dataset.evaluated]),
        "test": (dataset.test_images, dataset.test_labels),
    }
    rows: list[dict[str, float | str]] = []
    for split, (images, labels) in splits.items():
        loss, accuracy = _loss_and_accuracy(model, dataset, images, labels)
        rows.append({"step": step, "epoch": epoch, "split": split, "loss": loss, "accuracy": accuracy})
    return rows


@torch.no_grad()
def _loss_and_accuracy(model: nn.Module, dataset: Dataset, images: Tensor, labels: Tensor) -> tuple[float, float]:
    model.eval()
    dtype = next(model.parameters()).dtype
    loss, correct = 0.0, 0
    for chunk, target in zip(images.split(CHUNK), labels.split(CHUNK), strict=True):
        outputs = model(dataset.normalise(chunk, dtype))
        loss += cross_entropy(outputs, target, reduction="sum").item()
        correct += int((outputs.argmax(dim=1) == target).sum().item())
    return loss / len(labels), correct / len(labels)
