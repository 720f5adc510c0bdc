"""The list of figures is the folder itself."""

import subprocess
import sys
from importlib import import_module

import pandas as pd
import pytest

from breakeven.config.code_digest import closure
from breakeven.config.plan import plain
from breakeven.figures.labels import compared, label, with_schedules_in_words
from breakeven.figures.registry import FIGURES, NEEDS_EMBEDDING, NEEDS_PRECONDITIONER, ON_REQUEST, figures_in
from breakeven.specs.run import entry
from breakeven.specs.study import Study
from breakeven.specs.words import in_words
from breakeven.store.errors import UserError


def test_a_module_with_a_caption_is_a_figure_in_its_place(tmp_path):
    for name, text in {
        "later": 'CAPTION = "Later."\nORDER = 20\n',
        "first": 'CAPTION = ("Of two "\n    "parts.")\nORDER = 10\nON_REQUEST = True\n',
        "last": 'import not_there\nCAPTION = "No place."\n',
        "between": 'CAPTION = "Between."\nORDER = 12.5\nNEEDS_EMBEDDING = True\n',
        "shared": "ORDER = 1\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    found = figures_in(tmp_path)
    assert [(figure.name, figure.caption) for figure in found] == [
        ("first", "Of two parts."),
        ("between", "Between."),
        ("later", "Later."),
        ("last", "No place."),
    ]
    assert [figure.on_request for figure in found] == [True, False, False, False]
    assert [figure.needs_embedding for figure in found] == [False, True, False, False]


def test_what_is_computed_is_told_in_one_sentence(tmp_path):
    (tmp_path / "mine.py").write_text('CAPTION = "a".upper()\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.py': CAPTION must be written out, not computed"):
        figures_in(tmp_path)


def test_what_is_read_is_what_the_modules_say():
    for name, caption in FIGURES.items():
        module = import_module(f"breakeven.figures.{name}")
        assert caption == module.CAPTION and caption.endswith(".")
        assert getattr(module, "ON_REQUEST", False) == (name in ON_REQUEST)
        assert getattr(module, "NEEDS_EMBEDDING", False) == (name in NEEDS_EMBEDDING)
        assert getattr(module, "NEEDS_PRECONDITIONER", False) == (name in NEEDS_PRECONDITIONER)
        assert callable(module.chart)


def test_the_list_is_cheap():
    code = "import sys, breakeven.figures.registry; print({'altair', 'pandas', 'numpy'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.mark.parametrize("figure", FIGURES)
def test_no_figure_depends_on_another(figure):
    imported = {module.removeprefix("breakeven.figures.") for module in closure([f"breakeven.figures.{figure}"])}
    assert imported & FIGURES.keys() == {figure}


def test_what_multiplies_the_learning_rate_in_words():
    def words(*schedule):
        return in_words(0.1, [plain(entry(each)) for each in schedule])  # as tables have it

    warm_up = {"kind": "warm_up", "until": 2, "unit": "epoch"}
    assert words(warm_up, {"kind": "cosine"}) == "0.1, warm-up from 0 to epoch 2, cosine to 0"
    assert (
        words(warm_up | {"initial": 0.5}, {"at": 9, "learning_rate": 0.3})
        == "0.1, warm-up from 0.5 to epoch 2, 0.3 from step 9"
    )
    of_another = {"kind": "linear", "at": 1.5, "until": 3.0, "unit": "break_even", "of": 0.3, "final": 0.1}
    assert words(of_another) == "0.1, linear to 0.1 from 1.5 x break-even of 0.3 until 3 x break-even of 0.3"
    decay = {"kind": "step_decay", "every": 30, "factor": 0.1}
    assert words(decay) == "0.1, x 0.1 each 30 steps"
    assert words(decay | {"every": 1, "unit": "epoch"}) == "0.1, x 0.1 each epoch"
    assert words(decay | {"every": 2.0, "unit": "break_even"}) == "0.1, x 0.1 each 2 x break-even"


def test_schedules_are_told_in_words_with_the_learning_rate_that_they_begin_at():
    switches = '[{"at": 0.5, "learning_rate": 0.1, "unit": "break_even"}, {"at": 40, "learning_rate": 0.2}]'
    table = pd.DataFrame({"learning_rate": [0.03, 0.1, 0.03], "schedule": [switches, "[]", "[]"]})
    words = ["0.03, 0.1 from 0.5 x break-even, 0.2 from step 40", "0.1", "0.03"]
    assert with_schedules_in_words(table)["schedule"].tolist() == words
    assert with_schedules_in_words(table[["learning_rate"]]).columns.tolist() == ["learning_rate"]


def test_a_study_without_a_sweep_is_shown_by_its_learning_rate():
    assert compared(Study()) == ["learning_rate"]
    assert compared(Study(swept=("batch_size", "learning_rate"))) == ["batch_size", "learning_rate"]
    assert compared(Study(swept=("learning_rate", "schedule"))) == ["schedule"]
    names = [label(name) for name in ("learning_rate", "batch_size", "weight_decay")]
    assert names == ["learning rate η", "batch size S", "weight decay"]
