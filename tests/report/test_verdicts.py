"""The page opens with the verdicts of ``claims.csv``."""

import re

import pytest

from breakeven.report.verdicts import number, verdicts_view
from breakeven.store.tables import read_table

# ruff: noqa: E501
COLUMNS = "claim,study,quantity,expected,observed,effect,ci_low,ci_high,p_value,n_seeds,verdict,paper_value,our_value"
TABLE = (
    COLUMNS
    + """,p_adjusted,figure,note,role,ci_level,unit,where,finding
C1.lambda_K.learning_rate,rate,"max λ_K^1, smoothed",falls with η,falls with η,0.25,0.2,0.3,0.0001,8,supported,0.87,1.5,0.0004,maxima,,primary,0.975,ratio,,It falls
C1.lambda_K.learning_rate,two,"max λ_K^1, smoothed",falls with η,rises with η,1.5,,,0.2,8,inconclusive,0.87,,0.2,maxima,a remark,primary,0.975,ratio,S = 8,Not clear
C1.lambda_K.learning_rate,two,"max λ_K^1, smoothed",falls with η,falls with η,0.5,,,0.2,8,supported,0.87,,0.03,maxima,,primary,0.975,ratio,S = 32,It falls
C1.lambda_K.learning_rate,two,raw,falls with η,falls with η,0.5,,,0.2,8,inconclusive,0.87,,,maxima,,robustness,0.975,ratio,,
peak.lambda_K,rate,epochs,peaks before the threshold,peaks after the threshold,2.5,2,3,0.01,8,contradicted,,,0.02,lambda_K,,primary,0.975,ratio,,
C2.trace_top_5_ratio_H.learning_rate,rate,ratio,rises with η,,,,,,0,inconclusive,,,,,not measured,primary,0.975,,,
C2.lambda_star.learning_rate,rate,"max λ_K^*, smoothed",,falls with η,0.5,,,0.2,8,inconclusive,,,,,,descriptive,0.975,ratio,,
C2.lambda_star.learning_rate,rate,max λ_K^*,,no clear direction,0.5,,,0.2,8,inconclusive,,,,,,descriptive,0.975,ratio,,
peak.lambda_K,few,epochs,peaks before the threshold,no clear direction,2.5,,,1,2,inconclusive,,,,lambda_K,,primary,0.975,ratio,,
generalization.lambda_K,few,accuracy,falls with it,falls with it,-0.1,-0.2,-0.05,0.01,2,supported,,,0.02,,,primary,0.975,slope,,
C1.lambda_K.batch_size,,,rises with S,,,,,,,inconclusive,,,,maxima,no study sweeps the batch size,primary,0.975,,,
"""
)
STUDIES = [
    {"name": "two", "figures": [], "seeds": list(range(8))},
    {"name": "rate", "figures": [{"name": "maxima", "id": "figure-2-maxima"}], "seeds": list(range(8))},
    {"name": "few", "figures": [], "seeds": [0, 1]},
]


@pytest.fixture
def view(tmp_path):
    (tmp_path / "claims.csv").write_text(TABLE, encoding="utf-8")
    return verdicts_view(read_table(tmp_path / "claims.csv"), STUDIES, {"ratio": "effects", "slope": "effects-slopes"})


def test_claims_have_their_words_and_rows_in_the_order_of_the_page(view):
    claims = {claim["name"]: claim for claim in view["claims"]}
    first = claims["C1.lambda_K.learning_rate"]
    assert first["words"].startswith("The larger the learning rate, the less the gradient varies")
    assert [(row["study"], row["role"]) for row in first["rows"]] == [
        ("two", "primary"),
        ("two", "primary"),
        ("two", "robustness"),
        ("rate", "primary"),
    ]
    assert (view["level"], view["fewest"], view["studies"]) == ("97.5 %", 6, ["two", "rate", "few"])
    untested = dict(view["untested"])
    assert len(untested) == 2 and {"no study sweeps the batch size", "not measured"} == set(untested.values())


