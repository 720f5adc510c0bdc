"""``publish``: a finding, from a results folder, into a folder of the documentation; and the page that sums up all of them."""

import shutil
import tempfile
from pathlib import Path

from breakeven.publish.collect import collect
from breakeven.publish.page import PAGE, page_of, summary_of
from breakeven.publish.published import FILE, NOTES, read_published
from breakeven.store.errors import UserError
from breakeven.store.files import write_text


def publish(results: Path, folder: Path | None = None) -> str:
    """Write the finding in ``folder`` from ``results``, then the summary beside it of all findings that lie there.

    The notes of an earlier one, ``notes.md.jinja``, stay. The folder is replaced as a whole, or not at all. Without ``folder``,
    the pages of all findings in ``results`` are written anew from what lies there, as after an edit of notes.
    """
    if folder is None:
        if not any(results.glob(f"*/{FILE}")):
            raise UserError(f"'{results}' holds no findings; name a results folder, and a folder for the finding")
        write_pages(results)
        return f"written: {results / PAGE}, and the pages of its findings"
    if folder.exists() and not set(path.name for path in folder.iterdir()) <= {NOTES} and not (folder / FILE).is_file():
        raise UserError(f"'{folder}' holds something else than a finding: name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        collect(results, made)
        if (folder / NOTES).is_file():
            shutil.copyfile(folder / NOTES, made / NOTES)
        write_text(made / PAGE, page_of(read_published(made)))
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        made.rename(folder)
    write_pages(folder.parent)
    return f"published: {folder / PAGE}, and the summary {folder.parent / PAGE}"


def write_pages(folder: Path) -> None:
    """Write the pages of all findings in ``folder`` anew from what lies there, and their summary."""
    for path, text in pages(folder).items():
        write_text(path, text)


def pages(folder: Path) -> dict[Path, str]:
    """The pages of all findings in ``folder`` as their tables and notes make them, and their summary."""
    findings = [read_published(path.parent) for path in sorted(folder.glob(f"*/{FILE}"))]
    made = {finding.folder / PAGE: page_of(finding) for finding in findings}
    return made | {folder / PAGE: summary_of(folder, findings)}
