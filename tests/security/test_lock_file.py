"""``requirements.txt`` pins all that the package and its checks need, in the versions that are installed here."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("workflow", "bert", "test")  # the peers of ``benchmark`` are named in benchmarks/README.md


def locked() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pins = {canonicalize_name(requirement.name): requirement for requirement in found}
    assert len(pins) == len(found)
    return pins


LOCKED = locked()


def direct() -> list[Requirement]:
    more = PROJECT["optional-dependencies"]
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(text for name in EXTRAS for text in more[name])]]


def needed(requirements: list[Requirement], seen: set[tuple[str, str]]) -> Iterator[str]:
    """The names of all distributions that are reached from ``requirements`` on this machine, with their extras."""
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        for extra in ["", *requirement.extras]:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            yield name
            own = [Requirement(text) for text in distribution(name).requires or []]
            yield from needed([r for r in own if r.marker is None or r.marker.evaluate({"extra": extra})], seen)


def test_everything_that_is_needed_is_pinned_in_the_installed_version():
    names = set(needed(direct(), set()))
    assert {"torch", "numpy", "snakemake", "transformers", "pytest"} < names
    assert sorted(names - LOCKED.keys()) == []
    found = {name: distribution(name).version for name in names}
    other = {
        name: f"{version}, not {LOCKED[name]}"
        for name, version in found.items()
        if version not in LOCKED[name].specifier
    }
    assert other == {}


def test_every_pin_is_exact_and_without_a_local_version():
    for requirement in LOCKED.values():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(requirement.specifier)), str(requirement)
        assert requirement.url is None and requirement.marker is None


@pytest.mark.parametrize("build", ["", "+cpu", "+cu126", "+cu130", "+rocm6.4"])
def test_the_pin_of_torch_admits_every_build(build):
    [pin] = LOCKED["torch"].specifier
    assert pin.contains(f"{pin.version}{build}")
    assert not pin.contains(f"{pin.version}.1{build}")


def test_what_the_package_asks_for_admits_the_pins():
    for requirement in direct():
        [pin] = LOCKED[canonicalize_name(requirement.name)].specifier
        assert pin.version in requirement.specifier, f"{requirement} does not admit {pin.version}"
