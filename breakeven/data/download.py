"""Official archives: downloaded over https, whole or not at all, and known by their SHA-256 before anything in them is read."""

import errno
import hashlib
import math
from collections.abc import Iterator, Sequence
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from breakeven.store.errors import UserError
from breakeven.store.files import sha256, whole_file
from breakeven.store.progress import progress

PATIENCE = 60  # seconds until a server that sends nothing has failed
PIECE = 2**20
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # here, whatever is asked for


def official(loader: str, path: Path, digest: str, urls: Sequence[str], missing: str, instead: str) -> None:
    """Have the official file, with this SHA-256, at ``path``; it is downloaded where there is none.

    The first of ``urls`` that gives the right bytes is taken. Where none does, the user reads what is ``missing`` and what can
    be done ``instead`` on a machine without internet.
    """
    if path.exists():
        if sha256(path) != digest:
            raise UserError(f"{loader}: '{path}' is damaged or half downloaded (its SHA-256 is wrong): delete it")
        return
    failures = []
    for url in urls:
        try:
            _download(url, path, digest)
            return
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, OSError) and error.errno in OF_THE_DISK:
                error.filename = error.filename or str(path)
                raise
            failures.append(f"the download from {url} failed ({error})")
    raise UserError(f"{loader}: {missing}, and {', and '.join(failures)}. On a machine without internet, {instead}.")


def _download(url: str, path: Path, digest: str) -> None:
    """Torchvision's own downloader would go on by http where https fails, follow a redirect there, and wait for ever."""
    _check_scheme(url)
    path.parent.mkdir(parents=True, exist_ok=True)  # before anything comes
    request = Request(url, headers={"User-Agent": "breakeven"})  # noqa: S310 - the scheme is checked
    with build_opener(_HttpsAlone).open(request, timeout=PATIENCE) as answer, whole_file(path) as temporary:
        found = hashlib.sha256()
        with temporary.open("wb") as file:
            for piece in progress(_pieces(answer), f"download {path.name}", unit="MiB", total=_mebibytes(answer)):
                found.update(piece)
                file.write(piece)
        if found.hexdigest() != digest:
            raise ValueError("what came is not the official file: its SHA-256 is another")


def _pieces(answer: HTTPResponse) -> Iterator[bytes]:
    return iter(lambda: answer.read(PIECE), b"")


def _mebibytes(answer: HTTPResponse) -> int | None:
    return None if answer.length is None else math.ceil(answer.length / PIECE)


class _HttpsAlone(HTTPRedirectHandler):
    """Follows no redirect to anything else than https."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise URLError(f"it leads to {url}, which is not https")
