import pytest

from breakeven.report import durations


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 01 s"), (3599.8, "1 h 00 min"), (7265, "2 h 01 min")],
)
def test_durations_in_words(seconds, text):
    assert durations.duration(seconds) == text
