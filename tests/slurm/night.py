"""A night of bad luck on a real Slurm, played once; `Night` is the record of it, on which the tests are.

In the evening the study has one learning rate, and runs undisturbed. Then a second one is added, and
while Snakemake runs, its jobs meet with bad luck: of its training one attempt is cancelled and one runs out of time, the
covariance runs out of memory, the Hessian loses its node and is then cancelled until Snakemake gives up. In the morning the
same command is typed once more.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from breakeven.config.plan import load_plan
from tests.slurm import cluster
from tests.workflow.project import CONFIG, JOB_BY_JOB, MEASUREMENTS, Project, environment, make

IMPATIENT = Path(__file__).with_name("impatient_snakemake.py")
PARTS = ("evening", "night", "morning")
BOTH = [0.1, 0.3]
SECONDS = 240  # that any step of the play may take, on a busy machine
GPU_RULES = ("train_run", *MEASUREMENTS)
# Of the covariance's first attempt: less than Python with PyTorch takes.
LITTLE_MEMORY = "measure_covariance:mem_mb=300 if attempt == 1 else 4000"

# In the copy each stage of a run says, before its second step or snapshot, which GPU it has, and waits while it is held.
HELD = """

def _held(progress):
    import os
    import time
    from pathlib import Path

    stage, run = sys.argv[1], Path(sys.argv[sys.argv.index("--out") + 1])
    hold = Path("hold") / stage / (run.name if stage == "train" else run.parent.name)

    def progress_that_waits(items, *arguments, **options):
        for number, item in enumerate(progress(items, *arguments, **options)):
            if number == 1 and "SLURM_JOB_ID" in os.environ:
                Path("seen", os.environ["SLURM_JOB_ID"]).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
                while hold.exists():
                    time.sleep(0.1)
            yield item

    return progress_that_waits


if "--run" in sys.argv or "--state" in sys.argv:
    progress = _held(progress)
"""


@dataclass(frozen=True)
class Job:
    """A job as Slurm's accounting knows it."""

    id: int
    rule: str
    run: str
    state: str
    node: str
    partition: str
    account: str
    cpus: int
    mem_mb: int
    minutes: int
    gpus: int


@dataclass(frozen=True)
class Night:
    """What happened: what Snakemake said and its exit codes in each part, and each job in Slurm's accounting.

    ``waiting`` is why a job waited for the drained nodes, ``devices`` the CUDA_VISIBLE_DEVICES that jobs saw.
    """

    folder: str
    local: str
    first_run: str
    second_run: str
    said: list[str]
    codes: list[int]
    waiting: str
    jobs: list[Job]
    devices: dict[int, str]

    def attempts(self, rule: str, run: str) -> list[Job]:
        """The jobs of a rule for a run, in the order of their submission."""
        return [job for job in self.jobs if (job.rule, job.run) == (rule, run)]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Night":
        content = json.loads(text)
        content["jobs"] = [Job(**job) for job in content["jobs"]]
        content["devices"] = {int(job): device for job, device in content["devices"].items()}
        return cls(**content)


def play(base: Path) -> Night:
    """Play the night in the new folder ``base``, on a cluster that runs already."""
    local = study(base / "local", BOTH)
    with ThreadPoolExecutor(1) as beside:
        said = beside.submit(local.snakemake, "--cores", "2")
        night = play_on_slurm(base, local)
    assert said.result().returncode == 0, said.result().stdout
    return night


def play_on_slurm(base: Path, local: Project) -> Night:
    project = study(base / "slurm", BOTH[:1])
    for name in ("seen", "hold/train", "hold/hessian"):
        (project.folder / name).mkdir(parents=True)
    [first] = runs(project)
    with snakemake(project, "evening") as evening:
        pass

    write_config(project, BOTH)
    [second] = runs(project) - {first}
    hold_train, hold_hessian = (project.folder / "hold" / stage / second for stage in ("train", "hessian"))
    hold_train.touch()
    hold_hessian.touch()
    cluster.call("scontrol", "update", "NodeName=n1,n2", "State=DRAIN", "Reason=repair")
    with snakemake(project, "night", LITTLE_MEMORY) as night:
        job = submitted("train_run", second, 1)
        until("Slurm says why it waits", lambda: "DRAIN" in queue("%r", job))
        waiting = queue("%r", job)
        cluster.call("scontrol", "update", "NodeName=n1,n2", "State=RESUME")
        until("it trains", (project.folder / f"seen/{job}").exists)
        cluster.call("scancel", job)

        job = submitted("train_run", second, 2)
        until("it trains again", (project.folder / f"seen/{job}").exists)
        cluster.call("scontrol", "update", f"JobId={job}", "EndTime=now+1")
        submitted("train_run", second, 3)
        hold_train.unlink()

        until("the covariance is measured", (project.folder / f"results/runs/{second}/covariance.csv").exists)
        job = submitted("measure_hessian", second, 1)
        until("the Hessian is measured", (project.folder / f"seen/{job}").exists)
        cluster.call("scontrol", "update", f"NodeName={queue('%N', job)}", "State=DOWN", "Reason=broken")
        for attempt in (2, 3):
            job = submitted("measure_hessian", second, attempt)
            until("it starts on another node", slurm_log(project.folder, "measure_hessian", second, job).exists)
            cluster.call("scancel", job)

    hold_hessian.unlink()
    with snakemake(project, "morning") as morning:
        pass
    until("no job is left", lambda: not cluster.call("squeue", "-h"))
    return Night(
        folder=str(project.folder),
        local=str(local.folder),
        first_run=first,
        second_run=second,
        said=[said_in(project, part) for part in PARTS],
        codes=[process.returncode for process in (evening, night, morning)],
        waiting=waiting,
        jobs=accounting(),
        devices={int(path.name): path.read_text(encoding="utf-8") for path in (project.folder / "seen").iterdir()},
    )


