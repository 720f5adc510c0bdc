"""DenseNet-121 (Huang et al., 2017), as torchvision builds it: the paper's network on ImageNet.

7,978,856 parameters at 1,000 classes. Weights start as torchvision starts them (He normal), none are pretrained.
"""

from torch import nn

from breakeven.specs.torchvision_import import torchvision_module

SMALLEST = 29  # pixels of a side, which is halved five times, three times of them rounded up


def densenet121(input_shape: tuple[int, int, int], classes: int, *, dropout: float = 0.0) -> nn.Module:
    """DenseNet-121 for pictures of ``input_shape``; where they have not three channels, its first convolution has as many.

    ``dropout``: after each dense layer, torchvision's ``drop_rate``.
    """
    channels, height, width = input_shape
    if min(height, width) < SMALLEST:
        raise ValueError(f"pictures of {height}x{width} are too small: it needs {SMALLEST}x{SMALLEST} at least")
    models = torchvision_module("torchvision.models")
    model: nn.Module = models.densenet121(weights=None, num_classes=classes, drop_rate=dropout)
    if channels != 3:
        first = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(first.weight)
        model.get_submodule("features").register_module("conv0", first)
    return model
