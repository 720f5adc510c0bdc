import pytest
import torch
from torch import nn

from breakeven.networks.exact_kernels import exact_kernels


class User(nn.Module):
    """A network of a user's own with PyTorch's LSTM."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.output = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.output(self.recurrent(x)[0][:, -1])


def test_cudnn_is_off_only_for_recurrent_networks_and_only_inside():
    for model, inside in ((User(), False), (nn.Sequential(nn.Conv2d(1, 1, 3)), True), (None, True)):
        with pytest.raises(KeyError), exact_kernels(model):
            assert torch.backends.cudnn.enabled is inside
            assert not torch.backends.mha.get_fastpath_enabled()
            raise KeyError
        assert torch.backends.cudnn.enabled
        assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_recurrent_networks_have_second_derivatives_on_a_gpu():
    torch.manual_seed(0)
    model, x = User().double().cuda(), torch.randn(5, 6, 3, dtype=torch.float64, device="cuda")
    with exact_kernels(model):
        gradient = torch.autograd.grad(model(x).square().sum(), list(model.parameters()), create_graph=True)
        second = torch.autograd.grad(sum(part.square().sum() for part in gradient), list(model.parameters()))
    assert all(bool(part.isfinite().all()) for part in second)
