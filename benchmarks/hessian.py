"""The largest eigenvalues of H along a trajectory of SGD: ours against the peers of ``solvers.py``.

At consecutive snapshots of SimpleCNN on CIFAR-10 (every 10 steps of the early phase), with H on 128 pictures; with
``--digits``, of the network of config.yaml on digits (every 20 steps, at its learning rate), with H on its 287 pictures.
(a) λ_H^1 to a relative error of 1e-3; (b) the five algebraically largest eigenvalues, each to 1e-3 of λ_H^1.

Each peer is run with the cheapest of its settings (`solvers.PEERS`) that is so accurate at all its snapshots: after the
first miss it starts over with the next. Errors are against reference values to about 1e-6, which SciPy confirms in
float64 at some snapshots. At each snapshot a gradient evaluation, our solver and the peer take turns, and every
time is compared with its neighbours' alone.

On one core this takes about an hour; --snapshots 5 gives a first impression. --references FILE keeps the
reference values, which take a fifth of that, for the next call with the same trajectory.
"""

import json
import statistics
from argparse import Namespace
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import common
import torch
from solvers import PEERS, Answer, Peer, Problem, ours, scipy_reference, tight
from stability import DIGITS, digits_of_the_default_study
from torch import Tensor

from breakeven.store.errors import UserError

ACCURACY = 1e-3
SETTING = {"tolerance": ACCURACY}  # of ours
TOP = 5
TITLES = {1: "(a) λ_H^1 to a relative error of 1e-3", TOP: f"(b) the {TOP} largest eigenvalues, each to 1e-3 of λ_H^1"}
HEADER = ["", "version", "setting", "turns", "largest error", "matvecs", "gradient evaluations", "time / ours"]


@dataclass
class Seen:
    """What was seen of a solver, turn by turn: its seconds, and those of a gradient evaluation and of ours beside it."""

    solver: list[float] = field(default_factory=list)
    gradient: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    matvecs: list[int] = field(default_factory=list)
    error: float = 0.0


def main() -> None:
    """Print a table for each task."""
    options = common.parser(__doc__, snapshots=20, repeats=1, images=128, every=10, slow_every=4, confirm=2)
    options.add_argument(
        "--tasks", default=f"1,{TOP}", help="numbers of eigenvalues, a table each (default: %(default)s)"
    )
    options.add_argument("--peers", default="", help="only those with one of these words in their names, by commas")
    options.add_argument("--references", help="a JSON file that keeps the reference values for the next call")
    options.add_argument("--digits", action="store_true", help="the digits and the network of config.yaml")
    arguments = options.parse_args()
    device = common.set_up(arguments)
    learning_rate = 0.05
    if arguments.digits:
        data, model = digits_of_the_default_study(device)
        arguments.data, arguments.images, arguments.every, learning_rate = "digits", DIGITS, 20, 0.1
    else:
        data, model = common.examples(arguments.data, device), common.network(arguments.network, device)
    inputs, targets = data.first(arguments.images)
    snapshots = common.trajectory(model, data, arguments.snapshots, arguments.every, learning_rate)
    problems = [Problem(model, weights, inputs, targets, number) for number, weights in enumerate(snapshots)]
    references = reference_values(problems, arguments)
    print(
        f"{common.machine(device)}; {common.size(model)} parameters, {arguments.images} pictures of {arguments.data}."
    )
    print(
        f"λ_H^1 at the snapshots, {arguments.every} steps apart: {', '.join(f'{float(r[0]):.2f}' for r in references)}."
    )
    print(confirmation(problems, references, arguments.confirm))
    for count in map(int, arguments.tasks.split(",")):
        print(f"\n### {TITLES[count]}\n")
        print(common.table(HEADER, compare(problems, references, count, arguments)), flush=True)


def reference_values(problems: list[Problem], arguments: Namespace) -> list[Tensor]:
    """The reference values of each snapshot; read from --references if they are there, else computed and written there."""
    made_with = ("data", "network", "snapshots", "every", "images", "device")
    key = {name: str(getattr(arguments, name)) for name in made_with}
    kept = Path(arguments.references) if arguments.references else None
    if kept and kept.exists():
        content = json.loads(kept.read_text(encoding="utf-8"))
        if content["made with"] != key:
            raise UserError(f"--references: '{kept}' was made with other options ({content['made with']})")
        return [torch.tensor(values, dtype=torch.float64) for values in content["values"]]
    values = [reference(problem) for problem in problems]
    if kept:
        kept.write_text(json.dumps({"made with": key, "values": [v.tolist() for v in values]}), encoding="utf-8")
    return values


def reference(problem: Problem) -> Tensor:
    """The largest eigenvalues to about 1e-6, a thousandth of what is asked of the solvers, from four random vectors."""
    common.say(f"reference of snapshot {problem.number}")
    problem.load()
    return tight(problem, TOP, 1e-6).values


