"""The rooms of the package: imports run one way, from the top of this list down."""

import ast
from pathlib import Path

import breakeven

PACKAGE = Path(breakeven.__file__).parent

# what each room may import, beside itself
ROOMS = {
    "store": set(),
    "specs": {"store"},
    "jobs": {"store"},
    "data": {"store", "specs"},
    "networks": {"store", "specs", "data"},
    "spectra": {"store", "specs", "networks"},
    "training": {"store", "specs", "jobs", "data", "networks"},
    "measurements": {"store", "specs", "data", "networks", "spectra", "training"},
    "summary": {"store", "specs", "spectra"},
    "claims": {"store", "specs"},
    "figures": {"store", "specs"},
    "report": {"store", "specs", "jobs", "claims", "figures", "stages"},
    "config": {"store", "specs", "data", "networks", "training", "figures", "stages"},
    "estimate": {"store", "specs", "jobs", "data", "networks", "spectra", "training", "measurements", "config"},
    "launch": {"store", "jobs"},
    "export": {"store", "specs"},
    "prune": {"store", "specs", "jobs", "figures", "config", "stages"},
    "publish": {"store", "specs", "jobs", "claims", "figures", "report", "config"},
    "stages": {"specs"},
    "commands": {"store", "specs", "jobs", "stages"},
    "__main__": {"commands", "config", "jobs", "stages", "store"},
}


def room_of(module):
    """The room of ``breakeven.ROOM...``; none of the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "breakeven" and len(parts) > 1 else None


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_room_imports_one_above_it():
    arrows = {room: set() for room in ROOMS}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room != "__init__":
            arrows[room] |= {room_of(module) for module in imported(path)} - {room, None, "__version__"}
    assert {room: arrows[room] - ROOMS[room] for room in ROOMS if arrows[room] - ROOMS[room]} == {}
    # and the list itself has no circle: each room only imports rooms that can be built before it
    built = set()
    while len(built) < len(ROOMS):
        ready = {room for room, below in ROOMS.items() if below <= built} - built
        assert ready, f"in a circle: {ROOMS.keys() - built}"
        built |= ready
