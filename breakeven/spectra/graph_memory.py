"""How much memory the graph of a gradient takes, counted and not guessed."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from breakeven.spectra.parameters import trainable


def graph_bytes(model: nn.Module, inputs: Tensor, targets: Tensor) -> int:
    """Bytes of the tensors that autograd saves for differentiating the gradient of the mean loss on these examples.

    Each storage is counted once; the parameters and the inputs, which are there anyway, are not. Costs one gradient
    evaluation of these examples.
    """
    parameters = trainable(model)
    there = {tensor.untyped_storage().data_ptr() for tensor in (*parameters, inputs, targets)}
    sizes: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in there:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss = cross_entropy(model(inputs), targets)
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    del gradient
    return sum(sizes.values())
