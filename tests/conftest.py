import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """pytest-xdist runs several workers; torch's own threads would fight over the same cores."""
    torch.set_num_threads(1)