def test_each_claim_has_one_verdict_in_each_study(view):
    cells = {
        (claim["name"], study): (cell["kind"], cell["text"])
        for claim in view["claims"]
        for study, cell in claim["cells"].items()
    }
    assert cells == {
        ("C1.lambda_K.learning_rate", "two"): ("mixed", "mixed: 1 inconclusive, 1 supported"),
        ("C1.lambda_K.learning_rate", "rate"): ("supported", "supported"),
        ("peak.lambda_K", "rate"): ("contradicted", "contradicted"),
        ("C2.lambda_star.learning_rate", "rate"): ("descriptive", "falls with η"),  # the raw curve counts nowhere
        ("generalization.lambda_K", "few"): ("supported", "supported"),  # which points decide
    }


def test_few_seeds_are_one_sentence(view):
    assert view["few"] == [("few", 2, 3)]
    assert [row["study"] for claim in view["claims"] if claim["name"] == "peak.lambda_K" for row in claim["rows"]] == [
        "rate"
    ]


def test_each_verdict_leads_to_its_figure_or_to_that_of_all_effects(view):
    links = {(claim["name"], study): cell["link"] for claim in view["claims"] for study, cell in claim["cells"].items()}
    assert links["C1.lambda_K.learning_rate", "rate"] == "#figure-2-maxima"
    assert links["C1.lambda_K.learning_rate", "two"] == links["peak.lambda_K", "rate"] == "#effects"
    assert links["generalization.lambda_K", "few"] == "#effects-slopes"


def test_a_finding_is_that_of_the_first_study_whatever_came_out(view):
    [finding] = view["findings"]
    assert (finding["finding"], finding["verdict"], finding["study"]) == ("Not clear", "inconclusive", "two")
    assert finding["others"] == "others: 2 supported"


def findings(text, folder):
    (folder / "claims.csv").write_text(text, encoding="utf-8")
    return verdicts_view(read_table(folder / "claims.csv"), STUDIES, {})["findings"]


def test_a_seed_or_two_are_no_finding(tmp_path):
    """Though the study has eight: of two, its first test has runs that say anything. One that can decide comes first."""
    two = TABLE.replace("1.5,,,0.2,8,inconclusive,0.87,,0.2,", "1.5,,,0.5,2,inconclusive,0.87,,,")
    [finding] = findings(two, tmp_path)
    assert (finding["finding"], finding["others"]) == ("It falls", "as in the other test")
    five = TABLE.replace("1.5,,,0.2,8,inconclusive,0.87,,0.2,", "1.5,,,0.5,5,inconclusive,0.87,,,")
    [finding] = findings(five, tmp_path)
    assert (finding["finding"], finding["others"]) == ("It falls", "others: 1 supported, 1 inconclusive")
    lines = [line for line in two.splitlines() if "supported,0.87" not in line]
    assert findings("\n".join(lines), tmp_path) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.012345, "0.0123"), (999.4, "999"), (999.6, "1000"), (-1234, "-1230"), (1e6, "1e+06"), (float("nan"), "–")],
)
def test_numbers_of_thousands_are_told_in_full(value, text):
    assert number(value) == text


def test_numbers_as_they_are_read(view):
    other, _, raw, supported = next(iter(view["claims"]))["rows"]
    assert (supported["effect"], supported["p"], supported["seeds"]) == ("0.25 (0.2 to 0.3)", "< 0.001", "8")
    assert (other["effect"], other["p"], other["ours"], other["note"]) == ("1.5", "= 0.2", "–", "a remark")
    assert raw["p"] == ""  # it is not among those that are corrected


def test_the_page_shows_every_verdict_and_all_lead_somewhere(results):
    folder, *_ = results
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"\d+ (primary )?tests", page[: page.index("<footer")])  # no count of rows
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    links = re.findall(r'<a class="verdict [^>]*href="#([^"]+)"', page)
    assert links and set(links) <= set(ids)
    figures = set(re.findall(r'<figure id="([^"]+)"', page))
    assert set(links) <= figures
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
