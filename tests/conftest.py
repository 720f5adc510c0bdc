import pytest
import torch


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """pytest-xdist runs several workers; torch's own threads would fight over the same cores.

    Before each test and its fixtures, since other libraries (numba) change the number for the whole process, and sums in
    another order are other bytes.
    """
    torch.set_num_threads(1)
