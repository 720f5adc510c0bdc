import json
from dataclasses import asdict
from functools import partial

import pytest

from breakeven.report.build import build
from breakeven.specs.study import from_part
from tests.once import once
from tests.report.results_folder import DESCRIPTION, HOSTILE, write_results


def written(folder, vega):
    """A page about three studies; their descriptions as JSON."""
    studies = write_results(
        folder,
        {"name": "rate", "diverging": (8,), "description": DESCRIPTION},
        {"name": "two", "sweeps": {"learning_rate": [0.03, 0.3], "batch_size": [8, 32]}, "seeds": [0, 1]},
        {"name": HOSTILE, "sweeps": {"network": ["</script>", "mlp"]}, "seeds": [0]},
    )
    first, second, *_ = sorted(path.name for path in (folder / "runs").iterdir())
    for stage, name, seconds in (
        ("prepare", "digits-1a2b3c4d", 2.5),
        ("train", first, 75),
        ("train", second, 3600),
        ("train", "old-run", 1e6),
        ("plot", "rate/maxima", 1.5),
        ("plot", "old_study/maxima", 1e6),
    ):
        path = folder / "benchmarks" / stage / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t-\t{'-' if stage == 'plot' else 512.4}\n", encoding="utf-8")
    (folder / "runs/old-run").mkdir()
    (folder / "tables/old_study").mkdir()
    config = folder / "config.yaml"
    config.write_text("studies: # </pre><b>&amp;\n", encoding="utf-8")
    build(folder / "report.html", folder, studies, config, vega)
    return json.dumps([asdict(study) for study in studies])


@pytest.fixture(scope="session")
def results(tmp_path_factory, vega):
    """A page about three studies: one with diverged runs, one with two hyperparameters, one with a hostile name."""
    folder, studies = once(tmp_path_factory, "results", partial(written, vega=vega))
    return folder, [from_part(study) for study in json.loads(studies)], folder / "config.yaml"
