"""Which package the jobs run: the one beside the Snakefile, whose code was planned, wherever Snakemake is called."""

import os
from pathlib import Path


def let_jobs_import(folder: Path) -> None:
    """Let the processes that this one starts import the package in ``folder``.

    In that folder ``python -m`` finds it, but where the environment forbids it to look in the working folder.
    """
    os.environ.pop("PYTHONSAFEPATH", None)
    if folder.resolve() != Path.cwd():
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
