"""Which figures are planned: those that a study asks for, and what they need, with exact sets of jobs."""

import pytest

from tests.workflow.project import CLAIMS, REPORT, measure

pytestmark = pytest.mark.workflow

STATEMENT = "\nEDITED = True\n"
NAME = "trajectories_umap"
PLOT = {f"plot_figure network/{NAME}"}
EMBED = {"embed_study network"} | CLAIMS | PLOT | REPORT  # a claim is of the predictions, too


def test_a_figure_of_one_study_and_the_stages_that_only_it_needs(project):
    # the smaller study, whose snapshots are too few for UMAP: its import takes a quarter of a minute
    runs = project.runs_with(learning_rate=0.1, seed=0)
    assert len(runs) == 2
    project.edit("  network:\n", f"  network:\n    figures: [default, {NAME}]\n")
    assert project.run() == measure(runs, ["measure_predictions"]) | EMBED
    assert project.plan() == set()
    page = project.folder / "results/report.html"
    assert f"spec-figure-2-{NAME}" in page.read_text(encoding="utf-8")
    pictures = {path.suffix for path in (project.folder / "results/figures/network").glob(f"{NAME}.*")}
    assert pictures == {".html", ".svg", ".png", ".json", ".csv"}

    for module, expected in (
        (f"figures/{NAME}.py", PLOT | REPORT),
        ("summary/embed.py", EMBED),
        ("measurements/predictions.py", measure(runs, ["measure_predictions"]) | EMBED),
    ):
        with project.for_now(f"breakeven/{module}"):
            project.append(STATEMENT, f"breakeven/{module}")
            assert project.plan() == expected, module

    project.edit(f"[default, {NAME}]", "[default]")
    assert project.run() == CLAIMS | REPORT
    assert f"spec-figure-2-{NAME}" not in page.read_text(encoding="utf-8")


def test_fewer_figures(project):
    project.edit("  rate:\n", "  rate:\n    figures: [maxima]\n")
    assert project.plan() == REPORT
