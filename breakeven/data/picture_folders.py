"""Find the picture files of a data set that has a folder for each class.

Hidden files and folders, and what operating systems leave behind, are passed over. Links are followed.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from breakeven.data.pictures import SUFFIXES
from breakeven.store.contents import is_folder, is_left_behind
from breakeven.store.errors import UserError, some
from breakeven.store.progress import say, within

LOOKED_FOR = f"looked for {', '.join(SUFFIXES)}"


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in ``folder``, in their order."""
    return [entry.name for entry in _entries(folder) if is_folder(entry)]


def check_classes(loader: str, train: Path, test: Path, classes: Iterable[str], of_test: Iterable[str]) -> None:
    """``classes``, of ``train``, must differ for the eye, and those ``of_test`` must be among them.

    Some systems write é as one character, others as two.
    """
    known: dict[str, str] = {}
    for name in classes:
        twin = known.setdefault(_composed(name), name)
        if twin != name:
            raise UserError(f"{loader}: '{train}' has two classes that only Unicode tells apart: {_apart(twin, name)}")
    unknown = sorted(set(of_test) - set(classes))
    for name in unknown:
        if _composed(name) in known:
            both = _apart(known[_composed(name)], name)
            raise UserError(f"{loader}: a class of '{train}' is written in another Unicode form in '{test}': {both}")
    if unknown:
        raise UserError(f"{loader}: '{test}' has classes that '{train.name}' has not: {some(unknown)}")
    absent = sorted(set(classes) - set(of_test))
    if absent:
        say(f"{loader}: '{test}' has no folder for {len(absent)} of the classes: {some(absent)}")


def labelled(loader: str, folder: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The pictures of each class that has a folder in ``folder``, at any depth in it, each with its class's number.

    In the order of classes and names. A class's folder must have pictures. How many files are left out is told.
    """
    found, left_out = [], Counter[str]()
    here = [(label, folder / name) for label, name in enumerate(classes) if (folder / name).is_dir()]
    for label, of_class in within(here, f"list {folder.name}", unit="class"):
        pictures = pictures_in(of_class, left_out)
        if not pictures:
            raise UserError(
                f"{loader}: no pictures in '{of_class}' ({LOOKED_FOR}): put some there or delete the folder"
            )
        found += [(file, label) for file in pictures]
    if not found:
        raise UserError(f"{loader}: no pictures in '{folder}': it must hold a folder for each class")
    tell_left_out(loader, folder, left_out, sum(entry.name not in classes for entry in _entries(folder)))
    return found


def pictures_in(folder: Path, left_out: Counter[str]) -> list[Path]:
    """The pictures in ``folder`` and in the folders in it, by their suffixes; those of other files are counted."""
    pictures = []
    for file in _files(folder, frozenset()):
        if file.suffix.lower() in SUFFIXES:
            pictures.append(file)
        else:
            left_out[file.suffix.lower()] += 1
    return pictures


def tell_left_out(loader: str, folder: Path, left_out: Counter[str], beside: int = 0) -> None:
    """Say how many files are no pictures by their suffixes, and how many files and folders are ``beside`` the classes."""
    parts = []
    if left_out:
        kinds = [f"{suffix or 'no suffix'} ({count})" for suffix, count in left_out.most_common()]
        parts.append(f"{left_out.total()} of the files, which are no pictures by their names: {some(kinds)}")
    if beside:
        parts.append(f"{beside} of the files and folders beside the classes'")
    if parts:
        say(f"{loader}: left out of '{folder}': {'; '.join(parts)}")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _apart(first: str, second: str) -> str:
    return f"{first!a} and {second!a}, which look the same; rename one of them as the other"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in ``folder``, by its names; a file system of many pictures is slow to say more of each than that."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not is_left_behind(entry.name)), key=lambda entry: entry.name)


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """All files in ``folder`` and in the folders in it, but in none that is among those ``above`` by a link."""
    place = os.path.realpath(folder)
    if place in above:
        return
    for entry in _entries(folder):
        if is_folder(entry):
            yield from _files(folder / entry.name, above | {place})
        else:
            yield folder / entry.name
