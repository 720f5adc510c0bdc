"""The digests of what a stage wrote, so that a later stage uses nothing that is damaged, or another run's or study's.

Beside ``RUN/covariance.csv`` lies ``RUN/covariance.csv.sha256``, in the format of sha256sum: a line ``DIGEST  RUN/NAME`` for
the file and for each other file that was written with it. So ``cd results/runs && sha256sum --check */*.sha256`` checks all
runs, ``cd results/tables && sha256sum --check */*.sha256`` all studies; a file that was moved into another folder is found, too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from breakeven.store.errors import UserError
from breakeven.store.files import sha256, whole_file, write_text

NONE: Mapping[Path, str] = {}
AGAIN = "and the same command makes it again"


@contextmanager
def sealed_file(path: str | Path, *also: Path, known: Mapping[Path, str] = NONE) -> Iterator[Path]:
    """Like `breakeven.store.files.whole_file`, with the digests of ``path`` and of the finished files ``also`` in its folder.

    ``known``: digests of more of them, which need not be read again. The digests come first: where the file is there, they are.
    """
    path = Path(path)
    with whole_file(path) as temporary:
        yield temporary
        seal(path, *also, content=temporary, known=known)


def seal(path: Path, *also: Path, content: Path | None = None, known: Mapping[Path, str] = NONE) -> None:
    """Write the digests of ``path``, whose content may still be in another file, of the files ``also``, and those ``known``."""
    digests = {path: sha256(content or path)} | {file: sha256(file) for file in also} | dict(known)
    write_text(record_of(path), "".join(f"{digest}  {_name(path, file)}\n" for file, digest in digests.items()))


def record_of(path: Path) -> Path:
    """The file with the digests that were written with ``path``."""
    return path.with_name(f"{path.name}.sha256")


def verify(path: Path, by: Path | None = None) -> None:
    """Refuse a file that is not the one that was written, by the digests written with it or with the file ``by``."""
    sealed = by or path
    record = record_of(sealed)
    try:
        lines = [line.split("  ", 1) for line in record.read_text(encoding="utf-8").split("\n") if line]
        digests = {name: digest for digest, name in lines}
    except FileNotFoundError:
        digests = None
    except (OSError, ValueError) as error:
        raise UserError(f"'{record}' is damaged ({error}): delete it and '{sealed}', {AGAIN}") from error
    if not path.is_file():
        to_do = "snakemake makes it again" if sealed == path else f"delete '{sealed}' if it is there, {AGAIN}"
        raise UserError(f"'{path}' is missing: {to_do}")
    if digests is None:
        raise UserError(f"'{path}' can't be checked, since '{record}' is missing: delete '{sealed}', {AGAIN}")
    name = _name(sealed, path)
    if name not in digests:
        found = next(iter(digests), "nothing")
        raise UserError(f"'{path}' is not {name}: '{record}' is of {found}; delete '{sealed}', {AGAIN}")
    if sha256(path) != digests[name]:
        raise UserError(f"'{path}' is damaged (its SHA-256 is not that in '{record}'): delete '{sealed}', {AGAIN}")


def _name(sealed: Path, file: Path) -> str:
    """``RUN/NAME`` for a file in the folder of ``sealed``, whatever the way to the folder is called."""
    folder = sealed.absolute().parent
    return f"{folder.name}/{file.absolute().relative_to(folder).as_posix()}"
