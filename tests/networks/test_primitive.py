"""Each operation written out, against PyTorch's own values and gradients, and against differences of those gradients."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from breakeven.networks.batch_norm import mixes_examples, set_measuring
from breakeven.networks.primitive import with_primitive_operations
from breakeven.networks.weights import copy_of, load_into
from breakeven.spectra.curvature import forward_mode, reverse_mode
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from tests.networks.zoo import Function

pytestmark = pytest.mark.filterwarnings("ignore")  # weight normalization by a hook is deprecated


class Turned(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.transpose(-1, -2)).transpose(-1, -2)


class Words(nn.Module):
    """Some of the words are padding."""

    def __init__(self, padding):
        super().__init__()
        self.words = nn.Embedding(5, 4, padding_idx=padding)

    def forward(self, x):
        return x * self.words((x[:, :, 0] * 5).abs().long() % 5)


LAYERS = {
    "batch norm 1d": (nn.BatchNorm1d(3), (3,)),
    "batch norm 1d of a sequence": (nn.BatchNorm1d(3, eps=1e-3, momentum=0.3), (3, 4)),
    "batch norm 2d": (nn.BatchNorm2d(3), (3, 4, 2)),
    "batch norm 2d without weights": (nn.BatchNorm2d(3, affine=False), (3, 4, 2)),
    "batch norm 2d without averages": (nn.BatchNorm2d(3, track_running_stats=False), (3, 4, 2)),
    "batch norm 2d with means": (nn.BatchNorm2d(3, momentum=None), (3, 4, 2)),
    "batch norm 3d": (nn.BatchNorm3d(3), (3, 4, 2, 2)),
    "synchronised": (nn.SyncBatchNorm(3), (3, 4, 2)),
    "instance norm 1d": (nn.InstanceNorm1d(3), (3, 4)),
    "instance norm 2d": (nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (3, 4, 2)),
    "instance norm 3d": (nn.InstanceNorm3d(3), (3, 4, 2, 2)),
    "layer norm": (nn.LayerNorm((4, 2), eps=0.1), (3, 4, 2)),
    "layer norm without bias": (nn.LayerNorm(4, bias=False), (3, 4)),
    "layer norm of a subclass": (Turned(4), (4, 3)),
    "layer norm, a function": (Function(lambda x: functional.layer_norm(x, (4,))), (3, 4)),
    "layer norm of torch": (Function(lambda x: torch.layer_norm(x, (4,), x[0, 0], None, 1e-5, False)), (3, 4)),
    "batch norm, a function": (Function(lambda x: functional.batch_norm(x, None, None, training=True)), (3, 4)),
    "batch norm of torch": (
        Function(lambda x: torch.batch_norm(x, x[0, :, 0], None, None, None, True, 0.1, 1e-5, False)),
        (3, 4),
    ),
    "instance norm of torch": (
        Function(lambda x: torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, False)),
        (3, 4),
    ),
    "group norm": (nn.GroupNorm(2, 4), (4, 3)),
    "root mean square": (nn.RMSNorm(4), (3, 4)),
    "local response": (nn.LocalResponseNorm(2, alpha=1.0), (3, 4)),
    "weight norm": (nn.utils.weight_norm(nn.Linear(4, 5)), (3, 4)),
    "weight norm of all": (nn.utils.weight_norm(nn.Linear(4, 5), dim=None), (3, 4)),
    "weight norm of inputs": (nn.utils.weight_norm(nn.Conv1d(3, 5, 2), dim=1), (3, 4)),
    "weight norm, parametrized": (parametrizations.weight_norm(nn.Linear(4, 5)), (3, 4)),
    "weight norm of all, parametrized": (parametrizations.weight_norm(nn.Conv1d(3, 5, 2), dim=None), (3, 4)),
    "hardsigmoid": (nn.Hardsigmoid(), (3, 4)),
    "padding": (Words(1), (3, 4)),
    "padding from the end": (Words(-1), (3, 4)),
}


def network(name):
    """The layer between two others, in float64, as it is trained; with parameters away from 0 and 1."""
    layer, shape = copied(LAYERS[name][0]), LAYERS[name][1]
    torch.manual_seed(0)
    inside = nn.Sequential(nn.Conv2d(1, 1, 1), Function(torch.tanh), Function(lambda x: x.view(len(x), *shape)), layer)
    size = inside(torch.randn(5, 1, 1, torch.Size(shape).numel()))[0].numel()
    model = nn.Sequential(*inside, nn.Flatten(), Function(torch.tanh), nn.Linear(size, 3)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model.train(), torch.randn(5, 1, 1, torch.Size(shape).numel(), dtype=torch.float64) + 0.3


def copied(layer):
    """Weight normalization by a hook leaves a weight that can't be copied, and is computed anew."""
    if hasattr(layer, "weight_g"):
        layer.weight = layer.weight.detach()
    return copy.deepcopy(layer)


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_those_of_torch(name):
    (theirs, x), ours = network(name), with_primitive_operations(network(name)[0])
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-12, atol=1e-12)
    before = {key: buffer.clone() for key, buffer in ours.named_buffers()}
    set_measuring(ours)
    theirs.train()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)
    near = 1e-7 if name == "hardsigmoid" else 1e-10  # PyTorch's has the 1/6 of float32 in it
    torch.testing.assert_close(gradient(ours, x), gradient(theirs, x), rtol=near, atol=near)
    assert all(torch.equal(buffer, before[key]) for key, buffer in ours.named_buffers())


