"""The Sphinx extension: at build time, the reference is made from the package, figures are drawn, the example report is run.

A page names what is put into it by a comment on a line of its own, ``<!-- made: NAME -->``.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

from _ext import commands, config_keys, figures, networks, tables

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIG = "docs/examples/report.yaml"
EXAMPLE = DOCS / "_build/example"  # its results folder, as the config says
PICTURES = DOCS / "_build/figures"

MADE: dict[str, Callable[[], str]] = {
    "config": config_keys.text,
    "networks": networks.text,
    "quantities": tables.quantities,
    "runs": tables.runs,
    "files": tables.files,
    "notes": tables.notes,
    "figures": lambda: figures.text("../_build/figures"),
    "commands": commands.text,
}
# pages that show a file from elsewhere in the repository, below a heading of their own
SHOWN = {
    "CONTRIBUTING.md": "how-to/extend",
    "benchmarks/README.md": "explanation/benchmarks",
    "benchmarks/results/2026-11-27-calibration.md": "explanation/calibration",
    "benchmarks/results/2026-11-27-conditions.md": "explanation/conditions",
}
LINK = re.compile(r"\[([^\]]*)\]\(((?!\w+:|#|/)[^)#\s]+)(#[^)\s]*)?\)")
PLACE = re.compile(r"^<!-- made: (\w+) -->$", re.MULTILINE)


def put(text: str, page: str) -> str:
    """The text of a page, with what is made in its places, and the file that it shows; links lead to pages of the site."""
    here = (DOCS / page).parent
    text = linked(PLACE.sub(lambda found: MADE[found[1]](), text), here, here)
    for file in (file for file, shown in SHOWN.items() if shown == page):
        _heading, _, rest = (ROOT / file).read_text(encoding="utf-8").partition("\n")
        text += linked(rest, (ROOT / file).parent, here)
    return text


def linked(text: str, folder: Path, here: Path) -> str:
    """The text of a file in ``folder``, shown on a page in ``here``: its links lead to pages of the site, or else to files."""

    def link(found: re.Match[str]) -> str:
        words, target, heading = found[1], found[2], found[3] or ""
        file = (folder / target).resolve()
        shown = SHOWN.get(os.path.relpath(file, ROOT))
        if file.is_dir():
            return words  # no page is of it
        if shown:
            return f"[{words}](/{shown}.md{heading})"
        if file.is_relative_to(DOCS):
            return f"[{words}](/{file.relative_to(DOCS)}{heading})"
        return f"[{words}](path:{os.path.relpath(file, here)})"

    return re.sub(LINK, link, text)


def run_example() -> None:
    """Run the example study; where its results are there and current, it has nothing to do."""
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--configfile", CONFIG]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode:
        raise ExtensionError(f"the example report could not be made:\n{(made.stdout + made.stderr)[-3000:]}")


def _begin(app: Sphinx) -> None:
    logging.getLogger(__name__).info("draw figures, run %s", CONFIG)
    figures.draw(PICTURES)
    run_example()


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = put(source[0], page)


def _docstring(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """In docstrings, bars are those of absolute values."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def _finish(app: Sphinx, exception: Exception | None) -> None:
    """The example report lies beside the pages, with the pictures and tables that it links."""
    if exception is None and app.builder.format == "html":
        target = Path(app.outdir) / "example"
        target.mkdir(exist_ok=True)
        shutil.copy(EXAMPLE / "report.html", target)
        for folder in ("figures", "tables"):
            shutil.copytree(EXAMPLE / folder, target / folder, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    app.connect("builder-inited", _begin)
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True}
