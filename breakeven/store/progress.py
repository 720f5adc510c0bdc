"""Progress on anything long: a bar on a terminal, a line every few seconds in a log."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 5.0


class _Lines:
    """A stream that gives tqdm's redrawn bar as lines: each redraw (carriage return) becomes a line of its own."""

    def write(self, text: str) -> None:
        line = text.strip("\r\n").rstrip()
        if line:
            sys.stderr.write(line + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(
    items: Iterable[T], what: str, unit: str, initial: int = 0, total: int | None = None, delay: float = 0
) -> Iterator[T]:
    """Yield ``items``, showing how many are done, the rate and the time left; ``initial`` of ``total`` were done before.

    Nothing is shown in the first ``delay`` seconds.
    """
    terminal = sys.stderr.isatty()
    yield from tqdm(
        items,
        desc=what,
        unit=f" {unit}",
        initial=initial,
        total=total,
        file=sys.stderr if terminal else _Lines(),
        ascii=not terminal,
        ncols=None if terminal else 100,
        mininterval=0.2 if terminal else SECONDS_BETWEEN_LINES,
        maxinterval=SECONDS_BETWEEN_LINES,
        delay=delay,
        position=None if terminal else 0,  # a log has no lines above to move to
        leave=None if terminal else True,  # a bar below another goes when it is done
    )


def within(items: Iterable[T], what: str, unit: str, total: int | None = None) -> Iterator[T]:
    """Like `progress`, for the parts of a single item: indented, and only where it takes more than a few seconds."""
    return progress(items, f"  {what}", unit, total=total, delay=SECONDS_BETWEEN_LINES)


def say(message: str) -> None:
    """Print a line to the log."""
    print(message, file=sys.stderr, flush=True)
