"""K on SimpleCNN and CIFAR-10: the cost beside its gradients, and K of single examples against `torch.func`.

(a) K of L = 16 mini-batches of 128: the seconds of gradients, Gram matrix and spectrum over those of the 16 gradients
alone. Target: at most 1.15.

(b) The Gram matrix of the gradients of n = 512 single examples (M = 1): our `per_example_gram` against
`torch.func.vmap(grad)`, which holds the n×D matrix. Targets: at most 1/3 of the time, at most 1/5 of the memory. Two
ways to use the peer: all examples at once, and in chunks that are written into one n×D matrix, which is the least memory
that this matrix allows. Peak memory is that of a process of its own for each: its largest resident set less the one just
before the call (CPU), or the largest allocation less the one before (CUDA). Gram matrices may differ by rounding, here
relative to the largest ‖g_i‖².
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import common
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from breakeven.spectra.blocked_gram import inner_products
from breakeven.spectra.gram_spectrum import spectrum
from breakeven.spectra.mini_batch_gram import mini_batch_gram

MEGABYTE = 1e6
Method = Callable[[nn.Module, Tensor, Tensor], Tensor]


def main() -> None:
    """Print the two tables; with --memory-of, only the peak memory of that method, which is how it calls itself."""
    options = common.parser(__doc__, repeats=9, images=512, batches=16, batch_size=128, chunk=32, memory_mb=256)
    options.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = options.parse_args()
    device = common.set_up(arguments)
    needed = max(arguments.images, arguments.batches * arguments.batch_size)
    data = common.examples(arguments.data, device, needed)
    model = common.network(arguments.network, device)
    methods = per_example_methods(arguments)
    if arguments.memory_of:
        print(peak_memory(methods[arguments.memory_of], model, *data.first(arguments.images)))
        return
    print(f"{common.machine(device)}; {common.size(model)} parameters, pictures of {arguments.data}.")
    print(f"\n### (a) K of {arguments.batches} mini-batches of {arguments.batch_size}\n")
    print(common.table(["", "repeats", "time / gradients alone"], mini_batches(model, data, arguments)), flush=True)
    print(f"\n### (b) Gram matrix of {arguments.images} single examples\n")
    header = ["", "version", "repeats", "time / ours", "peak memory in MB", "memory / ours", "largest difference"]
    print(common.table(header, single_examples(methods, model, data, arguments)), flush=True)


def mini_batches(model: nn.Module, data: common.Examples, arguments: argparse.Namespace) -> list[list[str]]:
    """The rows of table (a)."""
    inputs, targets = data.first(arguments.batches * arguments.batch_size)
    batches = list(zip(inputs.split(arguments.batch_size), targets.split(arguments.batch_size), strict=True))
    times = common.by_turns(
        {
            "gradients": lambda: [common.gradient(model, *batch) for batch in batches],
            "K": lambda: spectrum(mini_batch_gram(model, batches, arguments.memory_mb)),
        },
        arguments.repeats,
        inputs.device,
    )
    return [
        ["gradients, Gram matrix, spectrum", str(arguments.repeats), common.ratio_text(times["K"], times["gradients"])]
    ]


def single_examples(
    methods: dict[str, Method], model: nn.Module, data: common.Examples, arguments: argparse.Namespace
) -> list[list[str]]:
    """The rows of table (b): ours first."""
    inputs, targets = data.first(arguments.images)
    calls = {name: partial(method, model, inputs, targets) for name, method in methods.items()}
    matrices = {name: call() for name, call in calls.items()}
    times = common.by_turns(calls, arguments.repeats, inputs.device)
    memory = {name: memory_in_a_process(name) for name in methods}
    ours = next(iter(methods))
    scale = matrices[ours].diagonal().max()
    return [
        [
            name,
            common.version_of("breakeven" if name == ours else "torch") or "",
            str(arguments.repeats),
            common.ratio_text(times[name], times[ours]),
            f"{memory[name] / MEGABYTE:.0f}",
            f"{memory[name] / memory[ours]:.1f}" if memory[ours] else "–",
            f"{float((matrices[name] - matrices[ours]).abs().max() / scale):.1e}",
        ]
        for name in methods
    ]


def per_example_methods(arguments: argparse.Namespace) -> dict[str, Method]:
    """Ours and the two ways to use the peer; each returns the n×n Gram matrix in float64."""
    from breakeven.spectra.per_example.gram import per_example_gram

    return {
        "**breakeven**": partial(per_example_gram, memory_mb=arguments.memory_mb),
        "torch.func, at once": at_once,
        f"torch.func, {arguments.chunk} at a time": partial(in_chunks, chunk=arguments.chunk),
    }


def at_once(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The n×D matrix by one call of `vmap`, and its Gram matrix."""
    matrix = rows(model, inputs, targets)
    return inner_products(matrix, matrix)


def in_chunks(model: nn.Module, inputs: Tensor, targets: Tensor, chunk: int) -> Tensor:
    """The n×D matrix, ``chunk`` rows at a time, and its Gram matrix."""
    matrix = inputs.new_empty(len(targets), sum(parameter.numel() for parameter in model.parameters()))
    for first in range(0, len(targets), chunk):
        last = first + chunk
        matrix[first:last] = rows(model, inputs[first:last], targets[first:last])
    return inner_products(matrix, matrix)


def rows(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The gradients of single examples as rows, by `torch.func`."""
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}

    def loss(weights: dict[str, Tensor], picture: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, weights, (picture[None],)), target[None])

    found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, inputs, targets)
    return torch.cat([gradient.flatten(start_dim=1) for gradient in found.values()], dim=1)


def memory_in_a_process(name: str) -> float:
    """Peak memory of a method in bytes, measured by this program in a fresh process with the same options."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_memory(method: Method, model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """By how many bytes a call raises the memory in use, once one on a tiny network has loaded the libraries."""
    method(common.network("tiny", inputs.device), inputs[:2], targets[:2])
    if inputs.is_cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        method(model, inputs, targets)
        return torch.cuda.max_memory_allocated() - before
    before = common.resident_memory("VmRSS")
    common.forget_the_peak()
    method(model, inputs, targets)
    return common.resident_memory("VmHWM") - before


if __name__ == "__main__":
    common.run(main)
