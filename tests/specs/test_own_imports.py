"""Code of the user's own with its helpers: what counts, what is imported, and what is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from breakeven.config import code_digest
from breakeven.specs import own_imports
from breakeven.specs.own_code import own_source
from breakeven.specs.source import source
from breakeven.store.errors import UserError

GIVEN = ("input_shape", "classes")
BUILD = "\ndef build(input_shape, classes, *, width: int = 3):\n    return {}\n"


@pytest.fixture(autouse=True)
def without_caches(monkeypatch):
    """Each test is as a process of its own."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(own_imports, "_folders", set())
    monkeypatch.setattr(own_imports, "_needed", set())
    loaded = set(sys.modules)
    clear_caches()
    yield
    clear_caches()
    for name in sys.modules.keys() - loaded:
        del sys.modules[name]


def clear_caches():
    for cached in (own_imports._helpers, source, code_digest._imports, code_digest._code):
        cached.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(files):
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    clear_caches()


def digest(files, own="nets/my.py"):
    write(files)
    return code_digest.code_digest([own])


def told(files, own="nets/my.py"):
    write(files)
    with pytest.raises(UserError) as caught:
        own_source(f"{own}:build", GIVEN)
    assert str(caught.value).isprintable()
    return str(caught.value)


# ---------------------------------------------------------------- the digest

HELPERS = {
    "nets/helper.py": "noise = 1\n",
    "nets/other.py": "import helper\n",
    "nets/pkg/__init__.py": "",
    "nets/pkg/sub.py": "from . import near\nfrom .near import y\nx = 1\n",
    "nets/pkg/near.py": "y = 1\n",
    "nets/plain/deep/sub.py": "x = 1\n",  # without an __init__.py
    "atop/sub.py": "x = 1\n",
}


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        ("import helper", {"nets/helper.py"}),
        ("from helper import noise", {"nets/helper.py"}),
        ("def f():\n    from helper import noise", {"nets/helper.py"}),
        ("import other as o", {"nets/other.py", "nets/helper.py"}),
        ("import pkg", {"nets/pkg/__init__.py"}),
        ("import pkg.sub", {"nets/pkg/__init__.py", "nets/pkg/sub.py", "nets/pkg/near.py"}),
        ("from pkg import sub", {"nets/pkg/__init__.py", "nets/pkg/sub.py", "nets/pkg/near.py"}),
        ("from pkg.near import y", {"nets/pkg/__init__.py", "nets/pkg/near.py"}),
        ("from plain.deep import sub", {"nets/plain/deep/sub.py"}),
        ("import atop.sub", {"atop/sub.py"}),  # in the working folder
        ("import nothing, numpy, random, torch.nn, breakeven.data.splits", set()),
    ],
)
def test_what_lies_beside_and_is_imported_counts(folder, statement, counted):
    before = digest(HELPERS | {"nets/my.py": statement + BUILD})
    for name, text in HELPERS.items():
        edited = digest({name: text + "more = 1\n"})
        assert (edited != before) == (name in counted), name
        assert digest({name: text + "# a comment\n"}) == before


@pytest.mark.parametrize("name", ["random", "torch", "yaml", "breakeven"])
def test_what_only_has_the_name_of_something_else_does_not_count(folder, name):
    before = digest({"nets/my.py": f"import {name}" + BUILD, f"nets/{name}.py": "x = 1\n"})
    assert digest({f"nets/{name}.py": "x = 2\n"}) == before


def test_what_lies_beside_the_file_comes_before_the_working_folder(folder):
    before = digest({"nets/my.py": "import helper" + BUILD, "nets/helper.py": "x = 1\n", "helper.py": "x = 1\n"})
    assert digest({"helper.py": "x = 2\n"}) == before
    assert digest({"nets/helper.py": "x = 2\n"}) != before


def test_a_circle_ends_and_nothing_is_run(folder):
    modules = {"my.py": "import helper" + BUILD, "helper.py": "import my\nopen('ran', 'w')\n", "pkg/__init__.py": ""}
    before = digest(modules, "my.py")
    assert digest({"helper.py": "import my\nopen('ran', 'w')\nx = 2\n"}, "my.py") != before
    own_source("my.py:build", GIVEN)
    assert not Path("ran").exists()