def confirmation(problems: list[Problem], references: list[Tensor], count: int) -> str:
    """How far the values that SciPy finds in float64 from a random vector are from the reference values."""
    differences = []
    for i in range(count):
        number = len(problems) * (2 * i + 1) // (2 * count)
        common.say(f"independent reference of snapshot {number}")
        difference = error(scipy_reference(problems[number].in_float64(), TOP), references[number])
        differences.append(f"{difference:.1e} (snapshot {number})")
    return f"Reference values against SciPy's, relative to λ_H^1: {', '.join(differences) or 'not compared'}."


def error(values: Tensor, expected: Tensor) -> float:
    """The largest error of ``values`` relative to λ_1; infinite if one is missing."""
    return float((values - expected[: len(values)]).abs().nan_to_num(float("inf")).max() / expected[0])


def compare(problems: list[Problem], references: list[Tensor], count: int, arguments: Namespace) -> list[list[str]]:
    """The rows of a task's table: ours, then each peer."""
    problems, seen = along_the_trajectory(problems, references, count)
    rows = [["**breakeven**", common.version_of("breakeven") or "", *cells(SETTING, seen), "1"]]
    for peer in PEERS:
        if not any(word in peer.name for word in arguments.peers.split(",")):
            continue
        version = common.version_of(peer.distribution)
        if version is None:
            rows.append([peer.name, "not installed", *["–"] * (len(HEADER) - 2)])
            continue
        chosen = slice(None, None, arguments.slow_every if peer.slow and count > 1 else 1)
        for setting in peer.for_one if count == 1 else peer.for_several:
            seen = by_turns(problems[chosen], references[chosen], count, peer, setting, arguments.repeats)
            if seen.error <= ACCURACY:
                break
        reached = "" if seen.error <= ACCURACY else " **not reached**"
        rows.append([peer.name, version, *cells(setting, seen, reached), common.ratio_text(seen.solver, seen.ours)])
    return rows


def along_the_trajectory(problems: list[Problem], references: list[Tensor], count: int) -> tuple[list[Problem], Seen]:
    """Our solver from snapshot to snapshot; each problem with the eigenvectors of its neighbour, and what was seen."""
    seen, neighbour, with_neighbours = Seen(), None, []
    for problem, expected in zip(problems, references, strict=True):
        problem = replace(problem, neighbour=neighbour, scale=float(expected[0]))
        with_neighbours.append(problem)
        answer = turn(seen, problem, expected, count, None, SETTING)
        neighbour = answer.vectors
    return with_neighbours, seen


def by_turns(
    problems: list[Problem], references: list[Tensor], count: int, peer: Peer, setting: dict[str, Any], repeats: int
) -> Seen:
    """A gradient evaluation, our solver and the peer by turns at each snapshot; ends at the first miss."""
    seen = Seen()
    for problem, expected in zip(problems, references, strict=True):
        common.say(f"{peer.name}, {count} of snapshot {problem.number}, {text(setting)}")
        for _ in range(repeats):
            turn(seen, problem, expected, count, peer, setting)
        if seen.error > ACCURACY:
            common.say(f"missed: error {seen.error:.1e}, {seen.matvecs[-1]} matvecs")
            break
    return seen


def turn(
    seen: Seen, problem: Problem, expected: Tensor, count: int, peer: Peer | None, setting: dict[str, Any]
) -> Answer:
    """One turn: a gradient evaluation, ours (if there is a peer) and the solver, ours if there is none."""
    problem.load()
    device = problem.inputs.device
    common.gradient(problem.model, problem.inputs, problem.targets)  # not timed
    took = common.timed(lambda: common.gradient(problem.model, problem.inputs, problem.targets), device)[0]
    seen.gradient.append(took)
    if peer is not None:
        seen.ours.append(common.timed(lambda: ours(problem, count, SETTING), device)[0])
    solver = peer.solver if peer else ours
    took, answer = common.timed(lambda: solver(problem, count, setting), device)
    seen.solver.append(took)
    seen.matvecs.append(answer.matvecs)
    seen.error = max(seen.error, error(answer.values, expected))
    return answer


def cells(setting: dict[str, Any], seen: Seen, note: str = "") -> list[str]:
    """Setting, turns, largest error, medians of the products with H and of the cost in gradient evaluations."""
    evaluations = common.ratio(seen.solver, seen.gradient)
    matvecs = f"{statistics.median(seen.matvecs):.0f} ({min(seen.matvecs)} to {max(seen.matvecs)})"
    return [text(setting), str(len(seen.solver)), f"{seen.error:.1e}{note}", matvecs, f"{evaluations:.1f}"]


def text(setting: dict[str, Any]) -> str:
    """A setting as a reader would write it: tol=0.01, ncv=4."""
    return ", ".join(f"{name}={value:g}" for name, value in setting.items() if not isinstance(value, bool))


if __name__ == "__main__":
    common.run(main)
