"""Which version of a pretrained model or tokenizer: on HuggingFace's hub, a name alone may hold something else tomorrow.

One on the hub is known by its commit, a local folder by its content (`breakeven.store.contents`).
"""

import re
from pathlib import Path

REVISIONS = {  # of those that our configs name
    "bert-base-uncased": "86b5e0934494bd15c9632b12f734a8a67f723594",
    "google/bert_uncased_L-4_H-256_A-4": "387825ce42dbb39b87911cdf8e383ee3b25184f8",
}
# the networks and loaders that take one, and the option that names it
PRETRAINED = {"bert": "model", "mnli": "tokenizer"}


def revision_of(name: str, given: str | None) -> str | None:
    """The commit on the hub that is loaded; None for a local folder."""
    return None if Path(name).is_dir() else given or REVISIONS.get(name)


def revision_problem(name: str, given: str | None) -> str | None:
    """Why it is not known what would be loaded, if so."""
    revision = revision_of(name, given)
    if Path(name).is_dir() or (revision and re.fullmatch("[0-9a-f]{40}", revision)):
        return None
    return (
        f"'{name}' is no folder here, and on HuggingFace's hub it may change: give its commit there as 'revision', "
        "40 hexadecimal digits"
    )
