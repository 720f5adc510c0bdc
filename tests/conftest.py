import gc

import pytest
import torch

from tests.once import once

gc.disable()  # what is imported and collected is no garbage, and to look for some in it takes a twelfth of the time


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """pytest-xdist runs several workers; torch's own threads would fight over the same cores.

    Before each test and its fixtures, since other libraries (numba) change the number for the whole process, and sums in
    another order are other bytes.
    """
    torch.set_num_threads(1)


def bundled(folder):
    from breakeven.figures.bundle import bundle  # here, since tests on a GPU run where nothing that draws is installed

    bundle(folder / "vega.js")
    return ""


@pytest.fixture(scope="session")
def vega(tmp_path_factory):
    """What stage bundle writes."""
    return once(tmp_path_factory, "vega", bundled)[0] / "vega.js"
