"""How the entries of a schedule go together, and with the rest of their run."""

from collections.abc import Iterator

from breakeven.config.finding import Finding
from breakeven.config.messages import show
from breakeven.config.models import Hyperparameters
from breakeven.config.moments import Moment, because, may_follow, words
from breakeven.specs.run import Entry, Switch

MOMENTS = ("at", "until", "every")  # fields of entries, in the order in which they come


def check_schedule(run: Hyperparameters, steps_per_epoch: int | None) -> Iterator[Finding]:
    """The mistakes in the schedule of a run."""
    end: Moment = (run.steps, "step") if run.steps is not None else (run.epochs, "epoch")
    yield from _check_whose_break_even_point(run)
    previous: Moment | None = None
    for index, entry in enumerate(run.schedule):
        fraction = _fraction(entry)
        if fraction:
            name, least = fraction
            message = f"{show(getattr(entry, name))} is not an integer; allowed: an integer of at least {least}"
            yield Finding("schedule", message, (), (index, name))
            return
        if not isinstance(entry, Switch):
            yield from _check_moments(entry, index, end, steps_per_epoch)
        elif entry.unit == "break_even":
            previous = None  # where it lies is known when the run without this switch has been measured
        else:
            now = (entry.at, entry.unit)
            if previous and not may_follow(previous, now, steps_per_epoch):
                message = f"{words(now)} is not after the {words(previous)} of the switch before"
                yield Finding("schedule", message, because(previous, now), (index, "at"))
            yield from _check_before(end, now, index, "at", steps_per_epoch)
            previous = now


def _fraction(entry: Entry) -> tuple[str, int] | None:
    """A field that counts steps or epochs and is no integer, with the least that it may be; None where all are."""
    if entry.unit == "break_even":
        return None
    given = {name: getattr(entry, name) for name in MOMENTS if getattr(entry, name, None) is not None}
    least = {name: 0 if name == "at" and not isinstance(entry, Switch) else 1 for name in given}
    return next(((name, least[name]) for name, value in given.items() if value % 1 or value < least[name]), None)


def _check_moments(entry: Entry, index: int, end: Moment, steps_per_epoch: int | None) -> Iterator[Finding]:
    """A multiplier begins before it ends, begins within the run, and ends within it."""
    at, until, every = ((value, entry.unit) if (value := getattr(entry, name, None)) else None for name in MOMENTS)
    if at and until and not may_follow(at, until, steps_per_epoch):
        yield Finding("schedule", f"{words(until)} is not after {words(at)}, where it begins", (), (index, "until"))
    for name, moment in (("at", at), ("every", every)):
        if moment:
            yield from _check_before(end, moment, index, name, steps_per_epoch)
    if until and not may_follow(until, end, steps_per_epoch, at_once=True):
        message = f"{words(until)} is after the end of the run at {words(end)}"
        yield Finding("schedule", message, ("steps", "epochs", *because(until, end)), (index, "until"))


def _check_before(end: Moment, moment: Moment, index: int, name: str, steps_per_epoch: int | None) -> Iterator[Finding]:
    if not may_follow(moment, end, steps_per_epoch):
        message = f"{words(moment)} is not before the end of the run at {words(end)}"
        yield Finding("schedule", message, ("steps", "epochs", *because(moment, end)), (index, name))


def _check_whose_break_even_point(run: Hyperparameters) -> Iterator[Finding]:
    """That is of one run, and is counted in where an entry says so."""
    counted: float | None = None
    for index, entry in enumerate(run.schedule):
        what = "switch" if isinstance(entry, Switch) else f"entry of kind {entry.kind}"
        if entry.unit != "break_even":
            if entry.of is not None:
                how = f"is at a {entry.unit}" if isinstance(entry, Switch) else f"counts in {entry.unit}s"
                message = f"counts with unit: break_even only, and this {what} {how}: leave it out"
                yield Finding("schedule", message, (), (index, "of"))
            continue
        rate = run.learning_rate if entry.of is None else entry.of
        if counted not in (None, rate):
            message = (
                f"this {what} counts in the break-even point of learning rate {show(rate)}, one before it in that of "
                f"{show(counted)}: a schedule counts in that of one run"
            )
            because_of = ("learning_rate",) if run.learning_rate in (counted, rate) else ()
            yield Finding("schedule", message, because_of, (index, "of"))
        counted = rate if counted is None else counted
