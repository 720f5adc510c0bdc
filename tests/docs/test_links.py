"""The README is short; links of it and of the pages lead to files that exist, and to headings that exist in them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("[!_]*.md")),
    *sorted((ROOT / "docs").glob("[!_]*/*.md")),
]
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def links(text):
    return re.findall(r"!?\[(?:[^\]]|\](?!\())*\]\(([^)\s]+)\)", CODE.sub("`", text))


def test_the_readme_is_a_screen_and_a_half():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 75
    assert "pip install breakeven" not in text  # that name is not ours on the index


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(page):
    text = page.read_text(encoding="utf-8")
    assert "](http" not in text and "pip install breakeven" not in text
    for link in links(text):
        target, _, _ = link.partition("#")
        assert not target or (page.parent / target).exists(), link


def test_every_page_is_in_the_site():
    """A page that no toctree names is not found; Sphinx warns of it, too."""
    named = {"index"}
    for page in (ROOT / "docs").rglob("index.md"):
        for tree in re.findall(r"```\{toctree\}(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            entries = [line for line in tree.split() if not line.startswith(":")]
            named |= {str((page.parent / entry).resolve().relative_to(ROOT / "docs")) for entry in entries}
    pages = {
        str(path.relative_to(ROOT / "docs").with_suffix("")) for path in PAGES if path.is_relative_to(ROOT / "docs")
    }
    assert pages <= named
