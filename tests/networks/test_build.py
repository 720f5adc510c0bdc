import inspect

import pytest
import torch

from breakeven.networks import build as module
from breakeven.networks.build import build
from breakeven.networks.registry import NETWORKS, builder, network_source, reads
from breakeven.store.errors import UserError
from tests.networks.tiny_bert import saved
from tests.tiny import tiny_spec

CPU = torch.device("cpu")


def weights(spec, dtype=torch.float32, shape=(2, 8, 6)):
    return build(spec, shape, 3, dtype, CPU).state_dict()


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("network", ["simple_cnn", "simple_cnn_bn"])
def test_the_seed_decides_the_initial_weights(network):
    spec = tiny_spec(network=network)
    first = weights(spec)
    torch.manual_seed(99)
    torch.rand(3)
    assert same(first, weights(spec))
    assert same(first, weights(tiny_spec(network=network, learning_rate=1.0, batch_size=2, momentum=0.9)))
    other = weights(tiny_spec(network=network, seed=1))
    matrices = [name for name, weight in first.items() if weight.ndim > 1]  # biases and averages start as constants
    assert len(matrices) == 4
    assert not any(torch.equal(first[name], other[name]) for name in matrices)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    weights(tiny_spec())
    assert torch.equal(torch.get_rng_state(), before)


def test_every_precision_starts_from_the_same_weights():
    single, double = weights(tiny_spec()), weights(tiny_spec(), torch.float64)
    assert {tensor.dtype for tensor in double.values()} == {torch.float64}
    assert all(torch.equal(double[name], single[name].double()) for name in single)


def test_options_reach_the_network():
    shapes = {name: tuple(tensor.shape) for name, tensor in weights(tiny_spec()).items()}
    assert shapes["0.weight"] == (3, 2, 3, 3)
    assert shapes["6.weight"] == (5, 3 * 4 * 3)
    assert shapes["8.weight"] == (3, 5)


@pytest.mark.parametrize("shape", [(1, 3, 8), (1, 8, 3)])
def test_pictures_that_are_too_small(shape):
    with pytest.raises(
        UserError, match=f"network 'simple_cnn': pictures of {shape[1]}x{shape[2]} are too small for 2 pool"
    ):
        weights(tiny_spec(network_options={"channels": [2, 2]}), shape=shape)
    weights(tiny_spec(network_options={"channels": [2]}), shape=shape)


INPUTS = {
    "pictures": ((3, 32, 32), torch.zeros(2, 3, 32, 32)),
    "words": ((6, 30), torch.zeros(2, 6, dtype=torch.int64)),
    "word pieces": ((3, 6, 30), torch.zeros(2, 3, 6, dtype=torch.int64)),
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_registered_network_can_be_built(name, tmp_path):
    """Its options are read from the source; the oracle is the function itself."""
    function = inspect.unwrap(builder(name))
    assert function.__module__ == network_source(name).module
    assert (function.__kwdefaults__ or {}) == {option: o.default for option, o in network_source(name).options.items()}
    shape, inputs = INPUTS[reads(name)]
    options = {"model": saved(tmp_path)} if name == "bert" else {}
    assert builder(name)(shape, 7, **options)(inputs).shape == (2, 7)


def test_a_size_that_is_left_open_is_told(monkeypatch):
    monkeypatch.setattr(module, "builder", lambda name: lambda shape, classes, **options: torch.nn.LazyLinear(classes))
    with pytest.raises(UserError, match="network 'simple_cnn': the size of 'weight' must be given, not left to a lazy"):
        weights(tiny_spec())


def test_what_a_builder_must_return(monkeypatch):
    monkeypatch.setattr(module, "builder", lambda name: lambda shape, classes, **options: None)
    with pytest.raises(UserError, match=r"network 'simple_cnn': it returned a NoneType; allowed: a torch\.nn\.Module"):
        weights(tiny_spec())


def test_float32_is_float32_and_reproducible():
    """On a GPU, from when a network is built."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    build(tiny_spec(), (1, 8, 8), 3, torch.float32, torch.device("cpu"))
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.deterministic


def test_an_unknown_network_is_told():
    with pytest.raises(UserError, match=r"^there is no network 'nosuch'; allowed: bert, densenet121"):
        builder("nosuch")
