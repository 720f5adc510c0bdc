"""Before a network of the user's own is trained: whether it can be measured, on a few examples, in about a second."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any

import torch
from torch import Tensor, nn

from breakeven.data.dataset import chosen, load
from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.build import build
from breakeven.networks.exact_kernels import exact_kernels
from breakeven.networks.primitive import with_primitive_operations
from breakeven.specs.own_code import is_own
from breakeven.specs.run import RunSpec
from breakeven.spectra.curvature import fastest_way, per_example_curvature, reverse_mode
from breakeven.spectra.curvature_check import MISMATCH, agree
from breakeven.spectra.hessian import product
from breakeven.spectra.parameters import as_float64, in_float64, loss_gradient, trainable
from breakeven.store.errors import MeasurementError, UserError

EXAMPLES = 3
PERTURBATION = 0.02  # of each weight, so that what begins at 0 hides nothing
# ∇L(θ + h·e) − ∇L(θ − h·e) is 2h·H e for a unit vector e, but for the kinks between: with these h, networks with
# kinks (torchvision's resnet18, mobilenet_v2) are within 2e-6, and what is wrong is off by more than 0.02
STEPS = (1e-7, 1e-8)
NEAR = 1e-3
WHERE = (
    "PyTorch gets it wrong of an operation or of code that TorchScript compiled, or a function of your own has a backward that "
    "can't be differentiated again; write it in other operations"
)


def check_own_network(spec: RunSpec, data: Path, device: torch.device) -> None:
    """A UserError where the network of ``spec`` is the user's own and can't be measured: what, and what to do.

    Tried are the outputs, whether H e is how the gradient changes along e, and whether the mean curvature of the examples is
    e·He; in float64, along a random direction, at weights near the first ones.
    """
    if not is_own(spec.network):
        return
    dataset = load(data, device, spec.dataset)
    some = dataset.measured[:EXAMPLES]
    inputs, labels = dataset.inputs(chosen(dataset.train_inputs, some), torch.float32), dataset.train_labels[some]
    with torch.random.fork_rng(), _named(spec.network):
        with _no_complex_weights():
            model = build(spec, dataset.input_shape, dataset.classes, torch.float32, device, dataset.predicts_numbers)
        model = with_primitive_operations(model)
        set_measuring(model)
        with exact_kernels(model):
            check(model, inputs, labels, dataset.classes)


def check(model: nn.Module, inputs: Tensor, labels: Tensor, classes: int) -> None:
    """A UserError where ``model``, in measuring mode, can't be measured."""
    parameters = trainable(model)
    if not parameters:
        raise UserError("it has no parameter that is trained")
    with torch.no_grad():
        outputs = model(inputs)
        again = model(inputs)
    if not isinstance(outputs, Tensor) or outputs.shape != (len(inputs), classes):
        got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UserError(f"it must return a tensor of shape (examples, outputs) = ({len(inputs)}, {classes}), not {got}")
    if not torch.equal(outputs, again) and bool(outputs.isfinite().all()):
        raise UserError(
            "it gives other outputs for the same inputs: what is random in it must be off after model.eval()"
        )
    _check_mode(model, inputs, outputs)
    _check_autocast(model, inputs)
    inputs_64 = as_float64(inputs)
    with in_float64(model):
        try:
            model(inputs_64)
        except RuntimeError as error:
            raise UserError(
                f"it can't be computed in float64 ({error}): make constant tensors buffers of it"
            ) from error
        _check_derivatives(model, inputs_64, as_float64(labels))


@torch.no_grad()
def _check_mode(model: nn.Module, inputs: Tensor, measured: Tensor) -> None:
    """A UserError where another function is trained than is measured, but for what is random in training and normalisations."""
    model.train()
    state = torch.get_rng_state()
    trained, again = model(inputs), model(inputs)
    random = not torch.equal(trained, again) or not torch.equal(state, torch.get_rng_state())
    set_measuring(model)
    near = bool((trained - measured).norm() <= NEAR * measured.norm())
    if not (random or near) and bool(trained.isfinite().all()):
        raise UserError(
            "after model.train() it gives other outputs than after model.eval(), in which it is measured, and not by chance or "
            "by torch.nn's normalisation layers: let it compute the same in both, or normalise by a layer of torch.nn"
        )