@pytest.mark.parametrize("name", LAYERS)
def test_second_derivatives_are_differences_of_first_ones(name):
    """Of the network in PyTorch's own layers, along a direction in which vectors of padding, constant to training, rest."""
    (theirs, x), ours = network(name), with_primitive_operations(network(name)[0])
    set_measuring(ours)
    draws = torch.Generator().manual_seed(1)
    trained = gradient(theirs, x) != 0
    everywhere = torch.randn(len(trained), generator=draws, dtype=torch.float64)
    everywhere /= everywhere.norm()
    e = trained * everywhere
    h, steps = 1e-3, {-3: -1, -2: 9, -1: -45, 1: 45, 2: -9, 3: 1}
    product = sum(weight * at(theirs, x, step * h * e)[1] for step, weight in steps.items()) / (60 * h)
    steps = {-3: 2, -2: -27, -1: 270, 0: -490, 1: 270, 2: -27, 3: 2}
    bend = sum(weight * at(theirs, x, step * h * e)[0] for step, weight in steps.items()) / (180 * h**2)

    first = torch.cat([part.reshape(-1) for part in gradients(ours, x, create_graph=True)])
    second = torch.autograd.grad(first @ e, list(ours.parameters()), materialize_grads=True)
    second = torch.cat([part.reshape(-1) for part in second])
    assert (second - product).norm() <= 1e-7 * product.norm() > 0
    for way in (forward_mode, reverse_mode):
        assert (way(ours, e, x)[2] - bend).norm() <= 1e-6 * bend.norm() > 0
    for part, other in zip(forward_mode(ours, everywhere, x), reverse_mode(ours, e, x), strict=True):
        torch.testing.assert_close(part, other, rtol=1e-11, atol=1e-12)


def gradients(model, x, **how):
    return torch.autograd.grad(model(x).tanh().square().sum(), list(model.parameters()), materialize_grads=True, **how)


def gradient(model, x):
    return torch.cat([part.reshape(-1) for part in gradients(model, x)])


def at(model, x, move):
    """Outputs and gradient, with the weights moved."""
    parameters = list(model.parameters())
    parts = [part.view_as(p) for part, p in zip(move.split([p.numel() for p in parameters]), parameters, strict=True)]
    now = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, part in zip(parameters, parts, strict=True):
            parameter += part
    found = model(x).detach(), gradient(model, x)
    with torch.no_grad():
        for parameter, value in zip(parameters, now, strict=True):
            parameter.copy_(value)
    return found


def test_it_is_the_same_network():
    model, _ = network("batch norm 2d")
    names, objects = list(model.state_dict()), list(model.parameters())
    assert with_primitive_operations(model) is model
    assert list(model.state_dict()) == names
    assert all(mine is other for mine, other in zip(model.parameters(), objects, strict=True))


