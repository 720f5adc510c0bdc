"""What is measured of the tests' 18 networks, on the device against the CPU.

For each, in float64: H·v, with the graph kept and built again, and without a Hessian object; the Gram matrices of K for
mini-batches of 3 examples and for single examples; the curvature of each example. Told is the largest relative difference
‖device − CPU‖ / ‖CPU‖, which may be 1e-10; that of float32 against the CPU's float64 is told beside it.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from breakeven.networks.batch_norm import mixes_examples, set_measuring
from breakeven.networks.exact_kernels import exact_kernels
from breakeven.spectra.curvature import fastest_way, per_example_curvature
from breakeven.spectra.graph_memory import graph_bytes
from breakeven.spectra.hessian import Hessian, product
from breakeven.spectra.mini_batch_gram import mini_batch_gram
from breakeven.spectra.parameters import trainable
from breakeven.spectra.per_example.gram import per_example_gram
from gpu_check.check import Check
from tests.spectra.networks import CASES, case

LIMIT = 1e-10  # of float64
SIZE = 3  # of a mini-batch
MEMORY_MB = 500.0


def run(check: Check) -> None:
    """A row for each network."""
    device = check.torch_device()
    for name in CASES[:3] if check.quick else CASES:
        with check.attempt(name):
            made = case(name)
            examples = made.inputs, made.targets
            expected = measured(made.model, *examples, torch.device("cpu"), torch.float64)
            worst = {
                dtype: largest_difference(measured(made.model, *examples, device, dtype), expected)
                for dtype in (torch.float64, torch.float32)
            }
            found = ", ".join(f"{dtype} {size:.1e} ({what})" for dtype, (size, what) in worst.items())
            check.tell(name, found.replace("torch.", ""), worst[torch.float64][0] <= LIMIT)


def measured(
    model: nn.Module, inputs: Tensor, targets: Tensor, device: torch.device, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Everything that is compared, by its name, on the CPU in float64."""
    model = deepcopy(model).to(device=device, dtype=dtype)
    set_measuring(model)
    x = inputs.to(device=device, dtype=dtype if inputs.is_floating_point() else inputs.dtype)
    y = targets.to(device)
    batches = list(zip(x.split(SIZE), y.split(SIZE), strict=True))
    whole = [batch for batch in batches if len(batch[1]) == SIZE]
    v = direction(sum(parameter.numel() for parameter in trainable(model))).to(device=device, dtype=dtype)
    with exact_kernels(model):
        functions: dict[str, Callable[[], Tensor]] = {
            "H·v, graph kept": lambda: Hessian(model, batches).matvec(v),
            "H·v, graph built again": lambda: Hessian(model, batches, megabytes_for_pieces(model, batches)).matvec(v),
            "H·v alone": lambda: product(model, batches, v),
            f"K, M = {SIZE}": lambda: mini_batch_gram(model, whole, MEMORY_MB),
            "curvatures": lambda: per_example_curvature(model, v, x, y, fastest_way(model, x)),
        }
        if not mixes_examples(model):
            functions["K, M = 1"] = lambda: per_example_gram(model, x, y, MEMORY_MB)
        return {name: function().detach().double().cpu() for name, function in functions.items()}


def direction(size: int) -> Tensor:
    """A random unit vector, the same for each device and precision."""
    v = torch.randn(size, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return v / v.norm()


def megabytes_for_pieces(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> float:
    """So little that the graph is not kept: room for one example, or for one mini-batch where its examples are mixed."""
    inputs, targets = batches[0]
    needed = 2 * graph_bytes(model, inputs, targets) / 2**20
    return 1.01 * (needed if mixes_examples(model, inputs) else needed / len(targets))


def largest_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> tuple[float, str]:
    """The largest relative difference in the 2-norm, and of what; infinite where something is not finite."""
    differences = {name: float((found[name] - expected[name]).norm() / expected[name].norm()) for name in expected}
    return max((size if size == size else float("inf"), name) for name, size in differences.items())
