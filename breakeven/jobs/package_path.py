"""Which package the jobs run: the one beside the Snakefile, whose code was planned, wherever Snakemake is called."""

import os
from pathlib import Path


def let_jobs_import(folder: Path) -> None:
    """Let the processes that this one starts import the package in ``folder``, that of the Snakefile, or else the installed one.

    In that folder ``python -m`` finds it, but where the environment forbids it to look in the working folder.
    """
    if not (folder / "breakeven").is_dir():
        os.environ["PYTHONSAFEPATH"] = "1"  # and no other one in the working folder
        return
    os.environ.pop("PYTHONSAFEPATH", None)
    if folder.resolve() != Path.cwd():
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
