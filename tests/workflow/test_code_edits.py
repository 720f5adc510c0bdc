"""The promise: an edit of the code reruns the stages that run this code; comments and docstrings rerun nothing."""

import ast
import base64
import json

import pytest

from breakeven.config.code_digest import code_digest
from tests.workflow.project import (
    CLAIMS,
    FIGURES,
    MEASUREMENTS,
    REPORT,
    STUDIES,
    add_network,
    figures,
    measure,
    studies_again,
    train,
)

pytestmark = pytest.mark.workflow

STATEMENT = "\nEDITED = True\n"


def with_other_docstrings(source: str) -> str:
    """``source`` with a word put in front of every docstring."""
    lines = source.splitlines(keepends=True)
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, holders) and ast.get_docstring(node)]
    for node in nodes:
        start = node.body[0]
        line = lines[start.lineno - 1]
        at = line.index('"""', start.col_offset) + 3
        lines[start.lineno - 1] = f"{line[:at]}Edited. {line[at:]}"
    assert nodes
    return "".join(lines)


def test_comments_and_docstrings_everywhere(project):
    modules = sorted((project.folder / "breakeven").rglob("*.py"))
    rules = [project.folder / "Snakefile", *sorted((project.folder / "workflow/rules").glob("*.smk"))]
    settings = [
        project.folder / "workflow/schemas/config.schema.yaml",
        project.folder / "profiles/default/profile.yaml",
    ]
    assert len(modules) > 30 and len(rules) > 5
    for path in modules:
        source = path.read_text(encoding="utf-8")
        path.write_text(f"# first\n{with_other_docstrings(source)}\n\n# last\n", encoding="utf-8")
    for path in [*rules, *settings, project.folder / "config.yaml"]:
        path.write_text("# first\n" + path.read_text(encoding="utf-8") + "\n# last\n", encoding="utf-8")
    assert project.plan() == set()


def everything_from(*rules):
    """A function that gives the jobs of ``rules`` for all runs, and what follows."""
    return lambda project: measure(project.runs, rules) | studies_again(*STUDIES)


MEASURED = everything_from(*MEASUREMENTS)
TRAINED = everything_from("train_run", *MEASUREMENTS)
# the stability is measured along the eigenvectors of H
OF_H = everything_from("measure_hessian", "measure_stability")


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("training/train.py", TRAINED),
        ("networks/build.py", TRAINED),
        ("measurements/measured.py", MEASURED),
        ("measurements/covariance.py", everything_from("measure_covariance")),
        ("spectra/gram_spectrum.py", everything_from("measure_covariance")),
        ("measurements/hessian.py", OF_H),
        ("spectra/lanczos.py", OF_H),
        ("measurements/stability.py", everything_from("measure_stability")),
        ("spectra/equation_1.py", everything_from("measure_stability")),
        ("summary/summarise.py", lambda project: studies_again(*STUDIES)),
        ("claims/evaluate.py", lambda project: CLAIMS | REPORT),
        ("claims/catalogue.py", lambda project: CLAIMS | REPORT),
        ("figures/plot.py", lambda project: figures(*STUDIES) | REPORT),
        ("figures/page.html.jinja", lambda project: figures(*STUDIES) | REPORT),
        ("figures/lambda_K.py", lambda project: {f"plot_figure {study}/lambda_K" for study in STUDIES} | REPORT),
        ("figures/maxima.py", lambda project: {f"plot_figure {study}/maxima" for study in STUDIES} | REPORT),
        ("report/build.py", lambda project: REPORT),
        ("report/report.html.jinja", lambda project: REPORT),
        ("report/report.css", lambda project: REPORT),
        ("report/report.js", lambda project: REPORT),
    ],
)
def test_the_source_of(project, module, expected):
    project.append(STATEMENT, f"breakeven/{module}")
    assert project.plan() == expected(project)


@pytest.mark.parametrize("module", ["data/prepare.py", "data/digits.py"])
def test_the_source_of_the_data_set(project, module):
    project.append(STATEMENT, f"breakeven/{module}")
    [dataset] = [path.name for path in (project.folder / "results/data").iterdir()]
    assert project.plan() == {f"prepare_dataset {dataset}"} | TRAINED(project)


