"""``python -m gpu_check PHASE DEVICE quick|whole TABLE WORK``: one phase, as ``benchmarks/gpu.py`` starts it."""

import importlib
import sys
from pathlib import Path

from gpu_check.check import Check

if __name__ == "__main__":
    phase, device, size, table, work = sys.argv[1:]
    importlib.import_module(f"gpu_check.{phase}").run(Check(phase, device, size == "quick", Path(table), Path(work)))
