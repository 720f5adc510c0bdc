"""When a training saves its state: every now and then, before a signal ends it, and at the end.

Checkpoints are kept outside of Snakemake's declared outputs: it deletes those of a job that failed or that is done again, and the
next attempt goes on from the last checkpoint.
"""

import json
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Self

from breakeven.jobs.cost import Took
from breakeven.jobs.termination import STOPPED, deferred_signals, end
from breakeven.store.files import write_json
from breakeven.store.progress import say
from breakeven.training.checkpoint_file import read_checkpoint, write_checkpoint
from breakeven.training.training import Training

SECONDS_BETWEEN_CHECKPOINTS = 20.0
TOOK = "took.json"  # beside the checkpoint: what it took to get there, of which no result depends


class Checkpoints:
    """The checkpoints of ``training`` in ``folder``; within the block, a signal ends the process between two steps only."""

    def __init__(self, training: Training, folder: Path, key: str, family: str) -> None:
        self._training, self._folder, self._key, self._family = training, folder, key, family
        self._block = ExitStack()
        self.earlier = Took()  # by the attempts that it goes on from
        self._started, self._processor_then = time.monotonic(), time.process_time()

    def __enter__(self) -> Self:
        self._signal = self._block.enter_context(deferred_signals())
        self._saved_at = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self._block.close()

    def resume(self) -> bool:
        """Let the training go on from the last checkpoint; whether there is one that can be used."""
        state = read_checkpoint(self._folder, self._key)
        if state is not None:
            self._training.load_state(state)
            self.earlier = read_took(self._folder)
        return state is not None

    def after_step(self) -> None:
        """Save a checkpoint where it is time, or a signal came, which then ends the process."""
        signal = self._signal()
        if signal or time.monotonic() - self._saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            self.save()
        if signal:
            say(f"{STOPPED} after step {self._training.step - 1}; the same command goes on from there")
            end(signal)

    def save(self) -> None:
        """Save a checkpoint."""
        write_checkpoint(self._folder, self._key, self._family, self._training.state())
        seconds = self.earlier.seconds + time.monotonic() - self._started
        processor = self.earlier.processor + time.process_time() - self._processor_then
        write_json(self._folder / TOOK, asdict(Took(seconds, processor)))
        self._saved_at = time.monotonic()


def read_took(folder: Path) -> Took:
    """What it took to get to the checkpoint in ``folder``; nothing where that is not known."""
    try:
        told = json.loads((folder / TOOK).read_text(encoding="utf-8"))
        return Took(float(told["seconds"]), float(told["processor"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return Took()
