import copy

import pytest
import torch
from torch import nn

from breakeven.networks.batch_norm import BatchNorm2d, set_measuring
from breakeven.networks.layer_norm import LayerNorm
from breakeven.networks.primitive import with_primitive_operations
from breakeven.networks.weights import copy_of, load_into
from breakeven.store import snapshots
from breakeven.store.errors import UserError


def user_network():
    """Of PyTorch's layers, nested, one of them used twice, in float64, with running averages that are not the first."""
    torch.manual_seed(0)
    again = nn.LayerNorm((3, 4, 4), eps=0.1)
    block = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3, eps=1e-3, momentum=0.3), nn.Tanh(), again)
    tail = nn.ModuleDict({"norm": nn.GroupNorm(1, 3), "again": again, "plain": nn.LayerNorm(4, bias=False)})
    model = nn.Sequential(block, *tail.values(), nn.Flatten(), nn.Linear(48, 3)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    model(inputs())
    return model


def inputs():
    return torch.randn(5, 2, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 1


@pytest.mark.parametrize("training", [True, False])
def test_the_same_values_gradients_and_running_averages(training):
    theirs = user_network().train(training)
    ours = with_primitive_operations(copy.deepcopy(theirs))
    found = []
    for model in (ours, theirs):
        y = model(inputs())
        found.append([y, *torch.autograd.grad(y.square().sum(), list(model.parameters()))])
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)
    buffers = dict(theirs.named_buffers())
    for name, buffer in ours.named_buffers():
        torch.testing.assert_close(buffer, buffers[name], rtol=1e-12, atol=1e-12)


def test_the_same_objects_under_the_same_names():
    model = user_network()
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    names = list(model.state_dict())
    assert with_primitive_operations(model) is model
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(BatchNorm2d) == 1 and kinds.count(LayerNorm) == 2 and nn.GroupNorm in kinds
    assert not {nn.BatchNorm2d, nn.LayerNorm} & set(kinds)
    assert model[0][3] is model[2], "a layer used twice is replaced once"
    assert list(dict(model.named_parameters())) == list(parameters)
    assert all(parameter is parameters[name] for name, parameter in model.named_parameters())
    assert all(buffer is buffers[name] for name, buffer in model.named_buffers())
    assert list(model.state_dict()) == [name for name in names if not name.endswith("num_batches_tracked")]


@pytest.mark.parametrize("root", [nn.BatchNorm2d(3), nn.LayerNorm(4)])
def test_the_root_itself(root):
    assert type(with_primitive_operations(root)) in (BatchNorm2d, LayerNorm)


def test_a_snapshot_of_the_users_network_loads():
    trained = user_network()
    state = dict(trained.named_parameters()), dict(trained.named_buffers())
    now, buffers = (copy_of(tensors) for tensors in state)
    model = user_network()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    model = with_primitive_operations(model)
    load_into(model, snapshots.Snapshot(0, now, now, buffers))
    torch.testing.assert_close(model.eval()(inputs()), trained.eval()(inputs()), rtol=1e-12, atol=1e-12)


def test_it_is_measured_with_the_statistics_of_the_batch():
    model = with_primitive_operations(user_network().eval())
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    set_measuring(model)
    torch.testing.assert_close(model(inputs()), user_network().train()(inputs()), rtol=1e-12, atol=1e-12)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


class Turned(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.transpose(-1, -2)).transpose(-1, -2)


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm1d(3),
        nn.BatchNorm3d(3),
        nn.SyncBatchNorm(3),
        nn.InstanceNorm1d(3),
        nn.InstanceNorm2d(3),
        nn.InstanceNorm3d(3),
        nn.LazyBatchNorm2d(),
        nn.BatchNorm2d(3, affine=False),
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.BatchNorm2d(3, momentum=None),
        Turned(3),
    ],
    ids=str,
)
def test_what_cannot_be_measured_right_is_refused(layer):
    with pytest.raises(UserError, match=rf"^layer '1.0' is a torch.nn {type(layer).__name__} .*can't be measured"):
        with_primitive_operations(nn.Sequential(nn.Linear(3, 3), nn.Sequential(layer)))