def test_the_source_of_what_no_job_depends_on(project):
    for module in ("data/cifar10.py", "data/image_folder.py", "figures/lambda_H.py"):  # not used by this config
        project.append(STATEMENT, f"breakeven/{module}")
    for module in ("config/validate.py", "config/plan.py"):  # what they decide is seen in the runs' specifications
        project.append(STATEMENT, f"breakeven/{module}")
    for module in (
        "config/code_digest.py",
        "__main__.py",
        "store/files.py",
        "store/tables.py",
        "jobs/locks.py",
        "specs/run.py",
    ):
        project.append(STATEMENT, f"breakeven/{module}")
    assert project.plan() == set()


def test_the_source_of_a_network(project):
    runs = project.runs_with(network="twin")
    assert len(runs) == 1
    project.append(STATEMENT, "breakeven/networks/twin.py")
    assert project.plan() == train(runs) | measure(runs) | studies_again("network")


def test_one_more_network(project):
    add_network(project, "triplet")
    assert project.plan() == set()
    project.edit("[simple_cnn, twin]", "[simple_cnn, twin, triplet]")
    new = project.new_runs(project.runs_with(network="twin"), network="triplet")
    assert project.plan() == train(new) | measure(new) | studies_again("network")


def test_one_more_figure(project):
    figures = project.folder / "breakeven/figures"
    (figures / "new.py").write_text((figures / "lambda_K.py").read_text(encoding="utf-8"), encoding="utf-8")
    assert project.plan() == {f"plot_figure {study}/new" for study in STUDIES} | REPORT


def test_the_caption_of_a_figure(project):
    project.edit(
        "The largest values attained along the trajectory against", "A better text:", "breakeven/figures/maxima.py"
    )
    assert project.plan() == REPORT


def test_jobs_run_the_code_that_was_planned(project):
    """The package beside the Snakefile, and not the one that is installed."""
    project.edit("Spectral norm of the covariance of gradients", "A new title", "breakeven/figures/lambda_K.py")
    target = "results/figures/rate/lambda_K.svg"
    assert "A new title" not in (project.folder / target).read_text(encoding="utf-8")
    assert project.run(target) == {"plot_figure rate/lambda_K"}
    assert "A new title" in (project.folder / target).read_text(encoding="utf-8")
    assert project.plan() == {"plot_figure network/lambda_K"} | REPORT


def test_each_rule_records_the_digest_of_its_stage(project):
    run, [data] = next(iter(project.runs)), list((project.folder / "results/data").iterdir())
    network = f"breakeven.networks.{project.runs[run].network}"
    templates = [f"report/report.{suffix}" for suffix in ("html.jinja", "css", "js")]
    plot = ["breakeven.figures.plot", f"breakeven.figures.{FIGURES[0]}"]
    digests = {
        f"data/{data.name}/manifest.json": ("prepare", ["breakeven.data.prepare", "breakeven.data.digits"]),
        f"runs/{run}/training.json": ("train", ["breakeven.training.train", network]),
        f"runs/{run}/covariance.csv": ("covariance", ["breakeven.measurements.covariance", network]),
        f"runs/{run}/hessian.csv": ("hessian", ["breakeven.measurements.hessian", network]),
        f"runs/{run}/stability.csv": ("stability", ["breakeven.measurements.stability", network]),
        "tables/rate/runs.csv": ("summarise", ["breakeven.summary.summarise"]),
        "tables/claims.csv": ("claims", ["breakeven.claims.evaluate"]),
        f"figures/rate/{FIGURES[0]}.svg": ("plot", plot, ["figures/page.html.jinja"]),
        "report.html": ("report", ["breakeven.report.build"], templates),
    }
    for output, (stage, *code) in digests.items():
        name = base64.urlsafe_b64encode(f"results/{output}".encode()).decode()
        record = json.loads((project.folder / ".snakemake/metadata" / name).read_text(encoding="utf-8"))
        assert repr(f"{stage}:{code_digest(*code)}") in record["params"], output
        for untracked in ("cpu", project.folder, "results"):
            assert repr(str(untracked)) not in record["params"], output
