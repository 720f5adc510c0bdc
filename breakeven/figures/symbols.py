"""The paper's symbols, written λ_K^1 in tables and specifications, with real indices in pages and pictures."""

import re

from markupsafe import Markup, escape

# base, lower and upper index; or base and lower index. Also a regular expression of JavaScript, see `breakeven.figures.browser`
PATTERN = r"([λe])_(K|H|PH)\^(\d|\*)|(‖g)_(5)"
SIZE, DOWN, UP = 0.7, 0.25, 0.4  # of an index: its size, and how far from the line, in units of the text around it


def html(text: str) -> Markup:
    """Escaped text, with its symbols' indices as elements."""

    def indexed(match: re.Match[str]) -> str:
        base, low, high = match[1] or match[4], match[2] or match[5], match[3]
        return f"{base}<sub>{low}</sub>" + (f"<sup>{high}</sup>" if high else "")

    return Markup(re.sub(PATTERN, indexed, str(escape(text))))


def svg(drawing: str) -> str:
    """An SVG, with the indices of its texts, and of nothing else, as elements."""
    return re.sub(r">([^<>]+)<", lambda match: f">{_tspans(match[1])}<", drawing)


def _tspans(text: str) -> str:
    made, at, below = "", 0, 0.0  # how far below the line the text is that was written last
    for match in re.finditer(PATTERN, text):
        base, low, high = match[1] or match[4], match[2] or match[5], match[3]
        made += _shifted(text[at : match.start()] + base, -below, 1) + _shifted(low, DOWN, SIZE)
        made += _shifted(high, -DOWN - UP, SIZE) if high else ""
        at, below = match.end(), -UP if high else DOWN
    return made + _shifted(text[at:], -below, 1) if made else text


def _shifted(text: str, dy: float, size: float) -> str:
    """Text ``dy`` below the one before, in units of the size of the text around."""
    if not text or (not dy and size == 1):
        return text
    font = f' font-size="{size:.0%}"' if size != 1 else ""
    return f'<tspan dy="{dy / size:.3f}em"{font}>{text}</tspan>'
