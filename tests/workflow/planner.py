"""``snakemake --dry-run`` in a process that is forked from one that has imported Snakemake: half of a dry run is its imports.

It knows nothing of the package, so that the Snakefile finds that of its own folder.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["snakemake.cli"])


def dry_run(
    program: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Call ``snakemake --dry-run`` with more arguments in ``folder``; ``stdout`` holds all that it says."""
    said = folder.with_name(f"{folder.name}.said")
    command = [str(program), "--dry-run", *arguments]
    process = _FORKS.Process(target=_called, args=(command, str(folder), dict(environment), str(said)))
    process.start()
    process.join()
    text = said.read_text(encoding="utf-8")
    said.unlink()
    assert process.exitcode is not None
    return subprocess.CompletedProcess(command, process.exitcode, text)


def _called(command: list[str], folder: str, environment: dict[str, str], said: str) -> None:
    """What the program ``snakemake`` does, once it is started."""
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    from snakemake.cli import main
    from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

    sys.argv = command
    LoggerPluginRegistry()  # knows the plugin of this checkout, which then isn't imported from
    sys.path[:] = [path for path in sys.path if Path(path).name == "site-packages" or path.startswith(sys.base_prefix)]
    sys.exit(main())
