# A warm process for the jobs that run on this machine, which start in a tenth of a second in it: see breakeven/jobs/warm.py.
# No rules here.

import socket
import subprocess
import tempfile

from breakeven.jobs import start
from breakeven.jobs.warm import SINGLE_THREAD

FEW = 3  # jobs, which start plainly sooner
# python -m breakeven, where there is no warm process. Rules take it by a function: a path may hold what looks like a wildcard.
STARTED = [sys.executable, "-I", "-S", start.__file__]
os.environ.pop(start.WARM, None)  # of another machine, or of another Snakemake


def warm_up():
    """Start the warm process."""
    if GPUS or not hasattr(os, "pidfd_open") or len(list(workflow.dag.needrun_jobs())) <= FEW:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        path = Path(tempfile.mkdtemp(prefix="breakeven-"), "socket")
        try:
            listener.bind(str(path))
        except OSError:  # where the path of the folder for temporary files is long
            path.parent.rmdir()
            raise
        listener.listen(1000)
        subprocess.Popen(
            [sys.executable, "-m", "breakeven.jobs.warm", str(path), str(listener.fileno()), str(os.getpid())],
            env=os.environ | SINGLE_THREAD,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
        os.environ[start.WARM] = str(path)
