"""What the package can do stands in the reference that is made of it: every key, command, column and figure."""

import csv
import re
from pathlib import Path

import pytest
import yaml
from _ext import commands, config_keys, figures, formulas, networks, site, tables

from breakeven.commands import parser_for
from breakeven.config.plan import load_plan
from breakeven.figures.registry import FIGURES
from breakeven.measurements import hessian
from breakeven.networks.registry import NETWORKS, network_source
from breakeven.specs.measurements import QUANTITIES, RUN_COLUMNS
from breakeven.stages import STAGES
from breakeven.store.notes import Note
from tests.tiny_pipeline import Pipeline

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


def sections(text):
    """The text below each heading, by the heading."""
    found = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def first_cells(text):
    """What stands in the first cell of the rows of tables, without marks."""
    return {found.replace("`", "") for found in re.findall(r"^\| (`[^|]*`)", text, re.MULTILINE)}


# ------------------------------------------------------------------ keys of a config


def test_every_key_of_the_schema_has_a_row_with_its_words_and_default():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    told = sections(config_keys.text())
    headings = {name: heading for heading, name in config_keys.PARTS}
    parts = {"": schema} | {name: part for name, part in schema["$defs"].items() if name not in config_keys.BESIDE}
    assert len(parts) > 10
    for name, part in parts.items():
        loader = name if name != "own_loader" else None
        heading = headings.get(name) or (f"`loader: {loader}`" if loader else "A function of your own")
        rows = {row.split(" | ")[0].strip("| `"): row for row in told[heading].splitlines() if row.startswith("| `")}
        assert rows.keys() == part["properties"].keys(), heading
        for key, says in part["properties"].items():
            if says.get("description"):
                assert config_keys.words(says) in rows[key], key
            if "default" in says and says["default"] is not None and key not in part.get("required", ()):
                assert config_keys._default(says) in rows[key], key


