"""The training step beside a bare one: forward, backward and update of the same mini-batches, and nothing else.

The network and the pictures of config.yaml at its batch sizes, and SimpleCNN on pictures of CIFAR-10. The bare step has its
mini-batches ready, draws no seeds, and does not ask whether anything is finite; its weights must be ours to the bit at the end.
Targets, on a CPU: at most 1.15 on digits, 1.03 on CIFAR-10.
"""

from dataclasses import replace

import common
import torch
from stability import digits_of_the_default_study
from torch import Tensor
from torch.nn.functional import cross_entropy

from breakeven.data.dataset import Dataset
from breakeven.specs.run import RunSpec, Segment
from breakeven.training.training import Training

LEARNING_RATE = 0.01
HEADER = ["", "S", "parameters", "steps", "step / bare step", "CPU ms a bare step", "same weights"]
DIGITS = {"channels": (16, 32), "dense": 64}
TINY = {"channels": (2, 3), "dense": 5}


def main() -> None:
    """Print the table."""
    arguments = common.parser(__doc__, repeats=30, images=512).parse_args()
    device = common.set_up(arguments)
    digits, _ = digits_of_the_default_study(device)
    pictures = common.examples(arguments.data, device, arguments.images)
    options = TINY if arguments.network == "tiny" else {}
    cases = [("digits", digits, DIGITS, size, 10) for size in (8, 32, 128)]
    cases += [("CIFAR-10", pictures, options, size, 1) for size in (8, 32, 128) if size <= arguments.images]
    print(f"{common.machine(device)}.\n")
    rows = [row(name, data, options, size, arguments.repeats, steps) for name, data, options, size, steps in cases]
    print(common.table(HEADER, rows))


def row(
    name: str, examples: common.Examples, options: dict[str, object], size: int, repeats: int, steps: int
) -> list[str]:
    """A row of the table: ``steps`` of both at a time, by turns."""
    ours, bare = (training(examples, options, size) for _ in range(2))
    batches = [mini_batch(bare, step) for step in range(steps * (repeats + 1))]

    def steps_of_ours() -> None:
        for _ in range(steps):
            ours.take_step()

    def bare_steps() -> None:
        for _ in range(steps):
            bare_step(bare, *batches[bare.step])

    times = common.by_turns({"ours": steps_of_ours, "bare": bare_steps}, repeats, ours.device)
    same = all(map(torch.equal, ours.model.parameters(), bare.model.parameters()))
    return [
        name,
        str(size),
        common.size(ours.model),
        str(steps * repeats),
        common.ratio_text(times["ours"], times["bare"]),
        f"{min(times['bare']) / steps * 1e3:.2f}",
        "yes" if same else "NO",
    ]


def training(examples: common.Examples, options: dict[str, object], size: int, **changes: object) -> Training:
    """A training of SimpleCNN on these pictures, stored as bytes as data sets are; ``changes`` of its specification."""
    low, high = examples.inputs.amin(), examples.inputs.amax()
    stored = ((examples.inputs - low) / (high - low) * 255).to(torch.uint8)
    numbers = torch.arange(len(stored), device=stored.device)
    levels = torch.full((stored.shape[1],), 127.5, dtype=torch.float64, device=stored.device)
    shape = tuple(stored.shape[1:])
    dataset = Dataset(
        stored, examples.targets, stored, examples.targets, numbers, numbers, levels, levels / 2, shape, 10
    )
    spec = RunSpec(
        dataset={},
        network="simple_cnn",
        network_options=options,
        learning_rate=LEARNING_RATE,
        batch_size=size,
        epochs=1000,
        snapshots=(Segment(1_000_000),),
        seed=0,
    )
    return Training(replace(spec, **changes), dataset, stored.device)


def mini_batch(of: Training, step: int) -> tuple[Tensor, Tensor]:
    """The mini-batch of a step, as the network is given it."""
    raw, labels = of.mini_batches.at(step)
    return of.dataset.inputs(raw, torch.float32), labels


def bare_step(of: Training, inputs: Tensor, labels: Tensor) -> None:
    """θ ← θ − η ∇L, by PyTorch alone."""
    parameters = list(of.model.parameters())
    gradients = torch.autograd.grad(cross_entropy(of.model(inputs), labels), parameters)
    with torch.no_grad():
        torch._foreach_add_(parameters, gradients, alpha=-LEARNING_RATE)
    of.step += 1


if __name__ == "__main__":
    common.run(main)
