"""The LSTM against PyTorch's own, Keras' published number of parameters, and Keras' start."""

import math

import pytest
import torch
from torch import nn

from breakeven.networks.lstm import lstm
from breakeven.spectra.per_example.direct_gradients import looped, vectorised


def test_the_published_number_of_parameters():
    model = lstm((80, 20_000), 2)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == 2_691_842
    one_output_less = 129
    assert count - one_output_less == 2_691_713 == 2_560_000 + 131_584 + 129  # embedding, LSTM, one sigmoid output


def test_forward_and_gradient_equal_those_of_torch():
    torch.manual_seed(0)
    model = lstm((6, 11), 3, embedding=5, hidden=4).double()
    theirs = nn.LSTM(5, 4, batch_first=True).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter)
        theirs.weight_ih_l0.copy_(model.from_input.weight)
        theirs.weight_hh_l0.copy_(model.from_state.weight)
        theirs.bias_ih_l0.copy_(model.from_input.bias)
        theirs.bias_hh_l0.zero_()
    words = torch.randint(0, 11, (7, 6))
    logits = model(words)
    expected = model.output(theirs(model.embedding(words))[1][0][0])
    assert logits.shape == (7, 3)
    torch.testing.assert_close(logits, expected, rtol=1e-12, atol=1e-12)
    ours = torch.autograd.grad(
        logits.square().sum(), [model.from_input.weight, model.from_state.weight, model.from_input.bias]
    )
    others = torch.autograd.grad(expected.square().sum(), [theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0])
    for mine, other in zip(ours, others, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_weights_start_as_those_of_keras():
    torch.manual_seed(0)
    model = lstm((80, 2000), 2)
    uniform = {
        model.embedding.weight: 0.05,
        model.from_input.weight: math.sqrt(6 / (128 + 4 * 128)),
        model.output.weight: math.sqrt(6 / (128 + 2)),
    }
    for weight, bound in uniform.items():
        assert 0.95 * bound < weight.abs().max() <= bound
        assert math.isclose(weight.std().item(), bound / math.sqrt(3), rel_tol=0.1)
    kernel = model.from_state.weight
    torch.testing.assert_close(kernel.T @ kernel, torch.eye(128), atol=1e-5, rtol=0)
    gates = model.from_input.bias.view(4, 128)
    assert (gates[1] == 1).all() and not gates[[0, 2, 3]].any() and not model.output.bias.any()


def test_dropout_only_in_training():
    torch.manual_seed(0)
    model, words = lstm((6, 11), 3, embedding=5, hidden=4, dropout=0.5), torch.randint(0, 11, (7, 6))
    assert not torch.equal(model(words), model(words))
    assert torch.equal(model.eval()(words), model(words))
    assert dict(model.named_parameters()).keys() == dict(lstm((6, 11), 3).named_parameters()).keys()


def test_pictures_are_refused():
    with pytest.raises(ValueError, match="reads sequences of words"):
        lstm((3, 8, 8), 2)


def test_it_works_under_vmap_and_in_a_loop_alike():
    """Which PyTorch's own does not."""
    torch.manual_seed(0)
    model, words = lstm((6, 11), 3, embedding=5, hidden=4).double(), torch.randint(0, 11, (7, 6))
    names, targets = [name for name, _ in model.named_parameters()], torch.arange(7) % 3
    torch.testing.assert_close(vectorised(model, names, words, targets), looped(model, names, words, targets))


def test_under_autocast():
    torch.manual_seed(0)
    model, words = lstm((6, 11), 3, embedding=5, hidden=4), torch.randint(0, 11, (7, 6))
    with torch.autocast("cpu", torch.bfloat16):
        half = model(words)
    assert half.dtype == torch.bfloat16
    exact = model(words)
    torch.testing.assert_close(half.float(), exact, rtol=0, atol=0.02 * float(exact.detach().abs().max()))
    assert not torch.equal(half.float(), exact)
