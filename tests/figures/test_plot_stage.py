import re

import pytest
from synthetic import make_study

from breakeven.errors import UserError
from breakeven.plot import plot

FORMATS = ("html", "svg", "png", "vl.json")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    trajectories, runs, study = make_study(sweeps={"augmentation": ["None", "</script><script>alert(1)</script>"]})
    trajectories.to_csv(folder / "trajectories.csv", index=False)
    runs.to_csv(folder / "runs.csv", index=False)
    return folder / "trajectories.csv", folder / "runs.csv", study


def test_all_formats_are_written_with_the_same_bytes_each_time(tables, tmp_path):
    for folder in ("first", "second"):
        plot("lambda_K", *tables, tmp_path / folder)
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == sorted(f"lambda_K.{end}" for end in FORMATS)
    for end in FORMATS:
        first, second = ((tmp_path / folder / f"lambda_K.{end}").read_bytes() for folder in ("first", "second"))
        assert first == second and first
    assert (tmp_path / "first/lambda_K.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_needs_no_network_and_survives_hostile_values(tables, tmp_path):
    plot("lambda_K", *tables, tmp_path)
    page = (tmp_path / "lambda_K.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page and not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert page.count("<script") == page.count("</script>") == 2
    assert r"\u003c/script>" in page
    assert '"None"' in page  # a swept name, not a missing value


@pytest.mark.parametrize("figure", ["no_such_figure", "common", "../plot", "a.b"])
def test_an_unknown_figure_is_told_in_one_sentence(figure, tables, tmp_path):
    with pytest.raises(UserError, match="there is no figure"):
        plot(figure, *tables, tmp_path)
    assert not list(tmp_path.iterdir())
