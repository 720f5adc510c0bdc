"""The promise: an edit of the code reruns the stages that run this code; comments and docstrings rerun nothing.

Which modules a stage runs is in ``tests/config/test_reruns.py``, for all of them. Here: that each rule names its stage's code,
and what follows from a stage that reruns.
"""

import ast

import pytest

from tests.workflow.project import (
    CLAIMS,
    MEASUREMENTS,
    OF_H,
    REPORT,
    STUDIES,
    add_network,
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


def everything_from(project, *rules):
    """The jobs of ``rules`` for all runs, and what follows."""
    return measure(project.runs, rules) | studies_again(*STUDIES)


def test_the_source_of_a_stage(project):
    """And what follows; the stability is measured along the eigenvectors of H."""
    [dataset] = [path.name for path in (project.folder / "results/data").iterdir()]
    trained = everything_from(project, "train_run", *MEASUREMENTS)
    twin = project.runs_with(network="twin")
    assert len(twin) == 1
    for module, expected in {
        "data/digits.py": {f"prepare_dataset {dataset}"} | trained,
        "networks/twin.py": train(twin) | measure(twin) | studies_again("network"),
        "measurements/hessian.py": everything_from(project, *OF_H),
        "claims/evaluate.py": CLAIMS | REPORT,
        "figures/lambda_K.py": {f"plot_figure {study}/lambda_K" for study in STUDIES} | REPORT,
        "report/report.css": REPORT,
    }.items():
        with project.for_now(f"breakeven/{module}"):
            project.append(STATEMENT, f"breakeven/{module}")
            assert project.plan() == expected, module


def test_the_source_of_what_no_job_depends_on(project):
    for module in ("data/cifar10.py", "data/image_folder.py", "figures/lambda_H.py"):  # not used by this config
        project.append(STATEMENT, f"breakeven/{module}")
    for module in ("config/validate.py", "config/plan.py"):  # what they decide is seen in the runs' specifications
        project.append(STATEMENT, f"breakeven/{module}")
    for module in (
        "config/code_digest.py",
        "__main__.py",
        "store/files.py",
        "store/progress.py",
        "jobs/locks.py",
        "specs/run.py",
    ):
        project.append(STATEMENT, f"breakeven/{module}")
    assert project.plan() == set()


def test_one_more_network(project):
    add_network(project, "triplet")
    assert project.plan() == set()
    project.edit("[simple_cnn, twin]", "[simple_cnn, twin, triplet]")
    new = project.new_runs(project.runs_with(network="twin"), network="triplet")
    assert project.plan() == train(new) | measure(new) | studies_again("network")


def test_one_more_figure_and_another_caption(project):
    figures = project.folder / "breakeven/figures"
    (figures / "new.py").write_text((figures / "lambda_K.py").read_text(encoding="utf-8"), encoding="utf-8")
    assert project.plan() == {f"plot_figure {study}/new" for study in STUDIES} | REPORT
    (figures / "new.py").unlink()
    caption = "The largest values at a snapshot of the trajectory against"
    project.edit(caption, "A better text:", "breakeven/figures/maxima.py")
    assert project.plan() == REPORT


def test_jobs_run_the_code_that_was_planned(project):
    """The package beside the Snakefile, and not the one that is installed."""
    project.edit("Spectral norm of the covariance of gradients", "A new title", "breakeven/figures/lambda_K.py")
    target = "results/figures/rate/lambda_K.svg"
    assert "A new title" not in (project.folder / target).read_text(encoding="utf-8")
    assert project.run(target) == {"plot_figure rate/lambda_K"}
    assert "A new title" in (project.folder / target).read_text(encoding="utf-8")
    assert project.plan() == {"plot_figure network/lambda_K"} | REPORT


@pytest.mark.parametrize("how", ["elsewhere", "without the working folder"])
def test_jobs_run_the_code_that_was_planned_wherever_snakemake_is_called(project, tmp_path, how):
    project.edit("Spectral norm of the covariance of gradients", "A new title", "breakeven/figures/lambda_K.py")
    arguments, env = ["--cores", "1", f"{project.folder}/results/figures/rate/lambda_K.svg"], {}
    if how == "elsewhere":
        (tmp_path / "config.yaml").write_bytes((project.folder / "config.yaml").read_bytes())
        arguments += ["--snakefile", f"{project.folder}/Snakefile", "--directory", f"{tmp_path}"]
        arguments += ["--config", f"results={project.folder}/results"]
    else:
        arguments[2], env = "results/figures/rate/lambda_K.svg", {"PYTHONSAFEPATH": "1"}
    said = project.snakemake(*arguments, env=env)
    assert said.returncode == 0, said.stdout
    assert "A new title" in (project.folder / "results/figures/rate/lambda_K.svg").read_text(encoding="utf-8")
