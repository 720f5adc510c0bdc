"""How values, places in the config and likely spelling mistakes are written in an error's one line."""

import difflib
import math
import re
from collections.abc import Iterable
from typing import Any

from breakeven.config.advice import instead, other_words

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


def nearest(name: Any, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be, whatever its case."""
    by_lower_case = {each.lower(): each for each in known}
    meant = other_words(name, by_lower_case.values())
    if meant is not None:
        return meant
    matches = difflib.get_close_matches(str(name)[:LONGEST_VALUE].lower(), by_lower_case, n=1)
    return by_lower_case[matches[0]] if matches else None


def unknown_key(name: Any, known: Iterable[str]) -> str:
    """The message for a key that is not among the known ones."""
    names = list(known)
    advice = instead(name, names)
    if advice is not None:
        return f"unknown key; {advice}"
    guess = nearest(name, names)
    return "unknown key; " + (f"did you mean '{guess}'?" if guess else f"allowed: {', '.join(names) or 'none'}")


def not_known(value: Any, known: Iterable[str]) -> str:
    """The message for a value that is not among the known names."""
    names = sorted(known)
    guess = nearest(value, names)
    hint = f"; did you mean '{guess}'?" if guess else ""
    return f"{show(value)} is not known; allowed: {', '.join(names)}{hint}"


def no_function(value: Any, known: Iterable[str]) -> str:
    """The message for a value that neither is among the known names nor names a function of the user's own."""
    message = not_known(value, known)
    return message if "did you mean" in message else f"{message}, or a function of your own: FILE.py:FUNCTION"
