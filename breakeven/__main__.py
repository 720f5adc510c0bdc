"""The command line, ``python -m breakeven`` or ``breakeven``: the whole pipeline, or one stage, with or without Snakemake."""

import sys

# ``python -m`` looks in the working folder first: a random.py or torch.py of the user's own there is not what we import
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))

import argparse
import atexit
import gc
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from breakeven.commands import call, parse
from breakeven.jobs.cost import Took, write_cost
from breakeven.jobs.locks import held, lock_of
from breakeven.jobs.termination import end_on_signals, end_with_parent
from breakeven.jobs.trouble import sentence
from breakeven.stages import Stage
from breakeven.store.contents import Contents
from breakeven.store.progress import say
from breakeven.store.record import remove_record, write_record

STARTED = time.monotonic()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage; a user's mistake and bad luck are told in a sentence, with exit code 1."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parsed = parse(given)  # imports what the stage needs
    gc.enable()
    stage: Stage = parsed.stage
    end_on_signals()
    end_with_parent()
    try:
        with _recorded(parsed, stage) as waited:
            said = call(stage, parsed)
            if getattr(parsed, "cost", None) is not None:
                write_cost(parsed.cost, STARTED + waited, said if isinstance(said, Took) else Took())
    except Exception as error:
        told = sentence(error, stage.name)
        if told is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        return 1
    if isinstance(said, str):
        try:
            print(said, flush=True)
        except BrokenPipeError:  # of `| head`; at its end Python would write again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


@contextmanager
def _recorded(parsed: argparse.Namespace, stage: Stage) -> Iterator[float]:
    """Let no other process, on this host or another, write the same results meanwhile; then record what they are made from.

    Yields for how many seconds it waited for another, which are none of what this job took.
    There is another where a Snakemake was killed: on this machine its jobs end at once, but on a cluster they go on.
    """
    if not hasattr(parsed, "out"):
        yield 0.0
        return
    outputs = stage.outputs(parsed.out, vars(parsed))
    asked = time.monotonic()
    with held(lock_of(outputs[-1]), f"writing '{parsed.out}' ({stage.name})", wait=True):
        waited = time.monotonic() - asked
        remove_record(outputs[-1])
        is_planned = _is_planned_code(parsed.code)
        yield waited
        if parsed.key and is_planned and _are_planned_files(parsed.read):
            write_record(outputs[-1], parsed.key, outputs)


def _is_planned_code(code: str) -> bool:
    """Whether this process runs the code that was planned, if one was."""
    if not code:
        return True
    from breakeven.config.code_digest import Code

    return _or_tell(Code(**json.loads(code)).is_unchanged(), "the code was edited")


def _are_planned_files(read: str) -> bool:
    """Whether the user's files that were read are still as they were planned, if any were."""
    planned = json.loads(read or "{}")
    return _or_tell(
        all(Contents().digest(Path(path)) == digest for path, digest in planned.items()), "files were changed"
    )


def _or_tell(unchanged: bool, what: str) -> bool:
    if not unchanged:
        say(f"{what} since this was planned: the next snakemake makes again what this makes")
    return unchanged


def _leave(status: int) -> NoReturn:
    """End this process, without taking apart what it has imported."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # as Python itself has it
            status = 120
    os._exit(status)


def command() -> NoReturn:
    """Run the command line, and end."""
    # Importing torch makes much and no garbage, and at the end all is freed anyway: not to look for garbage in it, and not to
    # free it one by one, takes a fifth off the processor's seconds of a short stage. What others do at the end comes before.
    gc.disable()
    ended: list[int] = []
    atexit.register(lambda: _leave(ended[0]) if ended else None)
    ended.append(main())
    sys.exit(ended[0])


if __name__ == "__main__":
    command()
