"""Import torchvision beside any build of torch.

PyPI's torchvision is a CUDA build. Beside a CPU build of torch its C++ operators don't load, and its import fails with
"operator torchvision::nms does not exist", since it registers Python code for operators that nobody declared. We use
none of them (only data sets and networks), so declaring the schemas of these two is enough. Where the real operators
load, nothing is done.
"""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a Library object takes its operators with it when it is collected


def _operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed at all: let the import say so
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            return False
    return hasattr(torch.ops.torchvision, "nms")


def torchvision_module(name: str) -> ModuleType:
    """Import ``name``, for example "torchvision.datasets"."""
    if not _declared and not _operators_load():
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            library.define(schema)
        _declared.append(library)
    return importlib.import_module(name)
