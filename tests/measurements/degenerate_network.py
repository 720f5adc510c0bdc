"""A small network whose weights begin where a training may end."""

import torch
from torch import Tensor, nn


class Degenerate(nn.Module):
    """Two linear layers with a ReLU between them, spoilt in the way that ``kind`` says."""

    def __init__(self, inputs: int, classes: int, kind: str):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, 4), nn.Linear(4, classes)
        self.norm = nn.BatchNorm2d(4) if kind == "constant_batch_norm" else nn.Identity()
        self.scale = 0.0 if kind == "says_nothing" else 1.0
        signs = torch.tensor([(-1.0) ** index for index in range(classes)])
        with torch.no_grad():
            match kind:
                case "nan":
                    self.first.weight.fill_(torch.nan)
                case "infinite_loss":
                    self.second.weight.zero_()
                    self.second.bias.copy_(3e38 * signs)
                case "infinite_weight":  # behind a ReLU that is 0, so that the loss is finite
                    self.first.bias.fill_(-torch.inf)
                case "infinite_gradient" | "infinite_curvature":  # small numbers times large ones
                    large = {"infinite_gradient": 3e38, "infinite_curvature": 1e25}[kind]
                    self.first.weight.zero_()
                    self.first.bias.fill_(1e-30)
                    self.second.weight.copy_(large * signs[:, None].expand(classes, 4))
                case "constant_batch_norm":
                    self.first.weight.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """The outputs."""
        return self.scale * self.second(torch.relu(self.norm(self.first(x.flatten(1))[:, :, None, None]).flatten(1)))


def build(input_shape: tuple[int, ...], classes: int, *, kind: str = "sound") -> nn.Module:
    """The network of a config."""
    return Degenerate(input_shape[0] * input_shape[1] * input_shape[2], classes, kind)
