"""What a public project says of itself in several places is the same in all."""

import tomllib
from pathlib import Path

import yaml

import breakeven

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_same_everywhere():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == breakeven.__version__
    assert f"## {breakeven.__version__}," in (ROOT / "CHANGELOG.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project and project["dynamic"] == ["version"]


def test_licence_and_holder_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["license"] == cited["license"] == "BSD-3-Clause"
    [holder] = project["authors"]
    assert cited["authors"] == [holder] and f"{holder['name']}" in (ROOT / "LICENSE").read_text()


def test_no_one_is_sent_to_a_package_of_that_name_on_an_index():
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "workflow").rglob("*.*")]
    files += (ROOT / "breakeven").rglob("*.py")
    assert len(files) > 50
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not any(f"pip install {quote}breakeven" in text for quote in ("", "'", '"')), file
