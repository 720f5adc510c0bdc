"""How often what we call converged, an interval, or a verdict is right: the eigensolver, the trace, each test, each claim.

Everything is simulated or trained here, and held against what is known by another way. On 2 cores this takes a quarter of an
hour; --share 0.1 gives a first impression.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import calibrate_claims
import calibrate_eigensolver
import calibrate_tests
import calibrate_trace
import common
import torch

PARTS = {  # the longest first: its function and how many problems, or studies of each kind, it draws
    "eigensolver": (calibrate_eigensolver.report, 3000),
    "claims": (calibrate_claims.report, 100),
    "tests": (calibrate_tests.report, 5000),
    "trace": (calibrate_trace.report, 300),
}


def main() -> None:
    """Print the tables of each part."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--parts", default=",".join(PARTS), help="which, by commas (default: %(default)s)")
    options.add_argument(
        "--share", type=float, default=1.0, help="of the problems that are drawn (default: %(default)s)"
    )
    options.add_argument("--processes", type=int, default=2, help="parts at once (default: %(default)s)")
    arguments = options.parse_args()
    torch.set_num_threads(1)
    print(f"{common.machine(torch.device('cpu'))}.", flush=True)
    with ProcessPoolExecutor(arguments.processes, get_context("spawn"), one_thread) as pool:
        chosen = [PARTS[name] for name in arguments.parts.split(",")]
        tables = [pool.submit(report, max(1, round(number * arguments.share))) for report, number in chosen]
        for table in tables:
            print(f"\n{table.result()}", flush=True)


def one_thread() -> None:
    """Parts take turns on the cores; the threads of torch would only get in each other's way."""
    torch.set_num_threads(1)


if __name__ == "__main__":
    common.run(main)
