"""``breakeven run`` and ``breakeven new``: the pipeline from any folder, by the name of a config."""

import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from breakeven.jobs.pipeline_folder import pipeline_folder
from breakeven.store.errors import UserError
from breakeven.store.files import write_text

DEFAULT = "config"  # the name of the default study's config
TAKE_FILES = ("--configfile", "--configfiles", "--profile", "--workflow-profile")
CORES = ("--cores", "-c", "--jobs", "-j", "--workflow-profile")  # each says how many jobs run at a time
MISSING = "snakemake is not installed in this environment: install breakeven with its dependencies"


def configs() -> dict[str, Path]:
    """The configs that come with the package, by name."""
    folder = pipeline_folder()
    return {DEFAULT: folder / "config.yaml"} | {
        path.stem: path for path in sorted((folder / "workflow/configs").glob("*.yaml"))
    }


def run(config: str = "config.yaml", snakemake: Sequence[str] = ()) -> NoReturn:
    """Become the Snakemake that runs ``config``, a file or the name of a config of the package, with these further options."""
    late = [each for each in snakemake if each.endswith((".yaml", ".yml")) and config == "config.yaml"]
    if late and snakemake[snakemake.index(late[0]) - 1] not in TAKE_FILES:
        raise UserError(f"name the config first, then Snakemake's options: breakeven run {late[0]} ...")
    command = ["snakemake", "--snakefile", str(pipeline_folder() / "Snakefile"), "--configfile", str(_found(config))]
    options = _with_profile(snakemake)
    if not any(option.partition("=")[0] in CORES or option[:2] in ("-c", "-j") for option in options):
        command += ["--cores", "all"]
    _become([*command, *options])


def new(file: Path = Path("config.yaml"), like: str = DEFAULT) -> str:
    """Write a config that is ``like`` one of the package's, to be edited."""
    if file.exists():
        raise UserError(f"there is a file '{file}' already: name another one")
    path = _shipped(like)
    schema = pipeline_folder() / "workflow/schemas/config.schema.yaml"
    text = re.sub(r"(?<=\$schema=).*", lambda _: str(schema), path.read_text(encoding="utf-8"), count=1)
    write_text(file, text)
    return f"wrote {file}; now edit it, then: breakeven check {file}; breakeven run {file}"


def _found(config: str) -> Path:
    if Path(config).is_file():
        return Path(config)
    try:
        return _shipped(config)
    except UserError as error:
        raise UserError(f"there is no file '{config}', and {error}") from None


def _shipped(name: str) -> Path:
    known = configs()
    if name not in known:
        close = get_close_matches(name.removesuffix(".yaml"), known, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise UserError(f"'{name}' is no config of the package; {hint}allowed: {', '.join(known)}")
    return known[name]


def _with_profile(options: Sequence[str]) -> list[str]:
    """The options, in which the name of a profile of the package stands for its folder."""
    found = list(options)
    for index, option in enumerate(found):
        name, is_one, value = option.partition("=")
        if name != "--workflow-profile" or not (is_one or index + 1 < len(found)):
            continue
        place, given = (index, value) if is_one else (index + 1, found[index + 1])
        folder = pipeline_folder() / "profiles" / given
        if given.isidentifier() and folder.is_dir() and not Path(given).is_dir():
            found[place] = f"{name}={folder}" if is_one else str(folder)
    return found


def _become(command: Sequence[str]) -> NoReturn:
    """Replace this process by ``command``, of this environment; -P: a random.py in the working folder is not Python's."""
    if importlib.util.find_spec("snakemake") is None:
        raise UserError(MISSING)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", *command])
