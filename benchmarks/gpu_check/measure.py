"""Seconds and peak memory of each measurement of a snapshot, by the stages' own functions, on 2,500 pictures of 3×32×32.

A run of 60 steps has two snapshots, at its start and its end; the seconds are the mean of the two, reading them included. K is
measured once before, so that CUDA is warm. Peak memory is the allocator's on a GPU, the growth of the process on a CPU.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import common
import numpy as np
import pandas as pd
import torch

from breakeven.data.prepare import write
from breakeven.data.splits import Splits
from breakeven.measurements.covariance import measure_covariance
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.stability import measure_stability
from breakeven.networks.registry import NETWORKS
from breakeven.specs.measurements import Covariance, Hessian
from breakeven.specs.run import RunSpec, Segment
from breakeven.store.errors import UserError
from breakeven.training.train import train
from gpu_check.check import Check
from gpu_check.trainings import CLASSES, pictures

DATASET = {"loader": "image_folder", "path": "pictures"}
SNAPSHOTS, EVERY = 2, 60
PLENTY_MB, DEFAULT_MB = 20_000.0, 2_000.0
SINGLE = 500  # examples of K at M = 1


def run(check: Check) -> None:
    """Rows for each network; the most wanted first, as time may be over."""
    device = check.torch_device()
    images, measured = (80, 64) if check.quick else (4096, 2500)
    data = check.work / "data"
    write_pictures(data, images, measured)
    for network in ("simple_cnn",) if check.quick else ("simple_cnn", "resnet32", "resnet32_bn"):
        with check.attempt(network):
            measure(check, network, data, device)


def measure(check: Check, network: str, data: Path, device: torch.device) -> None:
    """Train a run, and measure it in all ways."""
    folder = check.work / network
    options = {"channels": (4, 8), "dense": 16} if check.quick else {}
    spec = RunSpec(
        dataset=DATASET,
        network=network,
        network_options=options,
        learning_rate=0.02,
        batch_size=16 if check.quick else 128,
        snapshots=(Segment(EVERY),),
        seed=0,
        steps=EVERY,
    )
    train(spec, data, folder, check.work / f"{network}-state", device)

    def k(memory_mb: float, **settings: object) -> None:
        measure_covariance(folder, data, folder / "covariance.csv", device, memory_mb, **asdict(Covariance(**settings)))

    def h(memory_mb: float, eigenvalues: int) -> str:
        measure_hessian(
            folder, data, folder / "hessian.csv", device, memory_mb, **asdict(Hessian(eigenvalues=eigenvalues))
        )
        table = pd.read_csv(folder / "hessian.csv")
        return f"products to λ: {table['matvecs'].tolist()}, converged: {table['converged'].all()}"

    def stability() -> None:
        measure_stability(
            folder, data, folder / "stability.csv", device, batch_size=Hessian.batch_size, precision="float32"
        )

    size = 16 if check.quick else 128
    k(PLENTY_MB, batch_size=size)  # not timed
    timed(check, f"{network}: K, M = {size}", device, lambda: k(PLENTY_MB, batch_size=size))
    timed(check, f"{network}: λ_H^1 and Tr(H), 20 GB", device, lambda: h(PLENTY_MB, 1))
    timed(check, f"{network}: Eq. 1, α*, ΔL", device, stability)
    timed(check, f"{network}: five eigenvalues and Tr(H), 20 GB", device, lambda: h(PLENTY_MB, 5))
    timed(check, f"{network}: λ_H^1 and Tr(H), 2 GB", device, lambda: h(DEFAULT_MB, 1))
    if not NETWORKS[network].batch_statistics:
        single = 32 if check.quick else SINGLE
        timed(
            check, f"{network}: K, M = 1, {single} examples", device, lambda: k(PLENTY_MB, batch_size=1, batches=single)
        )


def timed(check: Check, what: str, device: torch.device, function: Callable[[], str | None]) -> None:
    """A row: seconds a snapshot and peak memory; or the sentence in which it was refused, for want of memory, say."""
    before = forget_the_peak(device)
    try:
        seconds, more = common.timed(function, device)
    except UserError as error:
        check.tell(what, f"refused: {error}")
        return
    found = f"{seconds / SNAPSHOTS:.2f} s a snapshot, {(peak(device) - before) / 2**20:.0f} MiB"
    check.tell(what, found + (f"; {more}" if more else ""))


def forget_the_peak(device: torch.device) -> float:
    """The peak starts from now; what it counts from."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return 0.0
    common.forget_the_peak()
    return common.resident_memory("VmRSS")


def peak(device: torch.device) -> float:
    """The most bytes that were held since then."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else common.resident_memory("VmHWM")


def write_pictures(out: Path, images: int, measured: int) -> None:
    """A prepared data set of `pictures`, as bytes."""
    made = pictures(images, torch.device("cpu"))
    stored = (128 + 32 * made.inputs).clamp(0, 255).to(torch.uint8).numpy()
    labels = made.targets.numpy().astype(np.int64)
    splits = Splits(stored, labels, stored[:100], labels[:100], tuple(map(str, range(CLASSES))))
    write(splits, DATASET, out, measured / images, seed=0, train_examples=None, test_examples=None)
