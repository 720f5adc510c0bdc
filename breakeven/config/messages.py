"""How values, places in the config and likely spelling mistakes are written in an error's one line."""

import difflib
import math
import re
from collections.abc import Iterable
from typing import Any

LONGEST_VALUE = 60


def show(value: Any) -> str:
    """``value`` as YAML would write it, on one line, control characters escaped, at most 60 characters long."""
    text = _yaml(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(item) for item in value[:LONGEST_VALUE]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{show_key(key)}: {show(item)}" for key, item in value.items()) + "}"
    return repr(value)


def show_key(key: Any) -> str:
    """A key as it stands in a path: bare where it is a plain name, else quoted and escaped."""
    return str(key) if re.fullmatch(r"[\w.-]{1,60}", str(key)) else show(key)


def show_path(path: Iterable[str | int]) -> str:
    """``("studies", "a", "snapshots", 0, "every")`` as ``studies.a.snapshots[0].every``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{show_key(part)}" if text else show_key(part)
    return text


def line(filename: str, path: Iterable[str | int], message: str) -> str:
    """The line that the user reads: file, place, what is wrong."""
    place = show_path(path)
    return f"{filename}: {place}: {message}" if place else f"{filename}: {message}"


def distinct_lines(filename: str, mistakes: Iterable[tuple[Iterable[str | int], str]]) -> list[str]:
    """The lines of all mistakes, each a place and what is wrong; equal ones, as of several runs, are told once."""
    return list(dict.fromkeys(line(filename, path, message) for path, message in mistakes))


def nearest(name: Any, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be, whatever its case."""
    by_lower_case = {each.lower(): each for each in known}
    matches = difflib.get_close_matches(str(name)[:LONGEST_VALUE].lower(), by_lower_case, n=1)
    return by_lower_case[matches[0]] if matches else None


def not_known(value: Any, known: Iterable[str], hint: str | None = None) -> str:
    """The message for a value that is not among the known names; ``hint`` instead of the nearest of them."""
    names = sorted(known)
    guess = nearest(value, names)
    if hint is None and guess is not None:
        hint = f"did you mean '{guess}'?"
    return f"{show(value)} is not known; allowed: {', '.join(names)}" + (f"; {hint}" if hint else "")
