"""What PyTorch says where an operation has no second derivative, as a sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from breakeven.store.errors import UserError

MISSING = re.compile(r"derivative for '?(?:aten::)?(\w+?)(?:_backward)?'? is not implemented")
SAID = (  # of others, by what is in their texts
    ("use_reentrant", "torch.utils.checkpoint must be called with use_reentrant=False"),
    ("once_differentiable", "a function of your own is marked with @once_differentiable"),
    ("double backward", "what torch.compile compiled, or a fused kernel, has no second derivative"),
)


@contextmanager
def told() -> Iterator[None]:
    """A UserError that names the operation, where one inside the block has no second derivative."""
    try:
        yield
    except RuntimeError as error:  # NotImplementedError is one
        reason = _reason(str(error))
        if reason is None:
            raise
        raise UserError(f"the network can't be measured, since H needs second derivatives: {reason}") from error


def _reason(text: str) -> str | None:
    found = MISSING.search(text)
    if found:
        return f"PyTorch has none of '{found[1].lstrip('_')}'; write it in other operations"
    return next((reason for words, reason in SAID if words in text), None)
