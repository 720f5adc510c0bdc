"""The page opens with the verdicts of ``claims.csv``."""

import re

import pandas as pd
import pytest

from breakeven.report.verdicts import verdicts_view

# ruff: noqa: E501
COLUMNS = "claim,study,quantity,expected,observed,effect,ci_low,ci_high,p_value,n_seeds,verdict,paper_value,our_value"
TABLE = (
    COLUMNS
    + """,p_adjusted,figure,note,role,ci_level
C1.lambda_K.learning_rate,rate,max λ_K^1,falls with η,falls with η,0.25,0.2,0.3,0.0001,5,supported,0.87,1.5,0.0004,maxima,,primary,0.975
C1.lambda_K.learning_rate,two,max λ_K^1,falls with η,rises with η,1.5,,,0.2,5,inconclusive,0.87,,0.2,maxima,a remark,primary,0.975
C1.lambda_K.learning_rate,two,raw,falls with η,falls with η,0.5,,,0.2,5,inconclusive,0.87,,,maxima,,robustness,0.975
peak.lambda_K,rate,epochs,peaks before the threshold,peaks after the threshold,2.5,2,3,0.01,5,contradicted,,,0.02,lambda_K,,primary,0.975
C2.trace_top_5_ratio_H.learning_rate,rate,ratio,rises with η,,,,,,0,inconclusive,,,,,not measured,primary,0.975
C2.lambda_star.learning_rate,rate,ratio,,falls with η,0.5,,,0.2,5,inconclusive,,,,,,descriptive,0.975
C1.lambda_K.batch_size,,,rises with S,,,,,,,inconclusive,,,,maxima,no study sweeps the batch size,primary,0.975
"""
)


@pytest.fixture
def view(tmp_path):
    (tmp_path / "claims.csv").write_text(TABLE, encoding="utf-8")
    studies = [{"name": "two", "figures": []}, {"name": "rate", "figures": [{"name": "maxima"}, {"name": "maps"}]}]
    return verdicts_view(tmp_path / "claims.csv", studies)


def test_claims_have_their_words_and_rows(view):
    first, second, _, third = view["claims"]
    assert first["words"].startswith("The larger the learning rate, the less the gradient varies")
    assert [(row["study"], row["role"]) for row in first["rows"]] == [
        ("rate", "primary"),
        ("two", "primary"),
        ("two", "robustness"),
    ]
    # neither what is asked in another way, nor what the paper says nothing about, is counted
    assert (view["tests"], view["counts"]) == (3, {"supported": 1, "contradicted": 1, "inconclusive": 1})
    assert (view["level"], view["fewest"], third["rows"][0]["role"]) == ("97.5 %", 6, "descriptive")
    [(words, note)] = view["untested"]
    assert words.startswith("The larger the batch size") and note == "no study sweeps the batch size"
    assert second["rows"][0]["observed"] == "peaks after the threshold"


def test_each_verdict_leads_to_its_figure_or_its_study(view):
    links = [row["link"] for claim in view["claims"] for row in claim["rows"]]
    assert links == [
        "#figure-2-maxima",
        *["#study-1"] * 2,
        *["#study-2"] * 3,
    ]  # where the figure is not shown, to the study


def test_numbers_as_they_are_read(view):
    supported, other, raw = view["claims"][0]["rows"]
    assert (supported["effect"], supported["p"], supported["seeds"]) == ("0.25 (0.2 to 0.3)", "< 0.001", "5")
    assert (other["effect"], other["p"], other["ours"], other["note"]) == ("1.5", "= 0.2", "–", "a remark")
    assert raw["p"] == ""  # it is not among those that are corrected


def test_the_page_shows_every_row_of_the_table(results):
    folder, *_ = results
    page = (folder / "report.html").read_text(encoding="utf-8")
    table = pd.read_csv(folder / "tables/claims.csv")
    tested = table.dropna(subset="study")
    assert len(re.findall(r'class="verdict ', page)) == len(tested) > 0
    counted = tested[(tested["role"] == "primary") & tested["effect"].notna()]
    for verdict, count in counted["verdict"].value_counts().items():
        assert f"{count} {verdict}" in page
    assert page.index('id="verdicts"') < page.index('id="study-1"')
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert {link for link in re.findall(r'class="verdict [a-z]+" href="#([^"]+)"', page)} <= ids
