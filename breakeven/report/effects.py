"""The forest plots of the page: all effects on which verdicts rest, with their intervals, ratios on a logarithmic axis."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from breakeven.claims.assumptions import Falls, Proportional, Typical
from breakeven.claims.edge import AtTheEdge
from breakeven.claims.evidence import Unit
from breakeven.claims.ratios import FACTOR, BatchNorm, PredictedPoint
from breakeven.claims.words import joined
from breakeven.figures.forest import forest
from breakeven.figures.offline import script_json
from breakeven.report.verdicts import BY_ID, on_which_verdicts_rest, p_value


@dataclass(frozen=True)
class Axis:
    """A forest plot: the units of its effects, the title and ``domain`` of its axis, the effect that is none; its words."""

    id: str
    units: tuple[Unit, ...]
    title: str
    nothing: float
    log: bool
    domain: tuple[float, ...]
    heading: str
    caption: str


AXES = (
    Axis(
        "effects",
        (Unit.RATIO,),
        "ratio (log scale)",
        1,
        True,
        (),
        "Effects that are ratios, with their intervals",
        "Of a trend, the quantity at the largest value of the hyperparameter over that at the smallest; of the others, the ratio "
        "that the table of the claim names. Grey bars, of tests whether two numbers are equal: within a factor of "
        f"{FACTOR}, which is ours.",
    ),
    Axis(
        "effects-correlations",
        (Unit.CORRELATION, Unit.DIFFERENCE),
        "rank correlation ρ, or difference of shares",
        0,
        False,
        (-1, 1),
        "Effects that are correlations or differences of shares, with their intervals",
        "Correlations are of the measured steps of each run, averaged; shares are of a distance that is left, or of a way gone.",
    ),
    Axis(
        "effects-slopes",
        (Unit.SLOPE,),
        "slope of the logarithms",
        0,
        False,
        (),
        "Effects that are slopes of logarithms, with their intervals",
        "Of the largest λ_H^1 over its prediction by Eq. 1, over the points of a sweep; of λ_K^1 over λ_H^1, along the early "
        "phase: 1 if they are proportional.",
    ),
    Axis(
        "effects-accuracy",
        (Unit.ACCURACY,),
        "change of the test accuracy",
        0,
        False,
        (),
        "Effects on the test accuracy, with their intervals",
        "By how much the final test accuracy changes where the other quantity is ten times as large, over the points of a sweep.",
    ),
)


def effects_view(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The forest plots that have something to show, as the template shows figures. ``rows``: of ``claims.csv``, as told."""
    primary = on_which_verdicts_rest(rows)
    found = []
    for axis in AXES:
        shown = primary[primary["unit"].isin([unit.value for unit in axis.units])]
        if shown.empty:
            continue
        spec = forest(_drawn(shown), axis.title, axis.nothing, axis.log, list(axis.domain))
        description = f"{axis.heading}. The tables of the claims have the same numbers."
        spec |= {"usermeta": {"beside": 30}, "description": description}
        found.append(
            {
                "id": axis.id,
                "name": axis.id,
                "units": [unit.value for unit in axis.units],
                "title": axis.heading,
                "caption": axis.caption,
                "description": description,
                "spec": script_json(spec),
            }
        )
    return found


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    claims = [BY_ID[name] for name in rows["claim"]]
    bounds = [_equal(claim.test) for claim in claims]
    study = rows["study"] if rows["study"].nunique() > 1 else pd.Series("", index=rows.index)
    beside = [
        joined([name, "" if pd.isna(where) else str(where)]) for name, where in zip(study, rows["where"], strict=True)
    ]
    return pd.DataFrame(
        {
            "name": [f"{claim.title}\n({of})" if of else claim.title for claim, of in zip(claims, beside, strict=True)],
            "study": rows["study"].to_list(),
            "verdict": rows["verdict"].where(rows["role"] != "descriptive", "descriptive").to_list(),
            "effect": rows["effect"].to_list(),
            "low": rows["ci_low"].to_list(),
            "high": rows["ci_high"].to_list(),
            "equal_low": [low for low, _ in bounds],
            "equal_high": [high for _, high in bounds],
            "finding": rows["finding"].to_list(),
            "p": [p_value(p).removeprefix("= ") for p in rows["p_adjusted"]],
            "seeds": rows["n_seeds"].to_list(),
        }
    )


def _equal(test: Any) -> tuple[float | None, float | None]:
    """Between which effects two numbers count as equal, or an assumption holds, where that is the test."""
    if isinstance(test, Typical | Falls | Proportional):
        return test.holds
    if isinstance(test, BatchNorm):
        return 1 / FACTOR, FACTOR
    return (1.0, FACTOR) if isinstance(test, PredictedPoint | AtTheEdge) else (None, None)
