import pytest
import torch

from breakeven.jobs import device as module
from breakeven.jobs.device import choose_device
from breakeven.measurements.measured import DTYPES
from breakeven.store.errors import UserError


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("available", "expected"), [(False, "cpu"), (True, "cuda")])
def test_auto(monkeypatch, available, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(module, "_gpu", lambda slots: torch.device("cuda"))  # see test_gpu_slots.py
    assert choose_device("auto", 1).type == expected
    assert choose_device("cpu", 1).type == "cpu"


def test_no_silent_fall_back(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"^device: 'cuda' .* allowed: auto, cpu$"):
        choose_device("cuda", 1)


def test_threads_are_set():
    for threads in (1, 2):
        choose_device("cpu", threads)
        assert torch.get_num_threads() == threads


def test_names_of_precisions():
    assert {name: torch.finfo(dtype).bits for name, dtype in DTYPES.items()} == {"float32": 32, "float64": 64}
