"""How values, places in the config and likely spelling mistakes are written in an error's one line."""

import difflib
import math
import re
from collections.abc import Iterable
from typing import Any

LONGEST_VALUE = 60
# what people write, and how it is called here
OTHER_WORDS = {"lr": "learning_rate", "gpu": "cuda", "bf16": "bfloat16", "float16": "bfloat16"}


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
    meant = OTHER_WORDS.get(str(name))
    if meant in by_lower_case:
        return meant
    matches = difflib.get_close_matches(str(name)[:LONGEST_VALUE].lower(), by_lower_case, n=1)
    return by_lower_case[matches[0]] if matches else None


def unknown_key(name: Any, known: Iterable[str]) -> str:
    """The message for a key that is not among the known ones."""
    names = list(known)
    if name in ("seed", "seeds") and "learning_rate" in names:
        return "unknown key; seeds are listed in the study's 'seeds', beside 'base' and 'sweeps'"
    guess = nearest(name, names)
    return "unknown key; " + (f"did you mean '{guess}'?" if guess else f"allowed: {', '.join(names) or 'none'}")


def not_known(value: Any, known: Iterable[str]) -> str:
    """The message for a value that is not among the known names."""
    names = sorted(known)
    guess = nearest(value, names)
    hint = f"; did you mean '{guess}'?" if guess else ""
    return f"{show(value)} is not known; allowed: {', '.join(names)}{hint}"
