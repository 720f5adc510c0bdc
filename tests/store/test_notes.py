import pytest

from breakeven.store.errors import UserError
from breakeven.store.notes import Note, cell, notes_of


def test_a_cell_holds_codes_and_gives_back_the_notes():
    for notes in ([], [Note.H_ZERO], [Note.NO_CONDITION, Note.NEXT_LOSS_NOT_FINITE]):
        assert notes_of(cell(notes)) == notes
    assert cell([Note.NO_CONDITION, Note.NEXT_LOSS_NOT_FINITE]) == "lhs:no_condition; loss:next_not_finite"
    assert notes_of(float("nan")) == notes_of(None) == notes_of("") == []


OPTIONAL = {"sharpness", "interaction", "batch_lambda_1", "plateau", "e_H"}


def test_codes_and_sentences_are_each_one():
    """A code that two notes share would be read back as the other."""
    assert len({note.code for note in Note}) == len({note.sentence for note in Note}) == len(Note)
    assert {note.subject for note in Note} == {"K", "H", "P", "lhs", "lambda_1", "loss", "steps", *OPTIONAL}
    assert not any(";" in note.code or " " in note.code for note in Note)


def test_a_note_of_another_version_is_told():
    with pytest.raises(UserError, match=r"^there is no note 'lhs:foo': the table is another version's; delete it"):
        notes_of("K:zero; lhs:foo")
