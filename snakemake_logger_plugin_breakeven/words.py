"""Durations and names, as short as a line needs them."""


def duration(seconds: float) -> str:
    """``seconds`` in words, in the two largest units: `4 s`, `3 min`, `2 h 10 min`, `1 d 4 h`."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def jobs(count: int) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} job" if count == 1 else f"{count} jobs"


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` letters, without its middle: names of runs differ at their ends."""
    if len(text) <= width:
        return text
    if width < 3:
        return text[: max(0, width)]
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def at_most(lines: list[str], count: int) -> list[str]:
    """The ``lines``, cut after ``count`` with how many more there are."""
    return lines if len(lines) <= count else [*lines[:count], f"  and {len(lines) - count} more"]
