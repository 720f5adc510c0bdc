"""Formulas as MathML, which browsers show without a script, in a font with the measures that they need, from a package."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

FONT = "STIXTwoMath-Regular.ttf"


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line."""
    translator.body.append(_converted(node.astext(), "inline"))
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on a line of its own, with its number if it has one."""
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    anchor = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    translator.body.append(f'<div class="math"{anchor}>{_converted(node.astext(), "block")}{number}</div>\n')
    raise nodes.SkipNode


def _converted(formula: str, display: str) -> str:
    made: str = convert(formula.replace(r"\arg\max", r"\operatorname{arg max}"), display=display)
    return made


def _copy_font(app: Sphinx, exception: Exception | None) -> None:
    """Beside site.css, which names it."""
    if exception is None and app.builder.format == "html":
        with as_file(files("ziamath") / "fonts" / FONT) as font:
            shutil.copy(font, Path(app.outdir) / "_static")


def setup(app: Sphinx) -> None:
    """Sphinx calls it."""
    app.connect("build-finished", _copy_font)
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
