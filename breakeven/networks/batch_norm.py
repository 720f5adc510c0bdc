"""Batch normalization written out in primitive operations, so that every derivative through it is right.

PyTorch's own nested derivatives through its fused batch normalization are silently wrong (torch 2.13, CPU, float64;
pytorch#196699): reverse over forward by 9 to 42 %, forward over forward by 5 to 22 %. Through mean, square and rsqrt
they are right to 1e-13.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

COMPANY = 16  # examples whose outputs are tried in other company


class BatchNorm2d(nn.Module):
    """Batch normalization over (batch, height, width) of a (batch, channels, height, width) tensor.

    y = γ (x − mean) / sqrt(var + eps) + β with the biased variance, like `torch.nn.BatchNorm2d`. In training mode the
    statistics are those of the batch, and the running averages follow them (unbiased variance, momentum 0.1) unless
    ``update_running`` is False, which is how measurements leave the network as it was. In evaluation mode the
    statistics are the running averages.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.eps, self.momentum = eps, momentum
        self.update_running = True

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` of shape (batch, channels, height, width), in the parameters' precision (autocast may give less)."""
        x = x.to(self.weight.dtype)
        if self.training:
            mean = x.mean(dim=(0, 2, 3))
            var = (x - mean[:, None, None]).square().mean(dim=(0, 2, 3))
            if self.update_running:
                with torch.no_grad():
                    count = x.numel() / x.shape[1]
                    self.running_mean.lerp_(mean, self.momentum)
                    self.running_var.lerp_(var * count / max(count - 1, 1), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(var + self.eps)
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


def set_measuring(model: nn.Module) -> None:
    """Put ``model`` in the state in which it is measured: no dropout, statistics of the batch, running averages untouched.

    A normalization that stays in evaluation mode in training, as one does whose user overrides ``train``, keeps it here.
    """
    model.train()
    of_the_batch = [
        module for module in model.modules() if isinstance(module, BatchNorm2d | _NormBase) and module.training
    ]
    model.eval()
    for module in of_the_batch:
        module.train()
        if isinstance(module, BatchNorm2d):
            module.update_running = False
        else:
            module.track_running_stats = False


def mixes_examples(model: nn.Module, inputs: Tensor | None = None) -> bool:
    """Whether the loss of an example depends on the others in its mini-batch.

    Through statistics of the batch, as the modes of the layers say; given ``inputs`` of a mini-batch, also through anything
    else: whether any of its first examples has other outputs in other company, in another order, the last one alone.
    """
    if any(_uses_the_batch(module) for module in model.modules()):
        return True
    if inputs is None or len(inputs) == 1:
        return False
    some = inputs[:COMPANY]
    with torch.no_grad():
        together = model(some)
        apart = torch.cat([model(some[-1:]), model(some[:-1].flip(0))]).flip(0)
    rounding = torch.finfo(together.dtype).eps ** 0.5 * together.norm(dim=-1)
    return not bool(((together - apart).norm(dim=-1) <= rounding).all())


def _uses_the_batch(module: nn.Module) -> bool:
    if isinstance(module, BatchNorm2d):
        return module.training
    return isinstance(module, _BatchNorm) and (module.training or module.running_mean is None)
