"""Pieces of Markdown."""

import re
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells may hold math, whose bars are no borders."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: object) -> str:
    """As code; nothing where there is no text."""
    return f"`{text}`" if str(text) else ""


def plain(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>$])", r"\\\1", text)


def _index(letters: str) -> str:
    """As LaTeX takes it."""
    return letters if len(letters) == 1 else f"{{{letters}}}"


SYMBOL = re.compile(r"(λ|e)_(PH|[KH])\^(\d|\*)|‖g‖|‖g_5‖|‖γ‖")
LATEX = {"λ": r"\lambda", "e": "e", "‖g‖": r"\|g\|", "‖g_5‖": r"\|g_5\|", "‖γ‖": r"\|\gamma\|"}


def prose(text: str) -> str:
    """Text in which symbols are typeset, and nothing else is markup."""
    pieces, end = [], 0
    for found in SYMBOL.finditer(text):
        pieces += [plain(text[end : found.start()]), _formula(found)]
        end = found.end()
    return "".join([*pieces, plain(text[end:])])


def typeset(text: str) -> str:
    """Markdown in which symbols are typeset."""
    return SYMBOL.sub(_formula, text)


def _formula(symbol: re.Match[str]) -> str:
    return f"${LATEX.get(symbol[0]) or f'{LATEX[symbol[1]]}_{_index(symbol[2])}^{{{symbol[3]}}}'}$"
