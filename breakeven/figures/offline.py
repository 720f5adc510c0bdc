"""What a page needs to show Vega-Lite charts without a network."""

import json
from pathlib import Path
from typing import Any

import jinja2


def templates(folder: Path) -> jinja2.Environment:
    """The templates of pages in ``folder``: texts are escaped, and a name that is not given is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def script_json(content: Any) -> str:
    """``content`` as JSON that can stand inside a ``<script>`` element: no text in it can end the element."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace("\u2028", r"\u2028").replace("\u2029", r"\u2029")
