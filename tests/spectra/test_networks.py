import pytest
import torch

from tests.spectra.networks import CASES, case


@pytest.mark.parametrize("name", CASES)
def test_model_and_oracle_are_the_same_function(name):
    """And small enough for dense matrices, with gradients that matter."""
    made = case(name)
    torch.testing.assert_close(made.model(made.inputs), made.oracle(made.inputs), rtol=1e-12, atol=1e-12)
    size = sum(parameter.numel() for parameter in made.model.parameters())
    assert size < 400 and sorted(made.order().tolist()) == list(range(size))
