"""Which theory of the edge of stability the data prefer, and where, in sentences, from ``claims.csv``."""

import pandas as pd

from breakeven.claims.evidence import few
from breakeven.claims.hypothesis_tests import SUPPORTED
from breakeven.claims.sampling import setting_and_sampling

SAYS = {  # of the claims, what each theory puts where
    "theories.full_batch": "λ_H^1 at the full-batch threshold",
    "theories.equation_1": "λ_H^1 at the threshold of Eq. 1",
    "theories.batch_sharpness": "batch sharpness at 2(1 − β)/η",
    "theories.batch_sharpness_upper": "batch sharpness at 2(1 + β)/η",
}
WITHOUT_MOMENTUM = "batch sharpness at 2/η"
SAME = 1.01  # theories whose factors differ by no more are the same, as on all examples at once
EVERYWHERE = "at its one setting"


def sentences(rows: pd.DataFrame, study: str) -> list[str]:
    """For each theory that comes nearest somewhere: where, how near, and where its test says that it holds; none without tests.

    ``rows``: of ``claims.csv``. Nearest is the theory whose quantity is off its threshold by the smallest factor.
    """
    of_study = rows[rows["claim"].isin(SAYS) & (rows["study"] == study) & rows["effect"].notna()]
    if of_study.empty:
        return []
    apart = [setting_and_sampling(where) for where in of_study["where"].fillna("")]
    of_study = of_study.assign(where=[setting for setting, _ in apart], drawn=[drawn for _, drawn in apart])
    told = of_study.assign(says=_says(of_study))
    settings = told["where"].nunique()
    found: dict[str, list[pd.Series]] = {}
    for _, at in told.groupby("where", sort=False):
        nearest = at[at["effect"] <= SAME * at["effect"].min()]
        found.setdefault(" and ".join(nearest["says"]), []).append(nearest.iloc[0])
    ordered = sorted(found.items(), key=lambda pair: -len(pair[1]))
    return [_sentence(theory, nearest, settings) for theory, nearest in ordered]


def _says(rows: pd.DataFrame) -> pd.Series:
    """What each row's theory says, and of Eq. 1 for which mini-batches.

    2(1 − β)/η is 2/η where there is no other plateau, which is tested with momentum alone.
    """
    momentum = set(rows["where"][rows["claim"] == "theories.batch_sharpness_upper"])
    plain = (rows["claim"] == "theories.batch_sharpness") & ~rows["where"].isin(momentum)
    drawn = rows["drawn"].map(lambda said: f" ({said})" if said else "")
    return rows["claim"].map(SAYS).mask(plain, WITHOUT_MOMENTUM) + drawn


def _sentence(theory: str, nearest: list[pd.Series], settings: int) -> str:
    factors = [float(row["effect"]) for row in nearest]
    low, high = few(min(factors)), few(max(factors))
    off = f"a factor of {low}" if low == high else f"factors of {low} to {high}"
    places = [str(row["where"]) for row in nearest]
    how_many = EVERYWHERE if settings == 1 else f"at {len(places)} of {settings} settings"
    where = how_many if places == [""] else f"{how_many} ({'; '.join(places)})"
    holds = [row for row in nearest if row["verdict"] == SUPPORTED]
    if not holds:
        verdict = "but no test shows that it holds"
    elif len(holds) == len(nearest):
        verdict = "and holds by its test" if len(nearest) == 1 else "and holds by its test at each of them"
    else:
        verdict = f"and holds by its test at {len(holds)} of them ({'; '.join(str(row['where']) for row in holds)})"
    comes = "come" if " and " in theory else "comes"
    return f"once λ_H^1 stops growing, {theory} {comes} nearest {where}: off by {off}, {verdict}"
