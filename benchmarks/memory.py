"""Peak memory of training and measuring ResNet-32 on CIFAR-10: below a limit, and the same for few and many snapshots.

Each stage runs in a process of its own, on 1,000 pictures, 32 of them measured, K in mini-batches of 8, H and the stability in
float64, so that no snapshot is measured twice. A run has a few snapshots, another many. The limits are what the workflow asks
a cluster for: 4000 MB to train, and 2000 MB more than the config's ``memory_mb`` to measure. The program fails where a stage
is above its limit, or where many snapshots take more than ``--margin-mb`` more than few.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import common
import torch

from breakeven.specs.run import RunSpec, Segment
from breakeven.store.errors import UserError

MEGABYTE = 2**20
TRAIN_MB, MEASURE_MB = 4000, 2000  # as in workflow/rules/train.smk and measure.smk
EVERY = 2  # steps
MEASURED = 32  # pictures
# glibc keeps what is freed in pieces below 32 MB, more of it the longer a program runs; so it gives all of it back
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
HEADER = ["stage", "imports, in MB", "peak with {few} snapshots", "with {many}", "growth", "limit"]
MEASUREMENTS = {
    "covariance": {"batch_size": 8, "batches": None, "precision": "float32"},
    "hessian": {
        "eigenvalues": 1,
        "tolerance": 0.1,
        "max_matvecs": 5,
        "trace_probes": 1,
        "batch_size": 32,
        "precision": "float64",
    },
    "stability": {"batch_size": 32, "precision": "float64"},
}
STAGES = ("train", *MEASUREMENTS)


def main() -> None:
    """Print the table."""
    options = common.parser(__doc__, images=1000, few=3, many=12, memory_mb=2000, margin_mb=20)
    options.set_defaults(network="resnet32")
    options.add_argument("--stages-of", help=argparse.SUPPRESS)  # what a process of its own runs
    options.add_argument("--in-one-process", action="store_true", help="all stages of a run: faster, and less exact")
    arguments = options.parse_args()
    device = common.set_up(arguments)
    if arguments.stages_of:
        print(json.dumps(peaks(**json.loads(arguments.stages_of), device=device)))
        return
    with tempfile.TemporaryDirectory(prefix="breakeven-") as name:
        found = [measured(Path(name), arguments, snapshots) for snapshots in (arguments.few, arguments.many)]
    rows, failures = table(*found, arguments)
    print(f"{arguments.network}, {arguments.images} pictures of {arguments.data}; {common.machine(device)}.\n")
    print(common.table([head.format(**vars(arguments)) for head in HEADER], rows))
    if failures:
        raise UserError("\n".join(failures))


def table(
    few: dict[str, list[float]], many: dict[str, list[float]], arguments: argparse.Namespace
) -> tuple[list[list[str]], list[str]]:
    """The rows, and what is above a limit."""
    rows, failures = [], []
    for stage in STAGES:
        base, low, high = few[stage][0], few[stage][1], many[stage][1]
        limit = TRAIN_MB if stage == "train" else MEASURE_MB + arguments.memory_mb
        rows.append([stage, *(f"{value:.0f}" for value in (base, low, high)), f"{high - low:+.0f}", str(limit)])
        if max(low, high) > limit:
            failures.append(f"{stage} takes {max(low, high):.0f} MB, more than {limit}")
        if high - low > arguments.margin_mb:
            failures.append(f"{stage} takes {high - low:.0f} MB more with more snapshots")
    return rows, failures


def measured(folder: Path, arguments: argparse.Namespace, snapshots: int) -> dict[str, list[float]]:
    """For each stage of a run with so many snapshots, megabytes before it and at its peak."""
    data = folder / "data"
    if not data.exists():
        prepare(data, arguments)
    options = {"folder": str(folder), "snapshots": snapshots, "network": arguments.network}
    options |= {"memory_mb": arguments.memory_mb}
    found: dict[str, list[float]] = {}
    for stages in [STAGES] if arguments.in_one_process else [(stage,) for stage in STAGES]:
        common.say(f"{', '.join(stages)} with {snapshots} snapshots")
        command = [sys.executable, __file__, "--device", arguments.device, "--threads", str(arguments.threads)]
        command += ["--stages-of", json.dumps(options | {"stages": stages})]
        found |= json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT).stdout
        )
    return found


def prepare(out: Path, arguments: argparse.Namespace) -> None:
    """Write the pictures as the stage ``prepare`` does; a tenth more are the test set."""
    from breakeven.data.prepare import write
    from breakeven.data.splits import Splits

    count = arguments.images
    images, labels = common.pictures(arguments.data, count + count // 10)
    splits = Splits(images[:count], labels[:count], images[count:], labels[count:], common.CLASSES)
    write(splits, DATASET, out, min(1.0, MEASURED / count), seed=0, train_examples=None, test_examples=None)


DATASET = {"loader": "image_folder", "path": "pictures"}


def specification(network: str, snapshots: int) -> RunSpec:
    """A run with so many snapshots; "tiny" is an MLP whose snapshots are large beside everything else."""
    name, options = ("mlp", {"hidden": [100]}) if network == "tiny" else (network, {})
    steps = EVERY * (snapshots - 1)
    return RunSpec(
        dataset=DATASET,
        network=name,
        network_options=options,
        learning_rate=0.01,
        batch_size=32,
        snapshots=(Segment(EVERY),),
        seed=0,
        steps=steps,
    )


def peaks(
    stages: list[str], folder: str, snapshots: int, network: str, memory_mb: float, device: torch.device
) -> dict[str, list[float]]:
    """Run ``stages``; of each, the megabytes that this process held before and at most."""
    from breakeven.measurements.covariance import measure_covariance
    from breakeven.measurements.hessian import measure_hessian
    from breakeven.measurements.stability import measure_stability
    from breakeven.training.train import train

    spec = specification(network, snapshots)
    root = Path(folder)
    data, run = root / "data", root / f"run-{snapshots}"
    out = {stage: run / f"{stage}.csv" for stage in MEASUREMENTS}
    calls: dict[str, Callable[[], None]] = {
        "train": lambda: train(spec, data, run, root / "state", device, ""),
        "covariance": lambda: measure_covariance(
            run, data, out["covariance"], device, memory_mb, **MEASUREMENTS["covariance"]
        ),
        "hessian": lambda: measure_hessian(run, data, out["hessian"], device, memory_mb, **MEASUREMENTS["hessian"]),
        "stability": lambda: measure_stability(run, data, out["stability"], device, **MEASUREMENTS["stability"]),
    }
    found = {}
    for stage in stages:
        common.forget_the_peak()
        before = common.resident_memory("VmRSS")
        calls[stage]()
        found[stage] = [before / MEGABYTE, common.resident_memory("VmHWM") / MEGABYTE]
    return found


if __name__ == "__main__":
    common.run(main)