@torch.no_grad()
def _check_autocast(model: nn.Module, inputs: Tensor) -> None:
    """A UserError where a layer computes under autocast, of which H has too few digits."""
    seen: list[bool] = []

    def note(*_: Any) -> None:
        seen.append(torch.is_autocast_enabled(inputs.device.type))

    hooks = [module.register_forward_pre_hook(note) for module in model.modules()]
    model(inputs)
    for hook in hooks:
        hook.remove()
    if any(seen):
        raise UserError(
            "it computes under torch.autocast, of which H has too few digits: leave that to the key 'precision'"
        )


def _check_derivatives(model: nn.Module, inputs: Tensor, labels: Tensor) -> None:
    parameters = trainable(model)
    draws = torch.Generator().manual_seed(0)

    def random() -> Tensor:
        size = sum(parameter.numel() for parameter in parameters)
        return torch.randn(size, generator=draws, dtype=torch.float64).to(inputs.device)

    _move(parameters, PERTURBATION * random())
    gradient = loss_gradient(model, inputs, labels)
    e = random() * (gradient != 0)  # a vector of padding moves the loss, but is no part of the training
    e /= e.norm()
    along = product(model, [(inputs, labels)], e)
    if not bool(gradient.isfinite().all() and along.isfinite().all()):
        return  # nothing can be said
    if not any(_changes_so(model, inputs, labels, e, along, h) for h in STEPS):
        raise MeasurementError(
            "its H, by differentiating twice, is not how its gradient changes: something that depends on the weights is held "
            f"constant (detach, no_grad, rounding), or a second derivative is wrong: {WHERE}"
        )
    for way in (fastest_way(model, inputs), reverse_mode):
        curvatures = per_example_curvature(model, e, inputs, labels, way)
        if agree(curvatures, float(e @ along), MISMATCH[torch.float64]):
            return
    raise MeasurementError(
        f"the mean curvature of its examples is not that of its loss, so that a derivative is wrong: {WHERE}"
    )


def _changes_so(model: nn.Module, inputs: Tensor, labels: Tensor, e: Tensor, along: Tensor, h: float) -> bool:
    """Whether the gradient changes by 2h ``along`` from θ − h·e to θ + h·e."""
    parameters = trainable(model)
    _move(parameters, -h * e)
    before = loss_gradient(model, inputs, labels)
    _move(parameters, 2 * h * e)
    change = (loss_gradient(model, inputs, labels) - before) / (2 * h)
    _move(parameters, -h * e)
    return bool((change - along).norm() <= NEAR * along.norm() + h)


@torch.no_grad()
def _move(parameters: Sequence[Tensor], by: Tensor) -> None:
    for parameter, part in zip(parameters, by.split([tensor.numel() for tensor in parameters]), strict=True):
        parameter += part.view_as(parameter)


@contextmanager
def _no_complex_weights() -> Iterator[None]:
    """A UserError where a parameter or a buffer is complex: in float32 it would lose its imaginary part, with a warning."""
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # not only the first time
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Casting complex values to real")
            yield
    except UserWarning as error:
        raise UserError(
            "it has complex weights or buffers, which would lose their imaginary parts: keep them as real numbers, see "
            "torch.view_as_real and torch.view_as_complex"
        ) from error
    finally:
        torch.set_warn_always(always)


@contextmanager
def _named(network: str) -> Iterator[None]:
    """Whatever goes wrong inside the block, in a sentence that names the network, and the line of its file."""
    try:
        yield
    except UserError as error:
        named = str(error).startswith("network '")
        raise error if named else UserError(f"network '{network}': {error}") from error
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        file = Path(network.rpartition(":")[0]).resolve()
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if Path(frame.filename).resolve() == file]
        where = f", in line {lines[-1]}" if lines else ""
        said = (str(error).strip().splitlines() or [""])[0]
        raise UserError(f"network '{network}'{where}: {type(error).__name__}: {said}") from error
