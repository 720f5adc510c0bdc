"""Stage ``predictions``: what a network says of the test set at each snapshot of a run; only where a figure asks for it."""

from pathlib import Path

import torch

from breakeven.data.dataset import load
from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.run import run_id
from breakeven.specs.run_file import read_spec
from breakeven.store import predictions
from breakeven.store.errors import UserError
from breakeven.store.progress import within
from breakeven.store.training_record import read_training
from breakeven.training.evaluation import EXAMPLES as AT_ONCE
from breakeven.training.evaluation import NUMBERS

EXAMPLES = 1000  # of the test set, at most


@torch.no_grad()
def measure_predictions(run: Path, data: Path, out: Path, device: torch.device) -> None:
    """Write ``predictions.safetensors``: see `breakeven.store.predictions`.

    The softmax of the outputs for the first examples of the test set, in evaluation mode (running averages, no dropout),
    computed in float32, as when the network is evaluated during training.
    """
    spec, snapshots = read_spec(run), len(read_training(run).snapshots)
    dataset = load(data, device, spec.dataset)
    if dataset.predicts_numbers:
        raise UserError(
            "predictions: the data set has numbers to predict, and these are of classes: leave the figure out"
        )
    inputs = dataset.test_inputs[:EXAMPLES]
    size = min(AT_ONCE, max(1, NUMBERS // inputs[0].numel()))
    steps: list[int] = []
    found = torch.empty(snapshots, len(inputs), dataset.classes, dtype=torch.float16)
    for measured in measured_snapshots(run, dataset, "float32", device, "predictions"):
        measured.model.eval()
        chunks = within(inputs.split(size), "test set", unit="chunk")
        outputs = [measured.model(dataset.inputs(chunk, torch.float32)) for chunk in chunks]
        found[len(steps)] = torch.cat(outputs).softmax(dim=1).to(torch.float16)
        steps.append(measured.step)
    predictions.write(out, run_id(spec), steps, found)
