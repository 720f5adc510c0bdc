"""The package's tests that are marked ``gpu``, by pytest."""

import re
import subprocess
import sys
from pathlib import Path

from gpu_check.check import Check

ROOT = Path(__file__).parents[2]


def run(check: Check) -> None:
    """Run the files that hold such a test, and no others, which may import what is not there; on a GPU none may be skipped."""
    files = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in path.read_text("utf-8")]
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    lines = done.stdout.strip().splitlines()
    for line in lines:
        if re.match("FAILED|ERROR", line):
            check.tell("test", line, right=False)
    last = lines[-1].strip("= ") if lines else "pytest said nothing"
    passed = done.returncode == 0 and bool(files)
    check.tell(f"pytest -m gpu, {len(files)} files", last, passed and not (check.on_gpu and "skipped" in last))
