"""DenseNet-121 against torchvision's own, the published number of parameters, and both ways of a snapshot."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.build import build
from breakeven.networks.densenet121 import densenet121
from breakeven.networks.primitive import with_primitive_operations
from breakeven.networks.weights import copy_of, load_into
from breakeven.specs.torchvision_import import torchvision_module
from breakeven.spectra.curvature import forward_mode, per_example_curvature
from breakeven.spectra.hessian import Hessian
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from tests.tiny import tiny_spec


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_published_number_of_parameters():
    with torch.device("meta"):
        assert count(densenet121((3, 224, 224), 1000)) == 7_978_856
        assert count(densenet121((1, 29, 40), 10)) == 7_978_856 - 990 * 1025 - 2 * 64 * 49


def test_measured_forward_equals_torchvision_with_statistics_of_the_batch():
    torch.manual_seed(0)
    theirs = torchvision_module("torchvision.models").densenet121(num_classes=5).double()
    model = with_primitive_operations(densenet121((3, 33, 40), 5).double())
    model.load_state_dict(theirs.state_dict(), strict=False)
    set_measuring(model)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    x = torch.randn(4, 3, 33, 40, dtype=torch.float64)
    torch.testing.assert_close(model(x), theirs.train()(x), rtol=1e-9, atol=1e-10)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_a_snapshot_of_training_loads_into_the_network_that_is_measured(tmp_path):
    torch.manual_seed(0)
    trained, x = densenet121((1, 32, 32), 5, dropout=0.2).train(), torch.randn(4, 1, 32, 32)
    before = trained(x)
    assert not torch.equal(before, trained(x)), "dropout"
    cross_entropy(before, torch.tensor([0, 1, 2, 3])).backward()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter -= 0.1 * parameter.grad
    now, buffers = (copy_of(dict(n)) for n in (trained.named_parameters(), trained.named_buffers()))
    entry = snapshots.write(tmp_path, "run", snapshots.Snapshot(0, now, copy_of(now), buffers), 0.1)
    measured = with_primitive_operations(densenet121((1, 32, 32), 5))
    load_into(measured, snapshots.read(tmp_path / entry.file, "run", 0, entry.sha256))
    torch.testing.assert_close(measured.eval()(x), trained.eval()(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 28, 40), (1, 40, 8)])
def test_pictures_that_are_too_small(shape):
    with pytest.raises(UserError, match=rf"^network 'densenet121': pictures of {shape[1]}x{shape[2]} are too small"):
        build(tiny_spec(network="densenet121", network_options={}), shape, 3, torch.float32, torch.device("cpu"))
    smallest = densenet121((3, 29, 29), 3).eval()
    assert smallest(torch.zeros(1, 3, 29, 29)).shape == (1, 3)


def test_it_can_be_measured():
    """The mean curvature of single examples by forward mode is v·Hv by reverse mode, along the gradient."""
    torch.manual_seed(0)
    model = with_primitive_operations(densenet121((3, 32, 32), 3).double())
    set_measuring(model)
    inputs, targets = torch.randn(3, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 1, 2])
    h = Hessian(model, [(inputs, targets)])
    v = h.gradient / h.gradient.norm()
    curvatures = per_example_curvature(model, v, inputs, targets, forward_mode)
    assert curvatures.mean().item() == pytest.approx((v @ h.matvec(v)).item(), rel=1e-8)
