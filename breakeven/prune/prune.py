"""``prune``: list what lies in a results folder and no config names, and remove it where that is said."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from breakeven.config.plan import Plan, load_plan
from breakeven.jobs.locks import acquire, description, holder
from breakeven.jobs.results_folder import LOCK, check_format, read_plan
from breakeven.prune.belongings import Belongings, belongings
from breakeven.store.errors import UserError
from breakeven.store.files import size_in_words

MANY = {"run": "runs", "study": "studies", "data set": "data sets"}


def prune(config: Sequence[Path] = (Path("config.yaml"),), results: Path | None = None, yes: bool = False) -> str:
    """The runs, studies and data sets in the results folder of these configs that none of them names, with their disk space.

    They are removed where ``yes`` is said, and no snakemake is at work there. What is left by a kill in between is no result, and
    goes the next time.
    """
    plans = {path: load_plan(path) for path in config}
    folder = results if results is not None else _shared(plans)
    if not folder.is_dir():
        return f"there is no results folder '{folder}'"
    check_format(folder)
    if not yes:
        return _told(folder, config, _unnamed(folder, plans.values()), yes)
    lock = acquire(folder / LOCK, f"removing what no config names from the results folder '{folder}'")
    try:
        found = _unnamed(folder, plans.values())
        for each in found:
            _check_unused(each)
        told = _told(folder, config, found, yes)
        for each in found:
            remove(each)
        return told
    finally:
        lock.release()


def remove(found: Belongings) -> None:
    """Remove it: its records first, so that nothing is ever taken for whole that isn't; folders where they are empty."""
    for path in found.files:
        path.unlink(missing_ok=True)
    for folder in found.folders:
        if not any(folder.iterdir()):
            folder.rmdir()


def _shared(plans: dict[Path, Plan]) -> Path:
    """The results folder of all of them."""
    folders = {path: Path(plan.config.results) for path, plan in plans.items()}
    (first, folder), *others = folders.items()
    for path, other in others:
        if other.resolve() != folder.resolve():
            raise UserError(
                f"'{first}' has its results in '{folder}', and '{path}' in '{other}': name configs of one results folder"
            )
    return folder


def _unnamed(results: Path, plans: Iterable[Plan]) -> list[Belongings]:
    named: dict[str, set[str]] = {kind: set() for kind in MANY}
    for plan in plans:
        named["run"] |= plan.runs.keys() | _begun_from(plan, results)
        named["study"] |= plan.studies.keys()
        named["data set"] |= plan.datasets.keys()
    return [each for each in belongings(results) if each.name not in named[each.kind]]


def _begun_from(plan: Plan, results: Path) -> set[str]:
    """The runs in this folder whose snapshots are the initial weights of others."""
    runs = (results / "runs").resolve()
    files = (Path(path).resolve() for path in plan.weights.values())
    return {file.relative_to(runs).parts[0] for file in files if file.is_relative_to(runs)}


def _check_unused(found: Belongings) -> None:
    """Refuse to remove what a job is writing: on a cluster, that of a Snakemake that was killed goes on."""
    for lock in found.locks:
        if holder(lock) is not None:
            raise UserError(f"{description(lock)}: wait for it, or stop it first")


def _told(results: Path, configs: Sequence[Path], found: Sequence[Belongings], yes: bool) -> str:
    """What is found, in words, a line for each."""
    names = " or ".join(f"'{path}'" for path in configs)
    if not found:
        return f"the results folder '{results}' has nothing that {names} does not name"
    counts = Counter(each.kind for each in found)
    total = ", ".join(f"{count} {kind if count == 1 else MANY[kind]}" for kind, count in counts.items())
    sizes = [size_in_words(each.size()) for each in found]
    width = max(map(len, sizes))
    lines = [f"not named by {names} in the results folder '{results}': {total}"]
    lines += [f"{size:>{width}}  {each.kind} {each.name}" for size, each in zip(sizes, found, strict=True)]
    lines += [f"stays, since no job writes such a file: {path}" for each in found for path in each.others()]
    whole = size_in_words(sum(each.size() for each in found))
    lines.append(f"{whole} in all, removed" if yes else f"{whole} in all; --yes removes them")
    plan = read_plan(results)
    if not yes and plan is not None and Path(plan["config"]).resolve() not in [path.resolve() for path in configs]:
        lines.append(f"the last snakemake here ran '{plan['config']}': name it, too, to keep what it made")
    return "\n".join(lines)
