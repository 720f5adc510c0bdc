"""What the benchmarks share: options, pictures, a trajectory of SGD, timing by turns, and Markdown tables.

A time never stands alone: what is compared takes turns in one process (`by_turns`), and the tables show ratios.
"""

import argparse
import contextlib
import io
import os
import platform
import statistics
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from breakeven.jobs.device import choose_device
from breakeven.networks.simple_cnn import simple_cnn
from breakeven.spectra.parameters import trainable
from breakeven.store.errors import UserError

T = TypeVar("T")

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAINING_PICTURES = 2000  # the trajectory is trained on these; the measured pictures are the first of them


def parser(description: str | None, **defaults: int) -> argparse.ArgumentParser:
    """The options that every benchmark has; ``defaults`` of integer options (``snapshots=20``) make further options."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    options.add_argument(
        "--data",
        default=default_data(),
        help="CIFAR-10 as JPEG files: a folder with train/CLASS/*.jpg, or a tar file of it; 'random' for random pictures "
        "(default: $BREAKEVEN_DATA/cifar10.tar.xz, else data/cifar10; here: %(default)s)",
    )
    options.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="default: %(default)s")
    options.add_argument("--threads", type=int, default=1, help="threads of torch (default: %(default)s)")
    options.add_argument(
        "--network",
        default="simple_cnn",
        choices=["simple_cnn", "resnet32", "resnet32_bn", "tiny"],
        help="SimpleCNN with 591,274 parameters, or a tiny one to try the program (default: %(default)s)",
    )
    for name, value in defaults.items():
        options.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help="default: %(default)s")
    return options


def default_data() -> str | None:
    """Where CIFAR-10 lies: ``$BREAKEVEN_DATA/cifar10.tar.xz``, else the folder ``data/cifar10``, else nowhere."""
    if root := os.environ.get("BREAKEVEN_DATA"):
        return str(Path(root) / "cifar10.tar.xz")
    return "data/cifar10" if Path("data/cifar10").is_dir() else None


def run(main: Callable[[], None]) -> None:
    """Run a program; a user's mistake is told in one line."""
    try:
        main()
    except UserError as error:
        sys.exit(str(error))


# --- pictures and trajectory


@dataclass(frozen=True)
class Examples:
    """Pictures, normalised per channel, and their classes, on the device; the first ``measured`` are measured."""

    inputs: Tensor
    targets: Tensor

    def first(self, count: int) -> tuple[Tensor, Tensor]:
        """The first ``count`` examples."""
        if count > len(self.targets):
            raise UserError(f"--images: there are only {len(self.targets)} pictures")
        return self.inputs[:count], self.targets[:count]


def examples(data: str | None, device: torch.device, count: int = TRAINING_PICTURES) -> Examples:
    """`pictures`, normalised per channel."""
    images, labels = pictures(data, count)
    inputs = torch.tensor(images, dtype=torch.float32)
    inputs = (inputs - inputs.mean((0, 2, 3), keepdim=True)) / inputs.std((0, 2, 3), keepdim=True)
    return Examples(inputs.to(device), torch.tensor(labels, device=device))


