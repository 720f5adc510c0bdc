import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from breakeven.__main__ import main
from breakeven.config import code_digest
from breakeven.store.record import recorded_key

PACKAGE = Path(code_digest.__file__).parents[1]
TRAIN = ["breakeven.training.train", "breakeven.networks.simple_cnn"]


def clear_caches():
    code_digest._imports.cache_clear()
    code_digest._code.cache_clear()


def digest(modules, files=()):
    clear_caches()
    return code_digest.code_digest(modules, files)


@pytest.fixture(autouse=True)
def without_caches():
    clear_caches()
    yield
    clear_caches()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package that can be edited."""
    folder = tmp_path / "breakeven"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_digest, "PACKAGE", folder)
    return folder


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A package of a few lines: ``small({path: text})`` writes modules and returns the digest of ``pkg.a``."""
    folder = tmp_path / "pkg"
    monkeypatch.setattr(code_digest, "PACKAGE", folder)

    def write(modules):
        for name, text in ({"__init__.py": ""} | modules).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return digest(["pkg.a"])

    return write


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path}: {old}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


CODE = '''\
"""A module."""
import os

TEXT = """one
# no comment

three"""


class A:
    """A class."""

    x = "#1"

    def f(self):  # f
        """A method,
        explained.
        """
        return {
            "a": 1,  # one

            "b": """2
            """,
        }
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another\n\ntext."""'),
        ('"""A module."""\n', ""),
        ('"""A module."""', '# first\n"""A module."""  # a comment behind it'),
        ('    """A class."""\n\n', ""),
        ("explained.", "explained\n\n\n        # at length."),
        ("  # f", ""),
        ("  # one", "  # eins"),
        ("  # one\n\n", "\n"),
        ("import os\n", "import os\n\n\n\n"),
        ("import os\n", "import os   \n"),
        ("        return {", "# left of the code\n        return {"),
        ("        }\n", "        }\n# the end"),
    ],
)
def test_what_changes_nothing(small, old, new):
    assert CODE.count(old) == 1
    assert small({"a.py": CODE}) == small({"a.py": CODE.replace(old, new)})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import os", "import sys"),
        ('"a": 1', '"a": 2'),
        ("# no comment\n", "\n"),  # this one is in a string
        ("# no comment", "# No comment"),
        ("\n\nthree", "\nthree"),  # and so is this blank line
        ("one\n# no", "one \n# no"),  # and this space
        ('"#1"', '"#2"'),
        ('"""2\n', '"""2 \n'),
        ("        }\n", "        }\n\n    y = 1\n"),
    ],
)
def test_what_changes_the_digest(small, old, new):
    assert CODE.count(old) == 1
    assert small({"a.py": CODE}) != small({"a.py": CODE.replace(old, new)})


CAPTION = '''\
"""A figure."""

