"""Import torchvision beside any build of torch.

PyPI's torchvision is a CUDA build. Beside a CPU build of torch its C++ operators don't load, and its import fails with
"operator torchvision::nms does not exist", since it registers Python code for operators that nobody declared. We use
none of them (only data sets and networks), so declaring the schemas of these two is enough. Where the real operators
load, nothing is done.
"""

import importlib
import importlib.util
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # a torch.library.Library takes its operators with it when it is collected


class _Declaring(MetaPathFinder):
    """Declares the operators when torchvision is about to be imported, by whomever, and finds nothing."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            _declare()


def let_torchvision_import() -> None:
    """Let this process, the user's own files among it, ``import torchvision``."""
    if "torchvision" not in sys.modules and not any(isinstance(finder, _Declaring) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Declaring())


def torchvision_module(name: str) -> ModuleType:
    """Import ``name``, for example "torchvision.datasets", or what imports torchvision in turn."""
    let_torchvision_import()
    return importlib.import_module(name)


def _declare() -> None:
    import torch

    if not _declared and not _operators_load():
        library = torch.library.Library("torchvision", "DEF")
        for schema in SCHEMAS:
            library.define(schema)
        _declared.append(library)


def _operators_load() -> bool:
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed at all: let the import say so
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            return False
    return hasattr(torch.ops.torchvision, "nms")
