"""Official archives: downloaded whole or not at all, and known by their checksum."""

import hashlib
import tempfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from breakeven.data.torchvision_import import torchvision_module
from breakeven.errors import UserError
from breakeven.files import sha256


def download(urls: Sequence[str], path: Path, md5: str | None, missing: str, instead: str) -> None:
    """Download the first of ``urls`` that answers beside ``path`` and rename, so that a file of that name is always a whole one.

    Where that fails, the user reads what is ``missing`` and what can be done ``instead`` on a machine without internet.
    """
    utils = torchvision_module("torchvision.datasets.utils")
    failures = []
    for url in urls:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
                utils.download_url(url, folder, path.name, md5)
                (Path(folder) / path.name).rename(path)
            return
        except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: torchvision's, for a wrong checksum
            failures.append(f"the download from {url} failed ({error})")
    raise UserError(f"{missing}, and {', and '.join(failures)}. On a machine without internet, {instead}.")


def verify_sha256(loader: str, path: Path, digest: str) -> None:
    """Refuse a file that is not the official one."""
    if sha256(path) != digest:
        raise UserError(f"{loader}: '{path}' is damaged or half downloaded (its SHA-256 is wrong): delete it")


def verify_md5(loader: str, path: Path, digest: str) -> None:
    """Refuse a file that is not the official one, where its publisher gives an MD5 alone."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != digest:
        raise UserError(f"{loader}: '{path}' is damaged or half downloaded (its MD5 is wrong): delete it")