CAPTION = (
    "One sentence, "
    "and more."  # a comment
)
ORDER = 1
'''


@pytest.mark.parametrize(
    "caption", ['CAPTION = "Better."', 'CAPTION = """In\n\nlines."""', 'CAPTION = ("a" "b")', "# no caption"]
)
def test_a_better_caption_changes_nothing(small, caption):
    start, end = CAPTION.index("CAPTION"), CAPTION.index("ORDER")
    assert small({"a.py": CAPTION}) == small({"a.py": f"{CAPTION[:start]}{caption}\n{CAPTION[end:]}"})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('CAPTION = "a"; x = 1', 'CAPTION = "a"; x = 2'),
        ("CAPTION = text(1)", "CAPTION = text(2)"),
        ('CAPTION += "a"', 'CAPTION += "b"'),
        ('CAPTIONS = "a"', 'CAPTIONS = "b"'),
        ('if x:\n    CAPTION = "a"', 'if x:\n    CAPTION = "b"'),
        ("ORDER = 1", "ORDER = 2"),
    ],
)
def test_what_only_looks_like_a_caption_counts(small, first, second):
    assert small({"a.py": first + "\n"}) != small({"a.py": second + "\n"})


def test_code_beside_a_docstring_counts(small):
    assert small({"a.py": 'class A: "a"; x = 1\n'}) != small({"a.py": 'class A: "a"; x = 2\n'})
    assert small({"a.py": '"a"; x = 1\n'}) != small({"a.py": '"a"; x = 2\n'})


def test_odd_characters_shift_no_line(small):
    """Some characters end a line for `str.splitlines` but not for Python."""
    text = 'A = "\x0c\u2028"\nB = "é"  # {}\nC = {}\n'
    assert small({"a.py": text.format("one", 1)}) == small({"a.py": text.format("two", 1)})
    assert small({"a.py": text.format("one", 1)}) != small({"a.py": text.format("one", 2)})


@pytest.mark.parametrize(
    "statement",
    [
        "from pkg import b",
        "from pkg.b import x",
        "import pkg.b",
        "import pkg.b as other",
        "def f():\n    from pkg.b import x",
        "if True:\n    import pkg.b",
        "from pkg import c",  # which imports b
    ],
)
def test_imported_modules_count(small, statement):
    modules = {"a.py": statement + "\n", "b.py": "x = 1\n", "c.py": "import pkg.b\n", "d.py": "x = 1\n"}
    before = small(modules)
    assert small({"b.py": "x = 2\n"}) != before
    assert small({"b.py": "x = 1  # one\n"}) == before
    assert small({"d.py": "x = 2\n"}) == before


def test_packages_of_imported_modules_count(small):
    before = small({"a.py": "import pkg.sub.b\n", "sub/__init__.py": "", "sub/b.py": ""})
    assert small({"sub/__init__.py": "x = 1\n"}) != before
    assert small({"__init__.py": "x = 1\n", "sub/__init__.py": ""}) == before  # it holds the version alone


def test_a_circle_of_imports_ends(small):
    before = small({"a.py": "import pkg.b\n", "b.py": "import pkg.a\nx = 1\n"})
    assert small({"b.py": "import pkg.a\nx = 2\n"}) != before


def test_relative_imports_are_refused(small):
    with pytest.raises(AssertionError, match="absolute"):
        small({"a.py": "from .b import x\n", "b.py": "x = 1\n"})


def test_the_same_code_elsewhere_is_the_same(copy, monkeypatch):
    in_copy = digest(TRAIN)
    assert in_copy == digest(TRAIN) == digest(reversed(TRAIN))
    assert len(in_copy) == 12
    monkeypatch.setattr(code_digest, "PACKAGE", PACKAGE)
    assert digest(TRAIN) == in_copy


def test_comments_and_docstrings_of_the_package_change_nothing(copy):
    stages = [TRAIN, ["breakeven.measurements.covariance"], ["breakeven.summary.summarise"], ["breakeven.data.prepare"]]
    before = [digest(stage) for stage in stages]
    for path in copy.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""')
        path.write_text('"""Another docstring.' + text[3:] + "\n\n# the end\n", encoding="utf-8")
    assert [digest(stage) for stage in stages] == before


@pytest.mark.parametrize(
    "registry",
    ["networks/registry.py", "data/registry.py", "figures/registry.py", "training/registry.py", "specs/purposes.py"],
)
def test_registries_change_nothing(copy, registry):
    stages = [TRAIN, ["breakeven.data.prepare", "breakeven.data.digits"], ["breakeven.figures.plot"]]
    before = [digest(stage) for stage in stages]
    with (copy / registry).open("a") as file:
        file.write("\nmore = 1\n")
    assert [digest(stage) for stage in stages] == before


def test_templates_count(copy):
    files = ["report/report.css", "report/report.html.jinja"]
    before = digest(["breakeven.report.build"], files)
    assert digest(["breakeven.report.build"], reversed(files)) == before
    assert digest(["breakeven.report.build"]) != before
    edit(copy / "report/report.css", "{", "{ ")
    assert digest(["breakeven.report.build"], files) != before


def test_a_network_changes_the_training_of_its_own_runs_alone(copy):
    shutil.copy(copy / "networks/simple_cnn.py", copy / "networks/other.py")
    other = ["breakeven.training.train", "breakeven.networks.other"]
    before = digest(TRAIN), digest(other)
    edit(copy / "networks/other.py", "MaxPool2d(2)", "AvgPool2d(2)")
    assert digest(TRAIN) == before[0]
    assert digest(other) != before[1]
    edit(copy / "networks/simple_cnn.py", "MaxPool2d(2)", "AvgPool2d(2)")
    assert digest(TRAIN) != before[0]


def test_editing_a_measurement_or_a_figure_trains_nothing(copy):
    before = digest(TRAIN)
    rooms = ("claims", "config", "figures", "jobs", "measurements", "report", "spectra", "summary")
    edited = [
        *(path for room in rooms for path in (copy / room).rglob("*.py")),
        copy / "__main__.py",
        copy / "specs/run.py",
        *(copy / "data" / name for name in ("prepare.py", "digits.py", "cifar10.py", "image_folder.py")),
    ]
    for path in edited:
        path.write_text(path.read_text(encoding="utf-8") + "\nmore = 1\n", encoding="utf-8")
    assert digest(TRAIN) == before
    edit(copy / "training/evaluation.py", "EXAMPLES, NUMBERS = 1000", "EXAMPLES, NUMBERS = 500")
    assert digest(TRAIN) != before


def test_the_two_measurements_are_apart():
    covariance = code_digest.closure(["breakeven.measurements.covariance"])
    hessian = code_digest.closure(["breakeven.measurements.hessian"])
    assert not {module for module in covariance if "hessian" in module or "lanczos" in module}
    assert "breakeven.spectra.gram_spectrum" not in hessian
    for closure in (covariance, hessian):
        assert "breakeven.training.train" not in closure
        assert not {module for module in closure if module.startswith("breakeven.figures")}


LOADED = """
import importlib, json, multiprocessing, sys
import pandas, torch, torch.nn  # imported once, before the processes part

def loaded(modules):
    for module in modules:
        importlib.import_module(module)
    return [name for name in sys.modules if name.split(".")[0] == "breakeven"]

with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
    print(json.dumps(pool.map(loaded, json.loads(sys.argv[1]), chunksize=1)))
"""


def test_what_python_imports_is_covered():
    """The oracle is Python itself: what an import of the stage really loads."""
    stages = [
        TRAIN,
        ["breakeven.measurements.covariance"],
        ["breakeven.measurements.hessian"],
        ["breakeven.measurements.stability"],
        ["breakeven.summary.summarise"],
        ["breakeven.data.prepare", "breakeven.data.digits"],
        ["breakeven.figures.plot", "breakeven.figures.maxima"],
        ["breakeven.report.build"],
    ]
    output = subprocess.check_output([sys.executable, "-c", LOADED, json.dumps(stages)], text=True)
    for stage, loaded in zip(stages, json.loads(output), strict=True):
        assert set(stage) < set(loaded)
        assert {module for module in loaded if not code_digest._is_uncounted(module)} <= code_digest.closure(stage), (
            stage
        )


# ------------------------------------------------------------------ edited while jobs are waiting


def planned(modules=TRAIN):
    clear_caches()
    code_digest.code_of.cache_clear()
    code_digest._once_listed.cache_clear()
    return code_digest.code_of(tuple(modules))


def is_unchanged(code):
    clear_caches()
    return code.is_unchanged()


def test_code_that_was_edited_since_it_was_planned(copy):
    """And put back: it is the same again, whatever the times say. Comments, and code of others, are no edit."""
    code, path = planned(), copy / "training/train.py"
    before = path.read_text(encoding="utf-8")
    assert is_unchanged(code)
    for text, unchanged in ((f"{before}\nEDITED = 1\n", False), (f"{before}\n# edited\n", True), (before, True)):
        path.write_text(text, encoding="utf-8")
        assert is_unchanged(code) == unchanged
    (copy / "claims/evaluate.py").write_text("EDITED = 1\n", encoding="utf-8")
    assert is_unchanged(code)


def test_nothing_is_read_where_nothing_was_edited(copy, monkeypatch):
    code = planned()
    monkeypatch.setattr(code_digest, "code_digest", lambda *given: pytest.fail("read"))
    assert is_unchanged(code)


def test_own_code_that_was_edited_since_it_was_planned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text("EDITED = 0\n", encoding="utf-8")
    code = planned([*TRAIN, "my.py"])
    assert is_unchanged(code)
    (tmp_path / "my.py").write_text("EDITED = 1\n", encoding="utf-8")
    assert not is_unchanged(code)


def test_a_job_records_nothing_that_other_code_made(tmp_path, capsys):
    """It makes what it was asked for all the same; the next Snakemake makes it again."""
    code = planned(["breakeven.data.prepare", "breakeven.data.digits"])
    spec = json.dumps({"loader": "digits", "train_examples": 20, "test_examples": 10, "measured_fraction": 0.5})
    for digest, recorded in ((code.digest, True), ("another", False)):
        given = json.dumps(asdict(replace(code, digest=digest, listing="another")))
        arguments = ["prepare", "--spec", spec, "--out", str(tmp_path), "--key", "a key", "--code", given]
        assert main(arguments) == 0
        assert (recorded_key(tmp_path / "manifest.json") == "a key") == recorded
        assert ("the code was edited since this was planned" in capsys.readouterr().err) != recorded
