"""Where the Snakefile, rules, configs and profiles lie: beside the package in a checkout, inside of it once installed."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def pipeline_folder() -> Path:
    """The folder that holds the Snakefile."""
    installed = PACKAGE / "pipeline"
    return installed if installed.is_dir() else PACKAGE.parent
