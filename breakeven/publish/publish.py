"""``publish``: a finding, from a results folder, into a folder of the documentation; and the page that sums up all of them."""

import re
import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from breakeven.jobs.locks import held, lock_of
from breakeven.publish.collect import collect
from breakeven.publish.page import PAGE, page_of, summary_of
from breakeven.publish.published import CLAIMS, CONFIG, FILE, MADE_WITH, NOTES, RUNS, TRAJECTORIES, read_published
from breakeven.store.contents import is_left_behind
from breakeven.store.errors import UserError, some
from breakeven.store.files import write_text

OLD = "old"  # what a finding is called while the new one takes its place


def publish(results: Path, folder: Path | None = None) -> str:
    """Write the finding in ``folder`` from ``results``, then the summary beside it of all findings that lie there.

    The notes of an earlier one, ``notes.md.jinja``, stay. The folder is replaced as a whole, or not at all. Without ``folder``,
    the pages of all findings in ``results`` are written anew from what lies there, as after an edit of notes.
    """
    if folder is None:
        if not any(results.glob(f"*/{FILE}")):
            raise UserError(f"'{results}' holds no findings; name a results folder, and a folder for the finding")
        with _alone(results):
            write_pages(results)
        return f"written: {results / PAGE}, and the pages of its findings"
    _check_name(folder)
    with _alone(folder.parent):
        _clear_away(folder)  # first: what comes back is a finding, whose summary lies here
        _check_place(folder)
        _put(results, folder)
        write_pages(folder.parent)
    return f"published: {folder / PAGE}, and the summary {folder.parent / PAGE}"


def _alone(findings: Path) -> AbstractContextManager[None]:
    """Let no other publish write the summary in the folder ``findings`` meanwhile, or take this one's folders for leftovers."""
    return held(lock_of(findings / PAGE), f"publishing in '{findings}'", wait=True)


def _put(results: Path, folder: Path) -> None:
    """Write the finding, and put it in the place of the earlier one."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        collect(results, made)
        if (folder / NOTES).is_file():
            shutil.copyfile(folder / NOTES, made / NOTES)
        write_text(made / PAGE, page_of(read_published(made)))
        old = Path(temporary) / OLD
        if folder.exists():
            folder.rename(old)
        try:
            made.rename(folder)
        except BaseException:
            if old.exists() and not folder.exists():
                old.rename(folder)
            raise


def _clear_away(folder: Path) -> None:
    """Remove what a publish left that was killed; the finding that it was about to replace comes back."""
    for left in folder.parent.glob(f".{folder.name}.*"):
        is_named_so = re.fullmatch(re.escape(f".{folder.name}.") + r"[a-z0-9_]{8}", left.name)
        if not (is_named_so and left.is_dir() and {path.name for path in left.iterdir()} <= {folder.name, OLD}):
            continue  # of another finding, or of something else
        if (left / OLD).exists() and not folder.exists():
            (left / OLD).rename(folder)
        shutil.rmtree(left)


def _check_name(folder: Path) -> None:
    """Refuse a name that can't be a part of addresses."""
    if not re.fullmatch(r"\w[\w.-]*", folder.name):
        raise UserError(
            f"a finding can't be called '{folder.name}', which is part of addresses: name a folder such as "
            "docs/findings/NAME, with letters, digits, '_', '-' and '.' in NAME"
        )


def _check_place(folder: Path) -> None:
    """Refuse a folder where the finding, or the summary beside it, would take the place of something else."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"'{folder}' is no folder: name another one")
    others = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if not _is_of_a_finding(path, folder)]
    if others:
        raise UserError(
            f"'{folder}' holds something else than a finding ({some(others)}): name another folder, or move that away"
        )
    summary = folder.parent / PAGE
    if summary.exists() and not any(folder.parent.glob(f"*/{FILE}")):
        raise UserError(
            f"the summary of findings would take the place of '{summary}': name a folder such as docs/findings/NAME"
        )


def _is_of_a_finding(path: Path, folder: Path) -> bool:
    """Whether what lies in ``folder`` may be replaced with it: it was published, or is no more than what systems leave behind."""
    parts = path.relative_to(folder).parts
    if path.is_dir() or parts == (NOTES,) or any(map(is_left_behind, parts)):
        return True
    if not (folder / FILE).is_file():
        return False
    if len(parts) == 1:
        return path.name in {FILE, CLAIMS, MADE_WITH, CONFIG, PAGE}
    return len(parts) == 2 and (path.suffix == ".svg" or path.name in {RUNS, TRAJECTORIES})


def write_pages(folder: Path) -> None:
    """Write the pages of all findings in ``folder`` anew from what lies there, and their summary."""
    for path, text in pages(folder).items():
        write_text(path, text)


def pages(folder: Path) -> dict[Path, str]:
    """The pages of all findings in ``folder`` as their tables and notes make them, and their summary."""
    findings = [read_published(path.parent) for path in sorted(folder.glob(f"*/{FILE}"))]
    made = {finding.folder / PAGE: page_of(finding) for finding in findings}
    return made | {folder / PAGE: summary_of(folder, findings)}
