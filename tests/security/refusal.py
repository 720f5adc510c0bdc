"""What a user is told, for tests that go through many harmful files: an assertion on it names the file that was not refused."""

from collections.abc import Callable

from breakeven.store.errors import UserError


def refusal(call: Callable[[], object]) -> str:
    """The sentence in which ``call`` refuses what it is given: one line."""
    try:
        call()
    except UserError as error:
        assert "\n" not in str(error)
        return str(error)
    return "it is not refused"