def test_files_are_read_once(folder, monkeypatch):
    write(HELPERS | {"nets/my.py": "import other" + BUILD})
    read = []
    reading = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or reading(path))
    for _ in range(100):
        own_source("nets/my.py:build", GIVEN)
        code_digest.code_digest(["nets/my.py"])
    assert sorted(set(read)) == ["helper.py", "my.py", "other.py"]
    assert len(read) <= 4 * 3


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"nets/my.py": "from .helper import noise" + BUILD},
            "'nets/my.py' can't be read: 'from .helper import noise' in line 1 is a relative import, and the file is in no "
            "package; write 'from helper import noise', which finds what lies beside the file",
        ),
        (
            {"nets/my.py": "\nfrom . import helper as h" + BUILD},
            "'nets/my.py' can't be read: 'from . import helper as h' in line 2 is a relative import, and the file is in no "
            "package; write 'import helper', which finds what lies beside the file",
        ),
        (
            {"nets/my.py": "import pkg.sub" + BUILD, "nets/pkg/sub.py": "from ..helper import noise\n"},
            "'nets/pkg/sub.py' can't be read: 'from ..helper import noise' in line 1 is a relative import, and the file is in "
            "no package; write 'from helper import noise', which finds what lies beside the file",
        ),
        (
            {"nets/my.py": "import helper" + BUILD, "nets/helper.py": "x = 1\ny = (\n"},
            "'nets/helper.py' can't be read: '(' was never closed (helper.py, line 2)",
        ),
        (
            {"nets/my.py": "import other" + BUILD, "nets/other.py": "import helper", "nets/helper.py": b"x = '\xe9'\n"},
            "'nets/helper.py' can't be read: invalid or missing encoding declaration",
        ),
        (
            {"nets/my.py": "import helper" + BUILD, "nets/helper.py": "# coding: klingon\n"},
            "'nets/helper.py' can't be read: unknown encoding: klingon",
        ),
    ],
)
def test_what_planning_tells(folder, files, message):
    assert told(files) == message


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + ("x = 'é'" + BUILD).encode(),
        ("# -*- coding: latin-1 -*-\nx = 'é'" + BUILD).encode("latin-1"),
        ("x = 'é'" + BUILD).replace("\n", "\r\n").encode(),
    ],
)
def test_files_that_python_reads_are_read(folder, text):
    before = digest({"my.py": text}, "my.py")
    assert list(own_source("my.py:build", GIVEN).options) == ["width"]
    assert digest({"my.py": text + b"# more\n"}, "my.py") == before
    assert digest({"my.py": text.replace("é".encode(), b"e").replace(b"\xe9", b"e")}, "my.py") != before


# ---------------------------------------------------------------- the import


def built(name):
    return own_source(name, GIVEN).imported()(None, None)


def test_files_of_the_same_name_in_two_folders(folder):
    dataclass = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n"
    )
    write({f"{name}/my.py": dataclass + BUILD.format(f"'{name}'") for name in ("a", "b")})
    of_other_tests = set(sys.modules)
    assert (built("a/my.py:build"), built("b/my.py:build"), built("a/my.py:build")) == ("a", "b", "a")
    new = sys.modules.keys() - of_other_tests
    assert len([name for name in new if name.startswith("own_code_my_")]) == 2


@pytest.mark.parametrize("files", [("a/same.py", "b/same.py"), ("a/same/sub.py", "b/same/sub.py")])
def test_helpers_of_the_same_name_in_two_folders_are_refused(folder, files):
    """Also where they are only imported when the function is called, and without an __init__.py."""
    write({name: f"x = '{name}'\n" for name in files})
    statement = "    import same\n" if files[0].endswith("same.py") else "    import same.sub\n"
    for name in ("a", "b"):
        write({f"{name}/my.py": BUILD.format("1").replace(":\n", f":\n{statement}")})
    assert built("a/my.py:build") == 1
    places = f"'same' is a module in '{folder}/[ab]' and one in '{folder}/[ab]'"
    message = f"^'b/my.py': {places}, of which one process can import only one"
    with pytest.raises(UserError, match=message):
        built("b/my.py:build")
    assert built("a/my.py:build") == 1


def test_a_file_in_the_folder_of_another_that_has_not_named_it(folder):
    """It is not silently taken for the helper of the same name."""
    write(
        {
            f"{name}/my.py": f"import {name}_helper\nimport {name}_helper" + BUILD.format(f"{name}_helper.x")
            for name in "ab"
        }
    )
    write({"a/a_helper.py": "x = 1\n", "a/b_helper.py": "x = 'wrong'\n", "b/b_helper.py": "x = 2\n"})
    assert built("a/my.py:build") == 1
    with pytest.raises(UserError, match="'b_helper' is a module in"):
        built("b/my.py:build")


IN_A_JOB = """
import json, sys
from breakeven.networks.registry import builder
print(json.dumps(builder(sys.argv[1])(None, None)))
"""


@pytest.mark.parametrize("beside", ["", "nets/"])
def test_in_a_process(folder, beside):
    """A job finds what lies beside the file wherever it runs, and random.py and torch.py of the user's own shadow nothing."""
    write(
        {
            f"{beside}my.py": "import random, helper, pkg.sub"
            + BUILD.format("[helper.x, pkg.sub.x, random.random() < 1]"),
            f"{beside}helper.py": "x = 1\n",
            f"{beside}pkg/sub.py": "x = 2\n",
            f"{beside}random.py": "raise SystemExit('shadowed')\n",
            f"{beside}torch.py": "raise SystemExit('shadowed')\n",
        }
    )
    (folder / "elsewhere").mkdir()
    package = str(Path(own_imports.__file__).parents[2])
    command = [sys.executable, "-c", IN_A_JOB, str(folder / f"{beside}my.py:build")]
    said = subprocess.check_output(command, cwd="elsewhere", env=os.environ | {"PYTHONPATH": package}, text=True)
    assert json.loads(said) == [1, 2, True]


def test_the_command_is_not_shadowed_by_files_in_the_working_folder(folder):
    (folder / "breakeven").symlink_to(Path(own_imports.__file__).parents[1])
    write({f"{name}.py": "raise SystemExit('shadowed')\n" for name in ("random", "numpy", "torch", "yaml")})
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "breakeven", "prepare", "--help"], env=environment, check=True)
