"""SimpleCNN: the shape of the Keras CIFAR-10 example, with and without batch normalization (paper, section 4).

conv, conv, max-pool, conv, conv, max-pool, dense, output; 3×3 kernels, ReLU, 'same' padding. The paper gives neither the
padding nor the width of the dense layer (512 in the Keras example). Ours is 128, with 591,274 parameters on CIFAR-10:
a quarter of the size at 512, so that a sweep is measured in a quarter of the time. ``dense: 512`` is one line of config.
Weights start as Keras starts them, Glorot uniform with biases of zero: with PyTorch's default, a third of that variance,
small networks without batch normalization sit on a plateau for hundreds of steps, and the early phase begins after it.
``dropout`` is one rate, after each pooling and before the output (0.25 and 0.5 in the Keras example); it is off by default.
"""

from torch import nn

from breakeven.networks.batch_norm import BatchNorm2d


def simple_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    channels: tuple[int, ...] = (32, 64),
    dense: int = 128,
    dropout: float = 0.0,
) -> nn.Module:
    """SimpleCNN for pictures of ``input_shape`` (channels, height, width); one pair of convolutions per entry of ``channels``."""
    return _simple_cnn(input_shape, classes, channels, dense, dropout, batch_norm=False)


def simple_cnn_bn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    channels: tuple[int, ...] = (32, 64),
    dense: int = 128,
    dropout: float = 0.0,
) -> nn.Module:
    """SimpleCNN-BN: SimpleCNN with batch normalization after each convolution."""
    return _simple_cnn(input_shape, classes, channels, dense, dropout, batch_norm=True)


def _simple_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    channels: tuple[int, ...],
    dense: int,
    dropout: float,
    batch_norm: bool,
) -> nn.Module:
    depth, height, width = input_shape
    dropped = [nn.Dropout(dropout)] if dropout else []  # none without, so that the names of parameters stay
    layers: list[nn.Module] = []
    for width_of_stage in channels:
        for _ in range(2):
            layers.append(nn.Conv2d(depth, width_of_stage, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(BatchNorm2d(width_of_stage))
            layers.append(nn.ReLU())
            depth = width_of_stage
        layers += [nn.MaxPool2d(2), *dropped]
        height, width = height // 2, width // 2
    if height < 1 or width < 1:
        raise ValueError(f"pictures of {input_shape[1]}x{input_shape[2]} are too small for {len(channels)} poolings")
    layers += [nn.Flatten(), nn.Linear(depth * height * width, dense), nn.ReLU(), *dropped, nn.Linear(dense, classes)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.get_parameter("bias"))
    return nn.Sequential(*layers)