def test_what_the_keys_beside_are_told_with():
    """The keys of a grid are those of the base, the measurements are the sections."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["$defs"]
    assert schema["Grid"]["properties"].keys() == schema["Hyperparameters"]["properties"].keys()
    told = config_keys.text()
    assert all(f"## measurements: {name}" in told for name in schema["Measurements"]["properties"])


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 1_000_000_000}, "integer, ≥\u00a01"),
        ({"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1}, "number or null, \\>\u00a00, ≤\u00a01"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"type": "array", "items": {"type": "integer", "minimum": 0}}, "list of integer, ≥\u00a00"),
    ],
)
def test_types_and_bounds(key, words):
    assert config_keys.kind(key) == words


# ------------------------------------------------------------------ networks


def test_every_network_has_its_options():
    told = sections(networks.text())
    assert [heading.strip("`") for heading in told] == list(NETWORKS)
    for name in NETWORKS:
        assert first_cells(told[f"`{name}`"]) == set(network_source(name).options), name
    assert "| `channels` | list of integer, ≥\u00a01 | `[32, 64]` |" in told["`simple_cnn`"]


# ------------------------------------------------------------------ the command line


def test_every_stage_and_option_of_the_command_line(capsys):
    told = sections(commands.text())
    common = first_cells(told["Of every stage that writes something"])
    assert common == set(commands.COMMON)
    for stage in STAGES:
        with pytest.raises(SystemExit):
            parser_for([stage.name]).parse_args([stage.name, "--help"])
        usage = capsys.readouterr().out.partition("\n\n")[0]
        written = {cell.split(" ")[0] for cell in first_cells(told[f"`{stage.name}`"])}
        flags = set(re.findall(r"--[a-z][a-z-]*", usage)) - {"--help"}
        assert flags - common == {cell for cell in written if cell.startswith("--")}, stage.name
        handed_on = {"..."} if stage.hands_on else set()
        assert {*stage.positional} | handed_on == {cell for cell in written if not cell.startswith("--")}, stage.name


# ------------------------------------------------------------------ tables


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """All tables of two tiny runs."""
    pipeline = Pipeline(tmp_path_factory.mktemp("results"))
    pipeline.prepare()
    for number in (0, 1):
        pipeline.train(number)
        pipeline.covariance(number)
        pipeline.hessian(number)
        pipeline.stability(number)
        pipeline.assumptions(number)
        pipeline.locate(number)
    pipeline.density()
    pipeline.sharpness()
    pipeline.blocks()
    pipeline.summarise()
    pipeline.claims()
    return pipeline.results


def test_every_column_that_is_written_is_told(results):
    told = sections(tables.files()) | {"`runs.csv`": tables.runs()}
    written = {}
    for path in results.rglob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            written.setdefault(path.name, next(csv.reader(file)))
    trajectories = written.pop("trajectories.csv")
    labels = {"learning_rate", "batch_size"}
    assert set(trajectories) - labels == {"run", "seed", "step", "epoch", "quantity", "value"}
    assert written.keys() == {"claims.csv", "runs.csv", *(f"{name}.csv" for name in tables.FILES)} - {"embedding.csv"}
    for name, columns in written.items():
        expected = {re.sub(r"(lambda|residual|error)_\d+$", r"\1_1", column) for column in columns}
        if name == "hessian.csv":  # only of optimizers with a preconditioner
            expected |= {column for column in hessian.columns(1, preconditioned=True) if "preconditioned" in column}
        if name == "runs.csv":
            expected = expected - labels | {"final_validation_accuracy"}  # only of data sets with a validation set
        assert {cell.split(",")[0] for cell in first_cells(told[f"`{name}`"])} == expected, name


def test_every_quantity_and_column_has_a_formula():
    assert formulas.QUANTITIES.keys() == {each.name for each in QUANTITIES}
    assert formulas.COLUMNS.keys() == {each.name for each in RUN_COLUMNS}
    assert {cell.split(",")[0] for cell in first_cells(tables.quantities())} == {each.name for each in QUANTITIES}
    [row] = [row for row in tables.quantities().splitlines() if row.startswith("| `stability_lhs`")]
    side = (
        r"$1 - 2 (1 + \beta) c + c^2 + s^2 \eta^2 \nu \frac{1 + \beta}{1 - \beta}, \; c = \eta (\lambda_H^1 + w), "
        r"\; \nu = \frac{N - S}{S (N - 1)}$"
    )
    assert row.endswith(f"`stability_lhs` of `stability.csv` | {side} | 1 |")


def test_maxima_have_the_unit_of_what_they_are_of():
    rows = {
        row.split("`")[1]: row.rsplit("|", 2)[1].strip() for row in tables.runs().splitlines() if row.startswith("| `")
    }
    assert (rows["max_lambda_H"], rows["max_lambda_K"], rows["break_even_lambda_H"]) == ("1/η", "nat²", "1/η")
    assert rows["max_trace_over_lambda_1"] == "1" and rows["break_even_step"] == "step"


def test_every_note():
    assert first_cells(tables.notes()) == {note.code for note in Note}


# ------------------------------------------------------------------ figures


def test_every_figure_has_its_caption_and_picture():
    told = sections(figures.text("pictures"))
    assert [heading.strip("`") for heading in told] == list(FIGURES)
    for name, text in told.items():
        assert f"(pictures/{name.strip('`')}.png)" in text


@pytest.mark.parametrize("name", ["lambda_H", "early_switch", "batch_norm", "trajectories_umap"])
def test_pictures_are_drawn(name):
    picture = figures.picture(name)
    assert picture.startswith("<svg") and picture.count("<path") > 20


# ------------------------------------------------------------------ pages


def test_each_made_piece_has_its_place_and_each_place_its_piece():
    pages = {path: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("[!_]*/*.md")}
    places = [name for text in pages.values() for name in site.PLACE.findall(text)]
    assert sorted(places) == sorted(site.MADE)
    assert site.put("before\n<!-- made: notes -->\nafter", "reference/x") == f"before\n{tables.notes()}\nafter"


def test_files_from_elsewhere_are_shown_and_their_links_lead_to_pages():
    text = site.put("# Mine\n", "how-to/extend")
    assert text.startswith("# Mine\n\n") and "## Recipes" in text
    assert all(
        (ROOT / file).is_file() and (ROOT / "docs" / f"{page}.md").is_file() for file, page in site.SHOWN.items()
    )
    for link, expected in (
        ("[a](../benchmarks/README.md#x)", "[a](/explanation/benchmarks.md#x)"),
        ("[a](../docs/speed.md)", "[a](/speed.md)"),
        ("[a](../config.yaml)", "[a](path:../../config.yaml)"),
        ("[a](../tests)", "a"),
        ("[a](#here) [b](https://example.org) [c](/start.md)", "[a](#here) [b](https://example.org) [c](/start.md)"),
    ):
        assert site.linked(link, ROOT / "benchmarks", ROOT / "docs/reference") == expected


# ------------------------------------------------------------------ the example study


def test_the_example_study_is_valid_and_lies_where_it_is_looked_for(monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = load_plan(site.CONFIG)
    assert Path(plan.config.results).resolve() == site.EXAMPLE
    [study] = plan.studies.values()
    assert len(study.runs) == 16  # as Start and the notebook say: two learning rates, eight seeds
