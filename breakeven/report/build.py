"""Build the report from tables, figures and records that lie in the results folder."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markupsafe import Markup

from breakeven.figures import symbols
from breakeven.figures.offline import templates
from breakeven.jobs import made_with
from breakeven.report.durations import durations
from breakeven.report.effects import effects_view
from breakeven.report.inside import Tables, own_code
from breakeven.report.study_view import study_view
from breakeven.report.theories import sentences
from breakeven.report.verdicts import told_rows, verdicts_view
from breakeven.specs.run_file import read_spec
from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.files import write_text
from breakeven.store.progress import progress, say
from breakeven.store.tables import read_table
from breakeven.store.training_record import FILE

HERE = Path(__file__).parent
PICTURE = "lambda_H"  # the figure that the page begins with


def build(out: Path, results: Path, studies: list[Study], config: Path, javascript: Path) -> None:
    """Write the page ``out``, which is whole by itself; its pictures and tables also lie in ``results``.

    The text of the file ``config`` is shown as it is. ``javascript``: the file that stage bundle writes.
    """
    tables, claims = Tables(out), results / "tables" / "claims.csv"
    of_claims = tables.table(claims, "claims.csv")
    views = [study_view(study, results, out, tables) for study in progress(studies, "report", unit="study")]
    verdicts = read_table(claims)
    told = told_rows(verdicts, views)
    effects = effects_view(told)
    for view in views:
        view["theories"] = sentences(told, view["name"])
    picture = next((view for view in views if any(each["name"] == PICTURE for each in view["figures"])), None)
    number_figures(views, effects, first=2 if picture else 1)
    add_others(views)
    runs = {run for view in views for run in view["runs"]}
    trained = [results / "runs" / run for run in sorted(runs) if (results / "runs" / run / FILE).is_file()]
    environment = templates(HERE)
    environment.filters["symbols"] = symbols.html
    page = environment.get_template("report.html.jinja").render(
        studies=views,
        verdicts=verdicts_view(verdicts, views, {unit: each["id"] for each in effects for unit in each["units"]}),
        effects=effects,
        picture=picture and next(each for each in picture["figures"] if each["name"] == PICTURE),
        picture_study=picture and picture["name"],
        claims_table=of_claims,
        command=command(config),
        run_count=len(runs),
        diverged_count=len({row["run"] for view in views for row in view["rows"] if row["diverged"]}),
        versions=made_with.versions(),
        commit=made_with.commit(),
        durations=durations(results, runs, {view["name"] for view in views}),
        config=config_text(config),
        own_code=own_code(map(read_spec, trained)),
        javascript=Markup(javascript.read_text(encoding="utf-8")),
        script=Markup((HERE / "report.js").read_text(encoding="utf-8")),
        style=Markup((HERE / "report.css").read_text(encoding="utf-8")),
    )
    write_text(out, page)
    say(f"the report is {out}")


def number_figures(views: list[dict[str, Any]], effects: list[dict[str, Any]], first: int) -> None:
    """Number the figures in the order of the page, and give each an id, by which they can be cited and linked."""

    def figures() -> Iterator[tuple[str, dict[str, Any]]]:
        yield from ((each["id"], each) for each in effects)
        for place, view in enumerate(views, start=1):
            yield from ((f"figure-{place}-{each['name']}", each) for each in view["figures"])

    for number, (name, figure) in enumerate(figures(), start=first):
        figure |= {"number": number, "id": name, "spec_id": f"spec-{name}"}


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
                {"id": each["id"], "study": other["name"]}
                for other in views
                if other is not view
                for each in other["figures"]
                if each["name"] == figure["name"]
            ]
