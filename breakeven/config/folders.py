"""Which texts of a config may be the path of a file or folder, and which folder may hold the results.

Spaces, quotes, ``$``, ``*`` and letters of all languages are fine: each path is quoted where a shell sees it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from breakeven.config.messages import show

LONGEST_NAME = 255  # bytes, of a file system
LONGEST_PATH = 1000  # characters; what is made below a folder needs room, too, and Linux ends at 4096 bytes
SOURCES = (".git", ".snakemake", "breakeven", "profiles", "tests", "workflow")


def path_problem(text: str) -> str | None:
    """Why ``text`` can't be a path, if so."""
    if not text.isprintable():
        return f"{show(text)} holds a line break or another character that can't be seen; leave it out"
    if text != text.strip():
        return f"{show(text)} begins or ends with a space; leave it out"
    if text.startswith("~"):
        return f"{show(text)} begins with '~', which stands for a home directory in a shell only; write the path out"
    if len(text) > LONGEST_PATH or any(len(name.encode()) > LONGEST_NAME for name in text.split("/")):
        return f"{show(text)} is too long; allowed: {LONGEST_PATH} characters, and {LONGEST_NAME} bytes between two slashes"
    return None


def results_problem(text: str, project: Path) -> str | None:
    """Why the folder ``text`` can't hold the results, if so; ``project`` is the folder in which Snakemake runs."""
    problem = path_problem(text)
    if problem:
        return problem
    if "{" in text or "}" in text:
        return f"{show(text)} holds a brace, which Snakemake takes for a wildcard; choose another name"
    if Path(text).as_posix().startswith("-"):
        return f"{show(text)} begins with '-', which commands take for an option; choose another name"
    try:
        folder, project = (project / text).resolve(), project.resolve()
        in_the_way = [path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()]
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        return f"{show(text)} can't be a folder: {error}"
    if in_the_way:
        return f"{show(text)} can't be a folder: '{in_the_way[0]}' is a file"
    if folder in (project, *project.parents):
        return f"{show(text)} is a folder that holds this project; name one for the results alone"
    for source in SOURCES:
        if folder.is_relative_to(project / source):
            return f"{show(text)} is in the project's own folder '{source}'; name one for the results alone"
    return None


def links(results: Path, runs: Iterable[str], datasets: Iterable[str], studies: Iterable[str]) -> Iterator[str]:
    """A sentence for each folder of the results that is a link: what a job replaces there would lie elsewhere.

    Only those that jobs make; the results folder itself, or all of its ``runs``, may lie behind a link.
    """
    made = (("data", datasets), ("figures", studies), ("tables", studies), ("runs", runs), ("state", runs))
    for kind, names in made:
        for name in names:
            folder = results / kind / name
            if folder.is_symlink():
                yield (
                    f"{folder} is a link to '{folder.readlink()}', where jobs would delete and replace files: "
                    "remove the link, and move there what it should show"
                )
