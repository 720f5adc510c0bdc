"""How much memory the graph of a gradient takes, counted and not guessed."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from breakeven.networks.loss import mean_loss
from breakeven.spectra.parameters import trainable


class SavedTensors(saved_tensors_hooks):
    """Counts the ``bytes`` of what autograd saves inside the block: each storage once, and those of ``there`` not.

    A graph that hooks give one of its own outputs to keep refers to itself, and is never freed, not even by Python's garbage
    collector. So the tensors are kept here, until `forget`.
    """

    def __init__(self, there: Iterable[Tensor]):
        self._seen = {tensor.untyped_storage().data_ptr() for tensor in there}
        self._kept: list[Tensor] = []
        self.bytes = 0
        super().__init__(self._keep, lambda place: self._kept[place])

    def _keep(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        self._kept.append(tensor)
        return len(self._kept) - 1

    def forget(self) -> None:
        """Let go of the tensors: the graph can't be used any more."""
        self._kept.clear()


def graph_bytes(model: nn.Module, inputs: Tensor, targets: Tensor) -> int:
    """Bytes of the tensors that autograd saves for differentiating the gradient of the mean loss on these examples.

    Each storage is counted once; the parameters and the inputs, which are there anyway, are not. Costs one gradient
    evaluation of these examples.
    """
    parameters = trainable(model)
    saved = SavedTensors((*parameters, inputs, targets))
    with saved:
        loss = mean_loss(model, model(inputs), targets)
        gradient = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    del loss, gradient
    saved.forget()
    return saved.bytes
