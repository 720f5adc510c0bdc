"""Which of two moments of a run comes first, each a count and its unit: ``(3, "epoch")``."""

Moment = tuple[int | float, str]


def may_follow(first: Moment, second: Moment, steps_per_epoch: int | None, at_once: bool = False) -> bool:
    """False if ``second`` is certainly not later, nor the same moment if that is allowed, ``at_once``.

    Steps compare with epochs only where the training set's size is known, and neither with break-even points.
    """
    if first[1] == second[1]:
        return first[0] < second[0] or (at_once and first[0] == second[0])
    if "break_even" in (first[1], second[1]) or steps_per_epoch is None:
        return True
    one, other = (count * steps_per_epoch if unit == "epoch" else count for count, unit in (first, second))
    return one < other or (at_once and one == other)


def because(first: Moment, second: Moment) -> tuple[str, ...]:
    """The hyperparameters that the comparison depends on beside the moments themselves."""
    return () if first[1] == second[1] else ("dataset", "batch_size")


def words(moment: Moment) -> str:
    """A moment in words: epoch 3, 1.5 x break-even."""
    count, unit = moment
    return f"{count:g} x break-even" if unit == "break_even" else f"{unit} {int(count)}"
