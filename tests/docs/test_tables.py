"""docs/tables.md is what the package says of its tables."""

import runpy
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "docs/tables.py"


def test_the_page_is_up_to_date():
    made = runpy.run_path(str(PROGRAM))
    assert made["TARGET"].read_text(encoding="utf-8") == made["text"](), "run: python docs/tables.py"
    assert "`lambda_H_1`, `…_2`, … | λ_H^1 | spectral norm of H | `hessian.csv`: `lambda_1` | 1/η |" in made["text"]()
