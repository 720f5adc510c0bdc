"""How costs grow: the exponent of time against parameters, examples, snapshots and runs, from a straight line through logarithms.

A Hessian-vector product and a gradient against the number of parameters D and of examples n; the Hessian stage of a run against
its snapshots; planning against runs. 1 is proportional; less than 1 has a part that is paid once.
"""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np
import planning
import torch
from stability import digits_of_the_default_study
from torch import Tensor, nn

from breakeven.networks.simple_cnn import simple_cnn
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs

HEADER = ["time of", "against", "from", "to", "seconds at both", "exponent"]


def main() -> None:
    """Print the table."""
    options = common.parser(__doc__, repeats=5, images=64, runs=1000, snapshots=16)
    arguments = options.parse_args()
    device = common.set_up(arguments)
    pictures = common.examples(arguments.data, device, max(512, arguments.images))
    few = arguments.network == "tiny"
    widths = (8, 16) if few else (16, 32, 64, 128)
    networks = {width: network((3, 32, 32), (width, 2 * width), 4 * width, device) for width in widths}
    sizes = {sum(each.numel() for each in model.parameters()): model for model in networks.values()}
    inputs, targets = pictures.first(arguments.images)
    repeats = arguments.repeats
    print(f"{common.machine(device)}.\n")
    rows = []
    for name, what in (("a product with H", product), ("a gradient", gradient)):
        of_size = {size: what(model, inputs, targets) for size, model in sizes.items()}
        rows.append(row(name, "parameters", of_size, repeats, device))
        model = networks[widths[0]]
        of_examples = {n: what(model, *pictures.first(n)) for n in ((8, 16) if few else (32, 64, 128, 256, 512))}
        rows.append(row(name, "examples", of_examples, repeats, device))
    digits, model = digits_of_the_default_study(device)
    counts = [count for count in (2, 4, 8, 16, 32) if count <= arguments.snapshots]
    along = {count: trajectory(model, digits, count) for count in counts}
    rows.append(row("λ_H^1 along a run", "snapshots", along, repeats, device))
    rows.append(of_runs([count for count in (30, 100, 300, 1000) if count <= arguments.runs]))
    print(common.table(HEADER, rows))


def network(shape: tuple[int, int, int], channels: tuple[int, ...], dense: int, device: torch.device) -> nn.Module:
    """SimpleCNN of this width."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return simple_cnn(shape, 10, channels=channels, dense=dense).to(device)


def product(model: nn.Module, inputs: Tensor, targets: Tensor) -> Callable[[], object]:
    """A product with H, whose graph is kept."""
    hessian = Hessian(model, [(inputs, targets)])
    vector = torch.randn_like(hessian.gradient)
    return lambda: hessian.matvec(vector)


def gradient(model: nn.Module, inputs: Tensor, targets: Tensor) -> Callable[[], object]:
    """A gradient."""
    return lambda: common.gradient(model, inputs, targets)


def trajectory(model: nn.Module, digits: common.Examples, snapshots: int) -> Callable[[], object]:
    """λ_H^1 at so many snapshots, each from the eigenvector of the one before."""
    saved = common.trajectory(model, digits, snapshots, 10, 0.1)
    inputs, targets = digits.first(287)

    def measure() -> None:
        previous = None
        for weights in saved:
            model.load_state_dict(weights)
            hessian = Hessian(model, [(inputs, targets)])
            draws = torch.Generator().manual_seed(0)
            start = torch.randn(2, len(hessian.gradient), generator=draws).to(hessian.gradient)
            if previous is not None:
                start = start / start.norm(dim=1, keepdim=True) + previous
            pairs = largest_eigenpairs(hessian.matvec, start, 1, 1e-3, 200, draws)
            previous = pairs.vectors[0]

    return measure


def of_runs(counts: list[int]) -> list[str]:
    """Planning, in processor seconds."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for count in counts:
            planned = Path(folder, str(count))
            planned.mkdir()
            planning.config(planned / "config.yaml", count)
            seconds[count] = min(planning.planning(planned, "all") for _ in range(2))
    return cells("planning", "runs", seconds)


def row(
    what: str, against: str, functions: dict[int, Callable[[], object]], repeats: int, device: torch.device
) -> list[str]:
    """A row of the table: the functions by turns."""
    times = common.by_turns({str(size): function for size, function in functions.items()}, repeats, device)
    return cells(what, against, {int(size): min(seconds) for size, seconds in times.items()})


def cells(what: str, against: str, seconds: dict[int, float]) -> list[str]:
    """The exponent of seconds by size."""
    sizes = sorted(seconds)
    exponent = np.polyfit([math.log(size) for size in sizes], [math.log(seconds[size]) for size in sizes], 1)[0]
    both = f"{seconds[sizes[0]]:.2g}, {seconds[sizes[-1]]:.2g}"
    return [what, against, f"{sizes[0]:,}", f"{sizes[-1]:,}", both, f"{exponent:.2f}"]


if __name__ == "__main__":
    common.run(main)
