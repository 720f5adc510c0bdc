"""The programs of ``benchmarks/`` run, on random pictures and a tiny network. What they measure is not tested here."""

import importlib
import re
import runpy
import sys
from html import unescape
from pathlib import Path

import pytest
import torch

from tests.spectra.oracles import dense_hessian, examples, tiny_cnn

FOLDER = Path(__file__).parent.parent / "benchmarks"
TINY = ["--data", "random", "--network", "tiny", "--repeats", "2", "--images", "8"]
HESSIAN = ["--snapshots", "2", "--every", "2", "--confirm", "1"]
RUNS = {
    "hessian": [*TINY, *HESSIAN, "--tasks", "1"],
    "covariance": [*TINY, "--batches", "3", "--batch-size", "4", "--chunk", "5"],
    "stability": TINY,
    "step": TINY,
    "scaling": [*TINY, "--runs", "100", "--snapshots", "4"],
    "planning": ["--repeats", "1", "--runs", "3"],
}


@pytest.fixture
def program(monkeypatch, capsys):
    """Run a program in this process, which has imported torch already; returns what it printed."""
    monkeypatch.syspath_prepend(FOLDER)
    threads = torch.get_num_threads()

    def run(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(FOLDER / f"{name}.py"), *arguments])
        runpy.run_path(sys.argv[0], run_name="__main__")
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)
    for helper in ("common", "solvers", "planning", "stability"):
        sys.modules.pop(helper, None)


def tables(output: str) -> list[list[str]]:
    """The cells of all lines of all Markdown tables, headers included."""
    lines = [line for line in output.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_all_of_them_in_one_command(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(FOLDER)
    everything = importlib.import_module("all")
    assert {f"{program}.py" for program, *_ in everything.PROGRAMS.values()} <= {path.name for path in FOLDER.iterdir()}
    (tmp_path / "one.py").write_text("print('A machine.\\n\\n| a | b |\\n|---|---:|\\n| **x** | 1 **not reached** |')")
    (tmp_path / "two.py").write_text("raise SystemExit('no data')")
    monkeypatch.setattr(everything, "__file__", str(tmp_path / "all.py"))
    assert everything.run("one", ["one"], tmp_path) and not everything.run("two", ["two", "--option"], tmp_path)
    assert (tmp_path / "one-1.csv").read_bytes() == b"a,b\nx,1 not reached\n"
    for helper in ("all", "common"):
        sys.modules.pop(helper, None)


def test_pictures_are_drawn_from_the_tables_that_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["charts.py", "--out", str(tmp_path)])
    runpy.run_path(str(FOLDER / "charts.py"), run_name="__main__")
    speed, growth = ((tmp_path / f"{name}.svg").read_text() for name in ("speed", "growth"))
    assert {"A study of 25 runs, by stage", "train", "breakeven", "centralflows' LOBPCG, warm"} <= texts(speed)
    assert any(text.startswith("a product with H: D^0.") for text in texts(growth))
    kept = FOLDER.parent / "docs"
    assert texts(speed) == texts((kept / "speed.svg").read_text()), "run: python benchmarks/charts.py"
    assert texts(growth) == texts((kept / "growth.svg").read_text()), "run: python benchmarks/charts.py"


def texts(picture: str) -> set[str]:
    """All that is written in an SVG, indices without their place."""
    written = re.findall(r"<text[^>]*>(.*?)</text>", picture, re.DOTALL)
    return {unescape(re.sub(r"<[^>]*>", "", text)) for text in written}


@pytest.mark.parametrize("name", [*RUNS, "memory"])
def test_help(name, program, capsys):
    with pytest.raises(SystemExit) as ended:
        program(name, "--help")
    assert ended.value.code == 0
    assert "--data" in (text := capsys.readouterr().out) and "--device" in text


@pytest.mark.parametrize("name", RUNS)
def test_program_prints_tables(name, program):
    printed = program(name, *RUNS[name])
    assert len({len(row) for row in tables(printed)}) <= 2  # covariance has two tables
    assert "nan" not in printed.lower()
    assert "torch 2." in printed and "threads of torch" in printed


def test_five_eigenvalues_are_accurate(program):
    printed = program("hessian", *TINY, *HESSIAN, "--tasks", "5", "--peers", "eigenthings")
    _, ours, peer = tables(printed)
    assert ours[0] == "**breakeven**" and peer[0] == "hessian-eigenthings"
    assert float(ours[4]) <= 1e-3


def test_every_way_to_lobpcg_finds_what_the_dense_matrix_has(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    solvers = importlib.import_module("solvers")
    model, (inputs, targets) = tiny_cnn().double(), examples(20)
    exact, vectors = torch.linalg.eigh(dense_hessian(model, [(inputs, targets)]))
    draws = torch.Generator().manual_seed(0)
    near = vectors[:, -1:].T + 0.02 * torch.randn(1, len(exact), generator=draws, dtype=torch.float64)
    problem = solvers.Problem(model, model.state_dict(), inputs, targets, 0, near, float(exact[-1]))
    for name in ("torch_lobpcg", "centralflows", "scipy_lobpcg"):
        answer = getattr(solvers, name)(problem, 1, {"tol": 1e-6 if name != "centralflows" else solvers.CENTRALFLOWS})
        assert float(answer.values[0]) == pytest.approx(float(exact[-1]), rel=1e-8), name
        assert answer.matvecs > 3, name
    loose = solvers.torch_lobpcg(problem, 1, {"tol": solvers.centralflows_tolerance(1e-6, len(exact))})
    assert loose.matvecs < solvers.torch_lobpcg(problem, 1, {"tol": 1e-6}).matvecs
    sys.modules.pop("solvers", None)


def test_digits_take_the_place_of_the_pictures(program):
    printed = program("hessian", "--digits", "--snapshots", "1", "--confirm", "0", "--tasks", "1", "--peers", "SciPy's")
    assert "25,274 parameters, 287 pictures of digits" in printed and "20 steps apart" in printed
    assert float(tables(printed)[-1][4]) <= 1e-3


def test_peers_that_are_not_installed_are_named(program, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(importlib.import_module("common"), "version_of", lambda name: None)
    rows = tables(program("hessian", *TINY, *HESSIAN, "--tasks", "1", "--confirm", "0"))
    assert len(rows) == 9 and all(row[1] == "not installed" for row in rows[2:])


def test_missing_pictures_are_one_clear_line(program, monkeypatch, tmp_path):
    monkeypatch.setenv("BREAKEVEN_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"^CIFAR-10 as JPEG files is needed: '.*' does not exist; give --data .*$"):
        program("stability")
