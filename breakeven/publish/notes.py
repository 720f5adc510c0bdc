"""What a person wrote of a finding, ``notes.md.jinja``; a mistake in it is told with its line."""

import traceback
from pathlib import Path
from typing import Any

import jinja2

from breakeven.publish import markdown
from breakeven.publish.published import NOTES
from breakeven.store.errors import UserError

MISTAKES = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
WHERE = "<template>"  # what jinja calls the file of a template that is a text


def notes_of(folder: Path, **known: Any) -> tuple[str, str, str]:
    """A heading, a paragraph that says what the finding teaches, and the rest.

    ``known``: what the words can name, see `breakeven.publish.values`.
    """
    path = folder / NOTES
    if not path.is_file():
        return "", "", ""
    environment = jinja2.Environment(
        autoescape=False, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_text
    )
    try:
        told = environment.from_string(path.read_text(encoding="utf-8")).render(**known)
    except UserError as error:
        raise UserError(f"'{path}'{_line(error)}: {error}") from error
    except MISTAKES as error:
        names = f"; numbers begin with {' or '.join(known)}" if isinstance(error, jinja2.UndefinedError) else ""
        raise UserError(f"'{path}'{_line(error)}: {error}{names}") from error
    heading, _, text = markdown.typeset(told).strip().partition("\n")
    lesson, _, rest = text.strip().partition("\n\n")
    return heading.removeprefix("#").strip(), lesson.strip(), rest.strip()


def _text(value: Any) -> Any:
    """What stands in braces must be a text, as all that is named of the tables is: no number that was typed there."""
    if isinstance(value, str | jinja2.Undefined):
        return value
    if callable(value):
        raise UserError(f"{getattr(value, '__name__', 'a macro')} wants brackets, and in them what it is of")
    raise UserError(f"{value!r} is nothing that the notes can name")


def _line(error: BaseException) -> str:
    """Where in the notes it is, if that is known."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == WHERE]
    number = error.lineno if isinstance(error, jinja2.TemplateSyntaxError) else lines[-1] if lines else None
    return f", line {number}" if number else ""
