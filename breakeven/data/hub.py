"""What comes from HuggingFace's hub is known by its digest: its cache keeps each file under the one that the hub told.

That is the SHA-256 of large files (weights), and of others the SHA-1 that git gives them. The hub's own client compares
neither, so a file that was damaged on the way or on the disk would be used.
"""

import hashlib
import re
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from breakeven.store.errors import UserError
from breakeven.store.files import sha256


def verify(name: str, revision: str | None) -> None:
    """Refuse the model or tokenizer ``name`` where a file of this commit in the hub's cache is not what the hub has.

    A local folder has no digests, and is the user's own.
    """
    if Path(name).is_dir():
        return
    known = try_to_load_from_cache(name, "config.json", revision=revision)
    for file in sorted(Path(known).parent.rglob("*")) if isinstance(known, str) else []:
        blob = file.resolve()
        if file.is_file() and _digest(blob) not in (None, blob.name):
            raise UserError(
                f"'{file}' is damaged (its digest is not the one by which HuggingFace's hub knows it): delete '{blob}' and "
                f"'{file}', and it is downloaded again"
            )


def _digest(blob: Path) -> str | None:
    """The digest of a file in the form that its name has; None where the name is no digest."""
    if re.fullmatch("[0-9a-f]{64}", blob.name):
        return sha256(blob)
    if re.fullmatch("[0-9a-f]{40}", blob.name):
        content = blob.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return None
