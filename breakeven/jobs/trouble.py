"""What goes wrong on machines, in one clear sentence each: no memory, no space, no permission."""

import errno
import re
import sys

from breakeven.store.errors import UserError

ROOM = "make room and type the same command again: nothing is lost"
ACCESS = "you must be able to read data sets, and to write into results: and, for downloads, root:"
FULL_GPU = re.compile(  # what CUDA, cuBLAS and cuDNN say where a GPU has no room for them, none as an OutOfMemoryError
    "CUDA (driver )?error: out of memory|(CUBLAS|CUSOLVER)_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)"
    "|CUDNN_STATUS_(ALLOC_FAILED|NOT_INITIALIZED|INTERNAL_ERROR)"
)
NO_MEMORY = ("can't allocate memory", "Storage size calculation overflowed")  # of torch, on the CPU
MEMORY = {
    "train": "lower batch_size, or slots_per_gpu if several jobs share a GPU",
    "measurement": "lower memory_mb or the batch_size of that measurement, or slots_per_gpu if several jobs share a GPU",
}


def sentence(error: BaseException, stage: str) -> str | None:
    """What the user reads of ``error`` in ``stage``; None for an error that is a mistake of ours."""
    if isinstance(error, UserError):
        return str(error)
    number = _errno(error)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{stage}: no space is left on the disk{_at(error)}; {ROOM}"
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{stage}: no permission{_at(error)} ({_reason(error)}); {ACCESS}"
    if number == errno.ENOLCK:
        folders = "results: (or, for a slot of a GPU, TMPDIR) must be a folder of one with flock"
        return f"{stage}: the file system has no locks{_at(error)}; {folders}"
    if number is not None:
        return f"{stage}: {_reason(error)}{_at(error)}"
    if _on_the_gpu(error):
        return f"{stage}: the GPU is out of memory ({_first_sentence(error)}); {_advice(stage)}"
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        return f"{stage}: out of memory ({_first_sentence(error)}); {_advice(stage)}"
    return None


def _errno(error: BaseException) -> int | None:
    """The number of an error of the operating system; safetensors writes it into its text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error)) if type(error).__name__ == "SafetensorError" else None
    return int(found[1]) if found else None


def _on_the_gpu(error: BaseException) -> bool:
    torch = sys.modules.get("torch")  # not imported for that: a stage that uses a GPU has done so
    if torch is None or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.OutOfMemoryError) or FULL_GPU.search(str(error)) is not None


def _at(error: BaseException) -> str:
    name = getattr(error, "filename", None)
    return f" for '{name}'" if name is not None else ""


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def _first_sentence(error: BaseException) -> str:
    """The first sentence of an error's text; of torch's, how much was asked for."""
    line = (str(error).strip().splitlines() or [""])[0]
    text = " ".join(line.split())
    asked = re.search(r"[Tt]ried to allocate ([\d.]+ \w+)", text)
    if asked:
        return f"Tried to allocate {asked[1]}"
    return re.split(r"\. (?=[A-Z])", text)[0].rstrip(".") or type(error).__name__


def _advice(stage: str) -> str:
    return MEMORY["train" if stage == "train" else "measurement"]
