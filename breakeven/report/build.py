"""Build the report from tables, figures and records that lie in the results folder."""

import re
import shlex
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from breakeven.figures.offline import templates
from breakeven.report import facts
from breakeven.report.study_view import study_view
from breakeven.report.verdicts import verdicts_view
from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.files import write_text
from breakeven.store.progress import progress, say

HERE = Path(__file__).parent


def symbols(text: str) -> Markup:
    """Escape ``text`` and set the paper's symbols, written λ_K^1, with real indices."""
    return Markup(re.sub(r"([λe])_([KH])\^([1*])", r"\1<sub>\2</sub><sup>\3</sup>", str(escape(text))))


def build(out: Path, results: Path, studies: list[Study], config: Path, javascript: Path) -> None:
    """Write the page ``out``: self-contained but for links to the pictures in ``results/figures``.

    The text of the file ``config`` is shown as it is. ``javascript``: the file that stage bundle writes.
    """
    views = [study_view(study, results, out) for study in progress(studies, "report", unit="study")]
    add_others(views)
    runs = {run for view in views for run in view["runs"]}
    diverged = {row["run"] for view in views for row in view["rows"] if row["diverged"]}
    environment = templates(HERE)
    environment.filters["symbols"] = symbols
    page = environment.get_template("report.html.jinja").render(
        studies=views,
        verdicts=verdicts_view(results / "tables" / "claims.csv", views),
        command=command(config),
        run_count=len(runs),
        diverged_count=len(diverged),
        versions=facts.versions(),
        commit=facts.commit(),
        durations=facts.durations(results, runs, {view["name"] for view in views}),
        config=config_text(config),
        javascript=Markup(javascript.read_text(encoding="utf-8")),
        script=Markup((HERE / "report.js").read_text(encoding="utf-8")),
        style=Markup((HERE / "report.css").read_text(encoding="utf-8")),
    )
    write_text(out, page)
    say(f"the report is {out}")


def config_text(path: Path) -> str:
    """The text of the config that was run."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"config '{path}' can't be read ({error})") from error


def command(config: Path) -> str:
    """What makes one file of this report again; the default config needs not be named."""
    named = "" if str(config) == "config.yaml" else f" --configfile {shlex.quote(str(config))}"
    return f"snakemake --cores all{named}"


def add_others(views: list[dict[str, Any]]) -> None:
    """Tell each figure which other studies of the page have it, too."""
    for view in views:
        for figure in view["figures"]:
            figure["others"] = [
                {"number": number, "study": other["name"]}
                for number, other in enumerate(views, start=1)
                if other is not view and any(each["name"] == figure["name"] for each in other["figures"])
            ]
