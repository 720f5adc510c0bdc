"""How costs grow: the exponent of time against parameters, examples, snapshots and runs, from a straight line through logarithms.

A Hessian-vector product and a gradient against the number of parameters D and of examples n; the Hessian stage of a run against
its snapshots; planning against runs, in processor seconds. 1 is proportional; less than 1 has a part that is paid once. The
second table has the points that the lines go through.
"""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np
import planning
import torch
from solvers import Problem, ours
from stability import DIGITS, digits_of_the_default_study
from torch import Tensor, nn

from breakeven.networks.simple_cnn import simple_cnn
from breakeven.spectra.hessian import Hessian

HEADER = ["time of", "against", "from", "to", "seconds at both", "exponent"]
POINTS = ["time of", "against", "size", "seconds"]


@dataclass(frozen=True)
class Growth:
    """Of what, against what, and its seconds by size."""

    what: str
    against: str
    seconds: dict[int, float]


def main() -> None:
    """Print the tables."""
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
    growths = []
    for name, what in (("a product with H", product), ("a gradient", gradient)):
        of_size = {size: what(model, inputs, targets) for size, model in sizes.items()}
        growths.append(by_turns(name, "parameters", of_size, repeats, device))
        model = networks[widths[0]]
        of_examples = {n: what(model, *pictures.first(n)) for n in ((8, 16) if few else (32, 64, 128, 256, 512))}
        growths.append(by_turns(name, "examples", of_examples, repeats, device))
    digits, model = digits_of_the_default_study(device)
    counts = [count for count in (2, 4, 8, 16, 32) if count <= arguments.snapshots]
    along = {count: trajectory(model, digits, count) for count in counts}
    growths.append(by_turns("λ_H^1 along a run", "snapshots", along, repeats, device))
    growths.append(of_runs([count for count in (30, 100, 300, 1000) if count <= arguments.runs]))
    print(common.table(HEADER, map(row, growths)))
    points = [(each.what, each.against, size, f"{took:.4g}") for each in growths for size, took in each.seconds.items()]
    print(f"\n{common.table(POINTS, points)}")


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
    """λ_H^1 at so many snapshots, as stage ``hessian`` finds it, each from the eigenvectors of the one before."""
    saved = common.trajectory(model, digits, snapshots, 10, 0.1)
    inputs, targets = digits.first(DIGITS)

    def measure() -> None:
        neighbour = None
        for number, weights in enumerate(saved):
            problem = Problem(model, weights, inputs, targets, number, neighbour)
            problem.load()
            neighbour = ours(problem, 1, {"tolerance": 1e-3}).vectors

    return measure


def of_runs(counts: list[int]) -> Growth:
    """Planning, in processor seconds."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for count in counts:
            planned = Path(folder, str(count))
            planned.mkdir()
            planning.config(planned / "config.yaml", count)
            seconds[count] = min(planning.planning(planned, "all") for _ in range(2))
    return Growth("planning", "runs", seconds)


def by_turns(
    what: str, against: str, functions: dict[int, Callable[[], object]], repeats: int, device: torch.device
) -> Growth:
    """The functions by turns, the shortest time of each."""
    times = common.by_turns({str(size): function for size, function in functions.items()}, repeats, device)
    return Growth(what, against, {int(size): min(seconds) for size, seconds in times.items()})


def row(growth: Growth) -> list[str]:
    """A row of the first table: the exponent of seconds by size."""
    seconds = growth.seconds
    sizes = sorted(seconds)
    exponent = np.polyfit([math.log(size) for size in sizes], [math.log(seconds[size]) for size in sizes], 1)[0]
    both = f"{seconds[sizes[0]]:.2g}, {seconds[sizes[-1]]:.2g}"
    return [growth.what, growth.against, f"{sizes[0]:,}", f"{sizes[-1]:,}", both, f"{exponent:.2f}"]


if __name__ == "__main__":
    common.run(main)
