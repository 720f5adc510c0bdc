"""Notes: a mistake in them is told in a sentence with its line."""

import pytest

from breakeven.publish.publish import pages
from breakeven.store.errors import UserError
from tests.publish.example import put_finding


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ("{{ here.effect( }}", "line 3: unexpected '}'"),
        ("{{ hear }}", "line 3: 'hear' is undefined; numbers begin with here"),
        ("{{ here.medium() }}", "has no attribute 'medium'"),
        ("{{ here.effect }}", "line 3: effect wants brackets"),
        ("{{ 30 }}", "line 3: 30 is nothing that the notes can name"),
        ("{{ here }}", "is nothing that the notes can name"),
        ('{{ here.median("rate") }}', "missing 1 required positional argument: 'column'"),
        ('{{ here.median("rat", "max_lambda_H") }}', "line 3: one: no study is called 'rat'; there are: rate, size"),
        ('{{ here.median("rate", "max") }}', "no column of runs.csv is called 'max'; there are: run, "),
        ('{{ here.having("rate", "max") }}', "no column of runs.csv is called 'max'"),
        ('{{ here.runs("rate", beta=1) }}', "no column of runs.csv is called 'beta'"),
        ('{{ here.mean("rate", "run") }}', "line 3: must be real number"),
        ('{{ here.paper("C9", "η = 0.1") }}', "no claim is called 'C9'"),
        ("{% macro m() %}\n{{ 1 / 0 }}{% endmacro %}{{ m() }}", "line 4: division by zero"),
        ('{% include "other" %}', "line 3: "),
    ],
)
def test_a_mistake_is_told(tmp_path, notes, words):
    put_finding(tmp_path / "one", f"# Heading\n\n{notes}\n")
    with pytest.raises(UserError) as error:
        pages(tmp_path)
    assert str(error.value).startswith(f"'{tmp_path}/one/notes.md.jinja', line ") and words in str(error.value)


def test_mistakes_in_those_of_the_summary(tmp_path):
    put_finding(tmp_path / "one")
    notes = tmp_path / "notes.md.jinja"
    notes.write_text('# Heading\n\n{{ of("two").effect("C1", "rate") }}')
    with pytest.raises(UserError, match=r"line 3: the notes: no finding is called 'two'; there are: one"):
        pages(tmp_path)
    notes.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"notes.md.jinja': 'utf-8' codec can't decode"):
        pages(tmp_path)
