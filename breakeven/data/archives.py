"""Read files out of a tar archive, one after the other; nothing is unpacked to disk."""

import re
import tarfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path

from breakeven.store.errors import UserError
from breakeven.store.progress import progress


def tar_members(loader: str, archive: Path, names: re.Pattern[str], most_bytes: int) -> Iterator[tuple[str, bytes]]:
    """The name and content of each regular file of ``archive`` whose whole name matches ``names``.

    Links and devices are none, wherever they point. A file larger than ``most_bytes`` is refused before it is read.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in progress(tar, f"read {archive.name}", unit="file"):
                if not (member.isfile() and names.fullmatch(member.name)):
                    continue
                if member.size > most_bytes:
                    raise UserError(
                        f"{loader}: '{member.name}' in '{archive}' has {member.size} bytes, more than the {most_bytes} that "
                        "it can have: delete the archive"
                    )
                file = tar.extractfile(member)
                yield member.name, file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error, LZMAError) as error:
        reason = str(error).partition("\n")[0].removesuffix(":")  # of what is none, tarfile has a line for each format
        raise UserError(f"{loader}: '{archive}' is damaged ({reason}): delete it") from error