def pictures(data: str | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` pictures of CIFAR-10's training set, the same number of each class, in random but fixed order; their classes.

    uint8 (count, 3, 32, 32), and int64.
    """
    if data == "random":
        draws = np.random.default_rng(0)
        images = draws.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        labels = draws.integers(0, len(CLASSES), count)
    else:
        files = _jpeg_files(data, count)
        images = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file, _ in files])
        images = images.transpose(0, 3, 1, 2)
        labels = np.array([label for _, label in files])
    order = np.random.default_rng(1).permutation(len(labels))
    return images[order], labels[order].astype(np.int64)


def _jpeg_files(data: str | None, count: int) -> list[tuple[bytes, int]]:
    """The first ``count`` / 10 files train/CLASS/0000.jpg, 0001.jpg, … of each class, with the number of the class."""
    if data is None or not Path(data).exists():
        where = "none was found; set BREAKEVEN_DATA or" if data is None else f"'{data}' does not exist;"
        raise UserError(f"CIFAR-10 as JPEG files is needed: {where} give --data FOLDER (or --data random)")
    wanted = {
        f"train/{name}/{number:04}.jpg": label
        for label, name in enumerate(CLASSES)
        for number in range(-(-count // len(CLASSES)))
    }
    if Path(data).is_dir():
        found = {name: (Path(data) / name).read_bytes() for name in wanted if (Path(data) / name).exists()}
    else:
        found = {}
        with tarfile.open(data) as archive:
            for member in archive:
                name = "/".join(Path(member.name).parts[-3:])
                if name in wanted and (file := archive.extractfile(member)):
                    found[name] = file.read()
                if len(found) == len(wanted):
                    break
    if len(found) < len(wanted):
        raise UserError(f"'{data}' holds {len(found)} of the {len(wanted)} files looked for, train/CLASS/NNNN.jpg")
    return [(found[name], label) for name, label in sorted(wanted.items())]


def network(name: str, device: torch.device) -> nn.Module:
    """SimpleCNN for CIFAR-10 (591,274 parameters), or a tiny one; the same initial weights each time."""
    options = {"channels": (2, 3), "dense": 5} if name == "tiny" else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return simple_cnn((3, 32, 32), len(CLASSES), **options).to(device)


def trajectory(
    model: nn.Module, data: Examples, snapshots: int, every: int, learning_rate: float = 0.05, batch_size: int = 32
) -> list[dict[str, Tensor]]:
    """Train ``model`` by plain SGD; its weights before the first step and after each ``every`` steps."""
    draws = torch.Generator().manual_seed(0)
    saved = []
    for _ in range(snapshots):
        saved.append({name: weight.detach().clone() for name, weight in model.state_dict().items()})
        for _ in range(every):
            batch = torch.randint(len(data.targets), (batch_size,), generator=draws).to(data.targets.device)
            step = gradient(model, data.inputs[batch], data.targets[batch])
            with torch.no_grad():
                for parameter, direction in zip(trainable(model), step, strict=True):
                    parameter -= learning_rate * direction
    return saved


def gradient(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    """One gradient evaluation: the unit in which costs are given."""
    return torch.autograd.grad(cross_entropy(model(inputs), targets), trainable(model))


def size(model: nn.Module) -> str:
    """The number of trainable parameters, D."""
    return f"{sum(parameter.numel() for parameter in trainable(model)):,}"


# --- time


def timed(function: Callable[[], T], device: torch.device) -> tuple[float, T]:
    """The seconds that one call takes, with everything that it put on the device's queue, and what it returned."""
    synchronise(device)
    start = time.perf_counter()
    result = function()
    synchronise(device)
    return time.perf_counter() - start, result


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def by_turns(functions: dict[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each function, ``repeats`` times, taking turns; one call of each comes first and is not timed."""
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(timed(function, device)[0])
    return times


def ratio(times: Sequence[float], units: Sequence[float]) -> float:
    """The median of times / units, pair by pair: neighbours in time, so that a busy machine slows both."""
    return statistics.median(time / unit for time, unit in zip(times, units, strict=True))


def ratio_text(times: Sequence[float], units: Sequence[float]) -> str:
    """The median of times / units, pair by pair, with the smallest and the largest."""
    ratios = [time / unit for time, unit in zip(times, units, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


# --- memory


def forget_the_peak() -> None:
    """The peak of this process's memory starts from now, where the kernel allows it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def resident_memory(which: str) -> float:
    """The memory that this process holds now (VmRSS) or held at most (VmHWM), in bytes.

    Not ``ru_maxrss`` of getrusage: a process inherits it from its parent, which holds far more than this one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError("peak memory on a CPU is read from /proc/self/status, which only Linux has") from error
    [kilobytes] = [line.split()[1] for line in lines if line.startswith(f"{which}:")]
    return int(kilobytes) * 1024


# --- output


def set_up(arguments: argparse.Namespace) -> torch.device:
    """The device, with torch set up as the pipeline does it."""
    return choose_device(arguments.device, arguments.threads)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, its first column aligned left and the others right."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])


def version_of(distribution: str) -> str | None:
    """The installed version of a package of PyPI; None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def machine(device: torch.device) -> str:
    """One line: device, processor, threads, versions of Python and torch."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return (
        f"{device.type}, {name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads of torch, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def say(what: str) -> None:
    """Tell on standard error what is being done; the tables alone go to standard output."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
