"""Nothing that a user may write reaches a shell unquoted: names with spaces, quotes and commands in them just work."""

import ast
import html
import json
import re
import shlex
import sys
from types import SimpleNamespace

import pytest
import yaml
from PIL import Image

from breakeven.config.plan import load_plan
from breakeven.specs.study import part_of
from tests.config.example import edited, plan_of
from tests.workflow.project import BUNDLE, CHECKOUT, CLAIMS, FIGURES, MEASUREMENTS, REPORT

pytestmark = pytest.mark.workflow

# What a shell sees without quotes can't be anything but a number or a word of ours.
UNQUOTED = {
    "{threads}",
    "{params.stage}",  # written in the rule
    "{wildcards.figure}",  # letters, digits and '_' by the wildcard's constraint
}


def commands():
    """The ``shell:`` text of each rule, by the name of its file."""
    found = {}
    for path in sorted(CHECKOUT.glob("workflow/rules/*.smk")):
        for text in re.findall(r"^ +shell:\n((?: {8,}.*\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[path.stem] = ast.literal_eval(f"({text})")
    return found


def test_every_placeholder_is_quoted():
    """Where a value holds braces itself, nothing happens: Snakemake fills the placeholders once (see the run below)."""
    texts = commands()
    assert len(texts) == 10
    assert "eval" not in " ".join(texts.values())
    for name, text in texts.items():
        for placeholder in re.findall(r"\{[^}]*\}", text):
            assert placeholder.endswith(":q}") or placeholder in UNQUOTED, f"{name}: {placeholder}"


STAGES = [("summarise", "study"), ("embed", "study"), ("claims", "studies"), ("report", "studies")]


@pytest.mark.parametrize(("rule", "many"), STAGES)
def test_thousands_of_runs_reach_a_command(snakemake_is_installed, tmp_path, monkeypatch, rule, many):
    """As an argument their list would be longer than the 128 KiB that Linux takes; Snakemake's own ``shell`` runs it."""
    from snakemake.shell import shell

    rates = ", ".join(str(count / 1000) for count in range(1, 2501))
    study = plan_of(tmp_path, edited(("[0.03, 0.1]", f"[{rates}]"))).studies["main"]
    assert len(study.points) == 5000
    content = json.dumps(part_of(study, "points"))
    assert len(content) > 2 * 128 * 1024
    monkeypatch.chdir(tmp_path)
    # a stage that says how much it was given, instead of one that needs the tables of 5,000 runs
    (tmp_path / "breakeven").mkdir()
    (tmp_path / "breakeven/__init__.py").touch()
    (tmp_path / "breakeven/__main__.py").write_text(f"""
import sys
arguments = sys.argv[1:]
print(arguments[0], arguments[arguments.index("--{many}") + 1], len(sys.stdin.read().strip()))
""")
    values = {"start": [sys.executable, "-m", "breakeven"], many: content}
    names = set(re.findall(r"\{params\.(\w+)", commands()[rule]))
    params = SimpleNamespace(**{name: values.get(name, f"a {name}") for name in names})
    places = {"params": params, "log": "a log", "output": "an output"}
    if rule == "embed":
        places["output"] = SimpleNamespace(table="a table")
    shell(commands()[rule], **places)
    assert (tmp_path / "a log").read_text() == f"{rule} - {len(content)}\n"


NASTY = """ü 数 'a' "b" $(touch pwned) `touch pwned` *?[a];&#%|<>!,:@=^\\"""
DESCRIPTION = f"{{x}} {{{{y}}}} {{output}} %s {NASTY} \n ü\0"
OWN = """
import math
from torch import nn

def build(input_shape, classes, *, width: int = 4):
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), width), nn.Tanh(), nn.Linear(width, classes))
"""


def write_pictures(folder):
    """Eight pictures of 6 x 6 for each of two classes to train on, two to test on."""
    for split, count in (("train", 8), ("test", 2)):
        for brightness, name in enumerate(("dark", NASTY)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                picture = Image.new("RGB", (6, 6), (100 * brightness + 9 * number, 20 * number, 30))
                picture.save(folder / split / name / f"{NASTY} {number}.png")


def test_names_of_all_kinds_work_and_run_nothing(fresh):
    """The folders of the project, the results and the pictures, the config, the user's own code, a description."""
    folder = fresh.folder.rename(fresh.folder.with_name(f"{{x}} {NASTY}"))
    project = type(fresh)(folder)
    config, results, pictures, own = (f"{{run}} {NASTY}.yaml", f"my results {NASTY}", f"{{y}} {NASTY}", f"{NASTY}.py")
    write_pictures(folder / pictures)
    (folder / own).write_text(OWN, encoding="utf-8")
    base = {"dataset": "pictures", "network": f"{own}:build", "learning_rate": 0.1, "batch_size": 4, "steps": 2}
    content = {
        "device": "cpu",
        "results": results,
        "datasets": {"pictures": {"loader": "image_folder", "path": pictures, "measured_fraction": 0.5}},
        "measurements": {"covariance": {"batch_size": 2}, "hessian": {"eigenvalues": 1, "max_matvecs": 9}},
        "studies": {"rate": {"description": DESCRIPTION, "base": base, "seeds": [0]}},
    }
    (folder / config).write_text(yaml.safe_dump(content), encoding="utf-8")
    executed = project.run("--configfile", config)
    assert len(executed) == 1 + 1 + len(MEASUREMENTS) + 1 + len(FIGURES) + len(CLAIMS | BUNDLE | REPORT)
    assert project.plan("--configfile", config) == set()
    assert not list(folder.rglob("pwned")) and not list(folder.parent.glob("*pwned"))

    page = (folder / results / "report.html").read_text(encoding="utf-8")
    shown = [html.unescape(each) for each in re.findall(r"<p class=\"study\">(.*?)</p>", page, re.DOTALL)]
    assert any(each.startswith(DESCRIPTION.rstrip("\0")) for each in shown)
    again = {html.unescape(each) for each in re.findall(r"Drawn by <code>(.*?)</code>", page)}
    assert len(again) == len(FIGURES)
    for command in again:  # to be pasted into a shell
        *_, named, target = shlex.split(command)
        assert (folder / named).samefile(folder / config)
        assert (folder / target).is_file()


def test_a_link_in_the_place_of_a_run_or_data_set(fresh, tmp_path):
    """What a job deletes and replaces would lie elsewhere. Links inside of a run's folder are replaced as files are."""
    fresh.edit("network: [simple_cnn, twin]", "network: [simple_cnn]")  # this checkout has no twin
    plan = load_plan(fresh.folder / "config.yaml")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "snapshots").mkdir(parents=True)
    made = [f"data/{min(plan.datasets)}", f"runs/{min(plan.runs)}"]
    for name in made:
        link = fresh.folder / "results" / name
        link.parent.mkdir(parents=True)
        link.symlink_to(elsewhere)
    said = fresh.snakemake("--cores", "1")
    assert said.returncode == 1
    assert said.stdout.splitlines()[1:] == [
        f"results/{name} is a link to '{elsewhere}', where jobs would delete and replace files: "
        "remove the link, and move there what it should show"
        for name in made
    ]
    assert list(elsewhere.iterdir()) == [elsewhere / "snapshots"]
