"""All benchmarks, one after the other: what each prints goes into ``--out``/NAME.md, and each of its tables into NAME-1.csv, ….

Some hours on 2 cores; ``--only step planning`` for some of them. One that fails is named at the end.
"""

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import common

PROGRAMS = {  # its name among the results: the program and its options
    "step": ["step"],
    "planning": ["planning"],
    "scaling": ["scaling"],
    "study": ["study"],
    "stability": ["stability"],
    "covariance": ["covariance"],
    "hessian-digits": ["hessian", "--digits", "--tasks", "1"],
    "hessian": ["hessian"],
    "calibrate_peers": ["calibrate_peers"],
    "calibration": ["calibration"],
    "memory": ["memory"],
}


def main() -> None:
    """Run them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path("benchmarks/results/last"), help="default: %(default)s")
    options.add_argument(
        "--only", nargs="+", choices=PROGRAMS, default=list(PROGRAMS), metavar="NAME", help=f"of {', '.join(PROGRAMS)}"
    )
    arguments = options.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    failed = [name for name in arguments.only if not run(name, PROGRAMS[name], arguments.out)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def run(name: str, command: list[str], out: Path) -> bool:
    """Whether a program, with its options, did not fail."""
    common.say(name)
    program, *options = command
    script = Path(__file__).with_name(f"{program}.py")
    done = subprocess.run([sys.executable, str(script), *options], stdout=subprocess.PIPE, text=True)
    for earlier in out.glob(f"{name}-[0-9].csv"):
        earlier.unlink()
    (out / f"{name}.md").write_text(done.stdout, encoding="utf-8")
    for number, table in enumerate(tables(done.stdout), start=1):
        with (out / f"{name}-{number}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
    return done.returncode == 0


def tables(text: str) -> Iterator[list[list[str]]]:
    """The cells of each Markdown table in ``text``, header included."""
    for is_table, lines in groupby(text.splitlines(), key=lambda line: line.startswith("|")):
        if is_table:
            yield [
                [cell.strip().replace("**", "") for cell in line.strip("|").split("|")]
                for line in lines
                if not line.startswith("|---")
            ]


if __name__ == "__main__":
    main()
