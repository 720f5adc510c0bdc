"""Which theory the data prefer, from rows of claims.csv that are known."""

import pandas as pd

from breakeven.report.theories import sentences

FULL, EQ1, BATCH, UPPER = (
    f"theories.{name}" for name in ("full_batch", "equation_1", "batch_sharpness", "batch_sharpness_upper")
)


def rows(*told, study="main"):
    columns = ["claim", "where", "effect", "verdict"]
    return pd.DataFrame([dict(zip(columns, row, strict=True)) | {"study": study} for row in told])


def test_the_nearest_theory_and_where_it_holds():
    table = rows(
        (FULL, "S = 8", 4.0, "contradicted"),
        (EQ1, "S = 8", 2.0, "contradicted"),
        (BATCH, "S = 8", 1.1, "supported"),
        (FULL, "S = 32", 3.0, "contradicted"),
        (EQ1, "S = 32", 2.0, "inconclusive"),
        (BATCH, "S = 32", 1.45, "inconclusive"),
        (FULL, "S = 1437", 1.2, "supported"),
        (EQ1, "S = 1437", 1.2, "supported"),
        (BATCH, "S = 1437", 1.9, "contradicted"),
    )
    assert sentences(table, "main") == [
        "once λ_H^1 stops growing, batch sharpness at 2/η comes nearest at 2 of 3 settings (S = 8; S = 32): off by factors of "
        "1.1 to 1.4, and holds by its test at 1 of them (S = 8)",
        "once λ_H^1 stops growing, λ_H^1 at the full-batch threshold and λ_H^1 at the threshold of Eq. 1 come nearest at "
        "1 of 3 settings (S = 1437): off by a factor of 1.2, and holds by its test",
    ]
    assert sentences(table, "another") == []


def test_the_two_plateaus_with_momentum_are_told_apart():
    table = rows(
        (BATCH, "S = 8", 1.2, "supported"),
        (UPPER, "S = 8", 16.0, "contradicted"),
        (BATCH, "S = 1437", 15.0, "contradicted"),
        (UPPER, "S = 1437", 1.6, "inconclusive"),
    )
    lower, upper = sentences(table, "main")
    assert "batch sharpness at 2(1 − β)/η comes nearest at 1 of 2 settings (S = 8)" in lower
    assert "batch sharpness at 2(1 + β)/η comes nearest at 1 of 2 settings (S = 1437)" in upper
    assert upper.endswith("but no test shows that it holds")


def test_eq_1_says_for_which_mini_batches_at_the_setting_of_the_others():
    said = "reshuffled mini-batches"
    table = rows(
        (FULL, "S = 8", 4.0, "contradicted"),
        (EQ1, f"S = 8; {said}", 1.2, "supported"),
        (BATCH, "S = 8", 2.0, "contradicted"),
    )
    assert sentences(table, "main") == [
        f"once λ_H^1 stops growing, λ_H^1 at the threshold of Eq. 1 ({said}) comes nearest at its one setting (S = 8): off by "
        "a factor of 1.2, and holds by its test"
    ]
    [sentence] = sentences(rows((FULL, None, 4.0, "contradicted"), (EQ1, said, 1.2, "supported")), "main")
    assert "at its one setting" in sentence


def test_one_setting_and_no_effect():
    table = rows((FULL, None, 1.3, "supported"), (EQ1, None, None, "inconclusive"))
    [sentence] = sentences(table, "main")
    assert "comes nearest at its one setting: off by a factor of 1.3, and holds by its test" in sentence
    assert sentences(rows((FULL, None, None, "inconclusive")), "main") == []
