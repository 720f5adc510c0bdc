"""The file from which a run takes its first weights: what it must be, and the digest by which a run knows it.

In the specification of a run is the digest, and not the path: a file that was replaced makes another run, one that was moved
does not.
"""

import hashlib
from pathlib import Path

DIGITS = 16  # of the SHA-256 of the file
HOW = "write one with safetensors.torch.save_file(model.state_dict(), FILE)"


def problem(path: Path) -> str | None:
    """Why ``path`` is no file of weights, if so, as far as its first bytes tell; what else does not fit, training says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length, brace = int.from_bytes(file.read(8), "little"), file.read(1)
    except OSError as error:
        return f"'{path}' can't be read ({error.strerror}; looked for from '{Path.cwd()}')"
    # its format: the length of a header in JSON, and the header
    if brace != b"{" or 8 + length > size:
        return f"'{path}' is no safetensors file, and no other is read: {HOW}"
    return None


def digest_of(content: bytes) -> str:
    """What stands for a file with this ``content`` in the specification of a run."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def digest_at(path: Path) -> str:
    """`digest_of` the file at ``path``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