def test_a_snapshot_of_the_users_network_loads():
    trained, x = network("batch norm 2d")
    trained(x)
    now, buffers = (copy_of(dict(tensors)) for tensors in (trained.named_parameters(), trained.named_buffers()))
    model = with_primitive_operations(network("batch norm 2d")[0])
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    load_into(model, snapshots.Snapshot(0, now, now, buffers))
    torch.testing.assert_close(model.eval()(x), trained.eval()(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "mixes"),
    [
        ("batch norm 2d", True),
        ("batch norm 2d without averages", True),
        ("batch norm, a function", True),
        ("instance norm 1d", False),
        ("layer norm", False),
    ],
)
def test_what_mixes_examples(name, mixes):
    model, x = network(name)
    set_measuring(with_primitive_operations(model))
    assert mixes_examples(model, x) is mixes
    assert mixes_examples(model) is isinstance(model[3], nn.BatchNorm2d)


class TimeFirst(nn.Module):
    """An LSTM that is given batches first, and takes them for time: an example sees those before it."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 4)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


def test_what_leaves_the_first_example_alone_mixes_examples_too():
    torch.manual_seed(0)
    assert mixes_examples(TimeFirst(), torch.randn(6, 3, 5))
    right = TimeFirst()
    right.lstm.batch_first = True
    assert not mixes_examples(right, torch.randn(6, 3, 5))


class Held(nn.Sequential):
    """The user holds the second layer in evaluation mode."""

    def train(self, mode=True):
        super().train(mode)
        self[1].eval()
        return self


def test_what_the_user_holds_in_evaluation_mode_stays_there():
    torch.manual_seed(0)
    x = torch.randn(6, 1, 4, 4) + 1
    model = with_primitive_operations(
        Held(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 2), nn.BatchNorm2d(2))
    )
    expected = functional.batch_norm(model[2](model[0](x) / (1 + 1e-5) ** 0.5), None, None, training=True)
    for _ in range(2):  # at each snapshot
        set_measuring(model)
        assert [model[1].training, model[3].training] == [False, True]
        torch.testing.assert_close(model(x), expected)
    assert mixes_examples(model)
    model[3] = nn.Identity()
    set_measuring(model)
    assert not mixes_examples(model)


def test_inside_a_network_in_float64_float32_is_float64():
    """As LLaMA's normalization has it, and initial states that are made without a type."""

    def forward(x):
        positions = torch.arange(x.shape[1]).float()
        weights = torch.softmax(x.float() * positions, dim=1, dtype=torch.float32).to(torch.float32)
        return (weights @ torch.ones(x.shape[1], 2)).type_as(x)

    model = with_primitive_operations(nn.Sequential(nn.Linear(3, 4), Function(forward)))
    x = torch.randn(5, 3)
    assert model(x).dtype == torch.float32
    found = model.double()(x.double())
    z = model[0](x.double())
    assert found.dtype == torch.float64
    expected = (z * torch.arange(4.0)).softmax(dim=1).sum(dim=1, keepdim=True).expand(5, 2)
    torch.testing.assert_close(found, expected, rtol=1e-15, atol=1e-15)
    assert torch.get_default_dtype() == torch.float32


def test_nothing_is_left_behind_by_a_network_that_fails():
    model = with_primitive_operations(nn.Sequential(nn.Linear(3, 4)).double())
    with pytest.raises(RuntimeError):
        model(torch.ones(2, 2, dtype=torch.float64))
    assert torch.get_default_dtype() == torch.float32
    assert not torch.overrides._get_current_function_mode_stack()


@pytest.mark.parametrize("path", ["", "1.0"])
def test_torchscript_is_refused(path):
    layer = torch.jit.script(nn.BatchNorm1d(3))
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(layer)) if path else layer
    where = f"layer '{path}'" if path else "the network"
    with pytest.raises(UserError, match=f"^{where} is compiled by TorchScript"):
        with_primitive_operations(model)
