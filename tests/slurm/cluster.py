"""A real Slurm of two nodes on this machine, on the loopback alone: its files, its start, its end.

Debian's packages, run as plain processes (`NEEDS` names the programs): munged, mariadbd, slurmdbd, slurmctld and one slurmd a
node. Each node pretends to have four cores, 24 GB and one GPU, which is a second /dev/null. There can be only one such cluster
on a machine, since the ports and the folders /etc/slurm, /run/munge and /run/mysqld are fixed.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NEEDS = ("slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd", "mariadb-install-db", "squeue", "sacct")
NODES = ("n1", "n2")
ETC = Path("/etc/slurm")
MYSQL_SOCKET = "/run/mysqld/mysqld.sock"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # the daemons are there

SLURM_CONF = """\
ClusterName=breakeven
SlurmctldHost={host}(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool/%n
SlurmctldPidFile={base}/run/slurmctld.pid
SlurmdPidFile={base}/run/slurmd-%n.pid
SlurmctldLogFile={base}/log/slurmctld.log
SlurmdLogFile={base}/log/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
SlurmdTimeout=60
SlurmctldTimeout=60
SchedulerParameters=batch_sched_delay=0,bf_interval=5,sched_min_interval=0
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=17001 CPUs=4 RealMemory=24000 Gres=gpu:1 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=17002 CPUs=4 RealMemory=24000 Gres=gpu:1 State=UNKNOWN
PartitionName=night Nodes=n1,n2 MaxTime=INFINITE State=UP
PartitionName=other Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""

GRES_CONF = """\
AutoDetect=off
NodeName=n1 Name=gpu File={base}/dev/gpu0
NodeName=n2 Name=gpu File={base}/dev/gpu1
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
CommunicationParameters=NoInAddrAny
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=root
LogFile={base}/log/slurmdbd.log
PidFile={base}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CommitDelay=0
"""

FILES = {"slurm.conf": SLURM_CONF, "gres.conf": GRES_CONF, "slurmdbd.conf": SLURMDBD_CONF}


def why_not() -> str | None:
    """Why no cluster can be started here, if so."""
    missing = [program for program in NEEDS if not which(program)]
    if missing:
        return (
            f"not installed: {', '.join(missing)} (Debian: slurmctld slurmd slurm-client munge slurmdbd mariadb-server)"
        )
    if os.geteuid() != 0:
        return "starting Slurm's daemons takes root"
    if not (ETC / "slurm.conf").is_symlink():  # of tests that were killed, see stop_leftover
        in_use = [path for path in (str(ETC / "slurm.conf"), MYSQL_SOCKET) if Path(path).exists()]
        if in_use:
            return f"this machine has a Slurm or a database of its own: {', '.join(in_use)}"
    if socket.gethostbyname(socket.gethostname()) != "127.0.0.1":
        return f"the host name {socket.gethostname()} is not 127.0.0.1"
    return None


def start(base: Path) -> None:
    """Start the cluster with its state in ``base``, a new folder that all users may enter."""
    for name in ("state", "spool", "run", "log", "dev"):
        (base / name).mkdir()
    for number in range(len(NODES)):
        os.mknod(base / f"dev/gpu{number}", 0o20666, os.makedev(1, 3))
    for name, text in FILES.items():
        path = base / name
        path.write_text(text.format(base=base, host=socket.gethostname().split(".")[0]), encoding="utf-8")
        path.chmod(0o600)
        (ETC / name).unlink(missing_ok=True)
        (ETC / name).symlink_to(path)

    call("install", "-d", "-o", "munge", "-g", "munge", "-m", "755", "/run/munge")
    call("install", "-d", "-o", "mysql", "-g", "mysql", "-m", "755", str(Path(MYSQL_SOCKET).parent))
    call("install", "-d", "-o", "mysql", "-g", "mysql", "-m", "755", str(base / "db"))
    if not succeeds("munge", "-n"):
        call("runuser", "-u", "munge", "--", which("munged"))
        (base / "run/munged.pid").symlink_to("/run/munge/munged.pid")
    call("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={base}/db", "--skip-test-db")
    with (base / "log/mariadbd.log").open("wb") as log:
        subprocess.Popen(
            [
                which("mariadbd"),
                "--no-defaults",
                "--user=mysql",
                f"--datadir={base}/db",
                f"--socket={MYSQL_SOCKET}",
                f"--pid-file={base}/db/mariadb.pid",
                "--skip-networking",
                "--innodb-buffer-pool-size=64M",
                "--innodb-lock-wait-timeout=900",
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until("the database answers", lambda: succeeds("mariadb-admin", f"--socket={MYSQL_SOCKET}", "ping"))
    call("mariadb", f"--socket={MYSQL_SOCKET}", "-e", "CREATE DATABASE IF NOT EXISTS slurm_acct_db")
    call("slurmdbd")
    until("slurmdbd answers", lambda: succeeds("sacctmgr", "-n", "show", "cluster"))
    call("sacctmgr", "-i", "add", "cluster", "breakeven")
    call("slurmctld")
    for node in NODES:
        call("slurmd", "-N", node)
    until("both nodes are idle", lambda: set(call("sinfo", "-h", "-N", "-o", "%T").split()) == {"idle"})


def stop(base: Path) -> None:
    """Stop all of it, in the order in which nothing is lost, and remove its files."""
    if succeeds("scancel", "--user=root"):
        with suppress(TimeoutError):
            until("no job runs", lambda: not call("squeue", "-h"), seconds=20)
    daemons = [*(f"run/slurmd-{node}" for node in NODES), "run/slurmctld", "run/slurmdbd", "db/mariadb", "run/munged"]
    for pid_file in (base / f"{daemon}.pid" for daemon in daemons):
        if pid_file.exists():
            end(int(pid_file.read_text(encoding="utf-8")))
    for name in FILES:
        (ETC / name).unlink(missing_ok=True)
    shutil.rmtree(base, ignore_errors=True)


def stop_leftover() -> None:
    """Stop the cluster of tests that were killed and couldn't do so themselves."""
    if (ETC / "slurm.conf").is_symlink():
        stop((ETC / "slurm.conf").readlink().parent)


def end(pid: int) -> None:
    """End a daemon and wait for it; a zombie has ended, whenever its parent reaps it."""
    try:
        os.kill(pid, signal.SIGTERM)
        until(f"process {pid} has ended", lambda: not is_running(pid), seconds=20)
    except ProcessLookupError:
        pass
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def which(program: str) -> str:
    """The path of a program, or nothing."""
    return shutil.which(program, path=PATH) or ""


def call(*command: str) -> str:
    """The output of a command, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PATH": PATH})
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, env=os.environ | {"PATH": PATH}).returncode == 0


def until(what: str, holds: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s it is not yet so that {what}")
        time.sleep(0.1)
