"""Dense matrices in float64, by ways that share no code with the package."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev
from torch.nn.functional import cross_entropy


def tiny_cnn(batch_norm: bool = False, seed: int = 0) -> nn.Module:
    """A SimpleCNN with some 300 parameters for 1×8×8 pictures, 3 classes; PyTorch's own layers throughout."""
    torch.manual_seed(seed)
    norm = (lambda n: [nn.BatchNorm2d(n, track_running_stats=False)]) if batch_norm else (lambda n: [])
    layers = [nn.Conv2d(1, 2, 3, padding=1), *norm(2), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1), *norm(2), nn.ReLU()]
    layers += [nn.MaxPool2d(2), nn.Conv2d(2, 3, 3, padding=1), *norm(3), nn.ReLU()]
    layers += [nn.Conv2d(3, 3, 3, padding=1), *norm(3), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 3)]
    return nn.Sequential(*layers)


def examples(count: int, seed: int = 1, classes: int = 3, shape: tuple[int, ...] = (1, 8, 8)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(0, classes, (count,), generator=generator)


def loss_of_vector(model: nn.Module, inputs: Tensor, targets: Tensor):
    """The mean cross-entropy as a function of one flat vector of parameters."""
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}

    def loss(theta: Tensor) -> Tensor:
        pieces = theta.split([shape.numel() for shape in shapes.values()])
        parameters = {name: piece.view(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}
        return cross_entropy(functional_call(model, parameters, (inputs,)), targets)

    return loss


def theta_of(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()]).double()


def dense_gradients(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> Tensor:
    """One row per mini-batch."""
    theta = theta_of(model)
    return torch.stack([jacrev(loss_of_vector(model, *batch))(theta) for batch in batches])


def dense_covariance(rows: Tensor) -> Tensor:
    """The D×D covariance, centred, divided by the number of rows: numpy's, with bias."""
    return torch.from_numpy(np.cov(rows.numpy(), rowvar=False, bias=True))


def dense_hessian(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The D×D Hessian of the mean loss over all examples, column by column (reverse over reverse)."""
    theta = theta_of(model).requires_grad_()
    count = sum(len(targets) for _, targets in batches)
    loss = sum(loss_of_vector(model, *batch)(theta) * len(batch[1]) for batch in batches) / count
    (gradient,) = torch.autograd.grad(loss, theta, create_graph=True)
    return torch.stack([torch.autograd.grad(entry, theta, retain_graph=True)[0] for entry in gradient])
