"""The left-hand side of Eq. 1: the cost of the curvature of each example along a direction, beside λ_H^1.

On SimpleCNN with 128 pictures of CIFAR-10, and on the network and the 287 measured digits of config.yaml, the seconds of
`per_example_curvature` over those of one gradient evaluation on the same pictures (target: at most 4), and over those of
λ_H^1 from random vectors, which gives the direction. The mean curvature must be eᵀ H e by reverse mode.
"""

import common
import torch
from solvers import Problem, ours
from torch import Tensor, nn

from breakeven.data.digits import load as load_digits
from breakeven.networks.simple_cnn import simple_cnn
from breakeven.spectra.hessian import Hessian

DIGITS = 287  # as in config.yaml: a fifth of the training set
HEADER = ["", "parameters", "pictures", "repeats", "time / gradient evaluation", "time / λ_H^1", "mean against eᵀ H e"]


def main() -> None:
    """Print the table."""
    options = common.parser(__doc__, repeats=5, images=128)
    arguments = options.parse_args()
    device = common.set_up(arguments)
    cifar10 = common.examples(arguments.data, device)
    digits, digits_network = digits_of_the_default_study(device)
    cases = {
        f"SimpleCNN, pictures of {arguments.data}": (
            common.network(arguments.network, device),
            *cifar10.first(arguments.images),
        ),
        "network of config.yaml, digits": (digits_network, *digits.first(DIGITS)),
    }
    print(f"{common.machine(device)}.\n")
    rows = [
        [name, *cells(model, inputs, targets, arguments.repeats)] for name, (model, inputs, targets) in cases.items()
    ]
    print(common.table(HEADER, rows))


def cells(model: nn.Module, inputs: Tensor, targets: Tensor, repeats: int) -> list[str]:
    """A row of the table: a gradient evaluation, the curvatures and λ_H^1 by turns."""
    from breakeven.spectra.curvature import fastest_way, per_example_curvature

    problem = Problem(model, model.state_dict(), inputs, targets, 0)
    hessian = Hessian(model, [(inputs, targets)])
    direction = hessian.gradient / hessian.gradient.norm()
    way = fastest_way(model, inputs)
    curvatures = per_example_curvature(model, direction, inputs, targets, way)
    expected = float(direction @ hessian.matvec(direction))
    times = common.by_turns(
        {
            "gradient": lambda: common.gradient(model, inputs, targets),
            "curvatures": lambda: per_example_curvature(model, direction, inputs, targets, way),
            "lambda": lambda: ours(problem, 1, {"tolerance": 1e-3}),
        },
        repeats,
        inputs.device,
    )
    return [
        common.size(model),
        str(len(targets)),
        str(repeats),
        common.ratio_text(times["curvatures"], times["gradient"]),
        common.ratio_text(times["curvatures"], times["lambda"]),
        f"{abs(float(curvatures.mean()) - expected) / abs(expected):.1e}",
    ]


def digits_of_the_default_study(device: torch.device) -> tuple[common.Examples, nn.Module]:
    """Digits, normalised, and the network of config.yaml."""
    splits = load_digits(test_fraction=0.2, seed=0, train_examples=None, test_examples=None)
    inputs = torch.tensor(splits.train_inputs, dtype=torch.float32)
    inputs = (inputs - inputs.mean()) / inputs.std()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = simple_cnn((1, 8, 8), 10, channels=(16, 32), dense=64).to(device)
    return common.Examples(inputs.to(device), torch.tensor(splits.train_labels, device=device)), model


if __name__ == "__main__":
    common.run(main)