# ---------------------------------------------------------------- the study


def study(folder: Path, learning_rates: list[float]) -> Project:
    """A copy of the checkout with a study of ``learning_rates``, and the site's partition and account in its profile."""
    project = make(folder)
    write_config(project, learning_rates)
    project.edit("# slurm_partition: gpu", "slurm_partition: night", "profiles/slurm/profile.yaml")
    project.edit("# slurm_account: my_project", "slurm_account: root", "profiles/slurm/profile.yaml")
    project.append(HELD, "breakeven/store/progress.py")
    project.append("\nSECONDS_BETWEEN_CHECKPOINTS = 0.0\n", "breakeven/training/checkpoints.py")
    return project


def write_config(project: Project, learning_rates: list[float]) -> None:
    config = yaml.safe_load(CONFIG) | {"threads": 2}
    del config["studies"]["network"]
    config["studies"]["rate"] |= {"sweeps": {"learning_rate": learning_rates}, "seeds": [0], "figures": ["maxima"]}
    (project.folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def runs(project: Project) -> set[str]:
    """The ids of the runs that the project's config asks for."""
    return set(load_plan(project.folder / "config.yaml").runs)


# ---------------------------------------------------------------- Snakemake


@contextmanager
def snakemake(project: Project, part: str, *resources: str) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake at work on Slurm, until it has ended by itself; interrupted where the caller fails."""
    # The profile asks for GPUs with device=cuda, which PyTorch here doesn't have: jobs get a GPU and compute on the CPU.
    on_a_cpu = ("--config", "device=cpu", "--set-resources", *(f"{rule}:gpu=1" for rule in GPU_RULES))
    with (project.folder / f"{part}.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, IMPATIENT, JOB_BY_JOB, "--workflow-profile", "profiles/slurm", *on_a_cpu, *resources],
            cwd=project.folder,
            env=environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
            process.wait(SECONDS)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # it cancels its jobs
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def said_in(project: Project, part: str) -> str:
    return (project.folder / f"{part}.txt").read_text(encoding="utf-8")


# ---------------------------------------------------------------- Slurm


def until(what: str, holds: Callable[[], object]) -> None:
    cluster.until(what, holds, SECONDS)


def submitted(rule: str, run: str, attempt: int) -> str:
    """The Slurm id of the job that is this attempt, once it is submitted."""

    def found() -> list[str]:
        lines = cluster.call("squeue", "--states=all", "-h", "--sort=i", "-o", "%i %k").splitlines()
        return [line.split()[0] for line in lines if line.endswith(f" rule_{rule}_wildcards_{run}")]

    until(f"attempt {attempt} of {rule} is submitted", lambda: len(found()) >= attempt)
    return found()[attempt - 1]


def slurm_log(folder: Path, rule: str, run: str, job: str | int) -> Path:
    """What Slurm itself wrote of a job."""
    return folder / f"logs/slurm/rule_{rule}/{run}/{job}.log"


def queue(field: str, job: str) -> str:
    """A field of ``squeue`` for a job."""
    return cluster.call("squeue", "--states=all", "-h", "-o", field, "-j", job).strip()


def accounting() -> list[Job]:
    """All jobs, in the order of their submission."""
    fields = "JobIDRaw,Comment,State,NodeList,Partition,Account,TimelimitRaw,ReqTRES"
    jobs = []
    for line in cluster.call("sacct", "-X", "-n", "-P", "-S", "now-1days", "-o", fields).splitlines():
        number, comment, state, node, partition, account, minutes, requested = line.split("|")
        rule, _, run = comment.removeprefix("rule_").partition("_wildcards_")
        amounts = dict(pair.split("=") for pair in requested.split(","))
        jobs.append(
            Job(
                id=int(number),
                rule=rule,
                run=run,
                state=state.split()[0],  # without "by 0", the user who cancelled it
                node=node,
                partition=partition,
                account=account,
                cpus=int(amounts["cpu"]),
                mem_mb=int(amounts["mem"].removesuffix("M")),
                minutes=int(minutes),
                gpus=int(amounts.get("gres/gpu", 0)),
            )
        )
    return sorted(jobs, key=lambda job: job.id)
