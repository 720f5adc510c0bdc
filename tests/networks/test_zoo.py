"""Networks of the user's own, one a row: right against oracles that know nothing of the package, or refused in a sentence.

The oracles take the network as its builder returns it, with PyTorch's own layers: central differences of gradients and second
differences of losses where it is smooth; where it has kinks, or batch normalization of few numbers, Hessian-vector products by
reverse over reverse, one example at a time, which is right through PyTorch's own normalisations.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from breakeven.commands import call, parser_for
from breakeven.data.prepare import write
from breakeven.data.splits import Splits
from breakeven.measurements import dry_pass
from breakeven.networks.batch_norm import mixes_examples, set_measuring
from breakeven.networks.build import build
from breakeven.networks.exact_kernels import exact_kernels
from breakeven.networks.primitive import with_primitive_operations
from breakeven.specs.run import canonical_json
from breakeven.spectra.curvature import fastest_way, forward_mode, per_example_curvature, reverse_mode
from breakeven.spectra.hessian import product
from breakeven.store.errors import UserError
from tests.networks import zoo
from tests.tiny import DATASET, tiny_dataset, tiny_spec, tiny_splits

EXAMPLES, CLASSES, WORDS = 4, 3, 7
SMALL, PICTURES, TEXTS = (3, 5, 5), (3, 32, 32), (6, WORDS)
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch, what is deprecated


@dataclass(frozen=True)
class Row:
    """``reverse``: forward mode has it wrong, or not at all. ``mixes``: an example's loss depends on the others."""

    name: str
    shape: tuple[int, ...] = SMALL
    smooth: bool = True
    reverse: bool = False
    mixes: bool = False


ZOO = [
    Row("resnet18", PICTURES, smooth=False, mixes=True),
    Row("efficientnet_b0", PICTURES, smooth=False, mixes=True),
    Row("mobilenet_v2", PICTURES, smooth=False, mixes=True),
    Row("mobilenet_v3_small", PICTURES, smooth=False, mixes=True),
    Row("vit_b_16", PICTURES),
    Row("bert", TEXTS),
    Row("bert_with_an_idle_pooler", TEXTS),
    Row("gpt2", TEXTS),
    Row("llama", TEXTS),
    Row("mixture_of_experts"),
    Row("packed_lstm", TEXTS, reverse=True),
    Row("packed_gru", TEXTS, reverse=True),
    Row("silu"),
    Row("mish"),
    Row("glu", reverse=True),
    Row("in_place"),
    Row("in_place_with_kinks", smooth=False),
    Row("into_slices", smooth=False),
    Row("fourier"),
    Row("linear_algebra", reverse=True),
    Row("function_with_a_backward", reverse=True),
    Row("checkpointed"),
    Row("weight_norm_by_hook"),
    Row("weight_norm_by_parametrization"),
    Row("spectral_norm"),
    Row("orthogonal", reverse=True),
    Row("functions", mixes=True),
    Row("frozen_batch_norm"),
    Row("compiled"),
]


def own_spec(name):
    return tiny_spec(network=f"{zoo.__file__}:{name}", network_options={})


def examples(shape):
    draws = torch.Generator().manual_seed(1)
    targets = torch.randint(0, CLASSES, (EXAMPLES,), generator=draws)
    if shape is not TEXTS:
        return torch.randn(EXAMPLES, *shape, generator=draws, dtype=torch.float64), targets
    words = torch.randint(1, WORDS, (EXAMPLES, shape[0]), generator=draws)
    for text, length in zip(words, (6, 4, 1, 5), strict=True):
        text[length:] = 0  # padding
    return words, targets


class RMSNorm(nn.Module):
    """That of LLaMA, which computes in float32 whatever it is given, in float64."""

    def __init__(self, theirs):
        super().__init__()
        self.weight, self.eps = theirs.weight, theirs.variance_epsilon

    def forward(self, x):
        return self.weight * x / (x.square().mean(dim=-1, keepdim=True) + self.eps).sqrt()


# what the oracles need in other words: PyTorch has no second derivative of hardsigmoid
OWN = {"LlamaRMSNorm": RMSNorm, "Hardsigmoid": lambda _: zoo.Function(lambda x: (x / 6 + 0.5).clamp(0, 1))}


def built(row):
    """The network twice: as the package measures it, and as the builder returns it, with the same weights."""
    model = build(own_spec(row.name), row.shape, CLASSES, torch.float64, torch.device("cpu"))
    plain = build(own_spec(row.name), row.shape, CLASSES, torch.float64, torch.device("cpu"))
    draws = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
            mine += 0.02 * torch.randn(mine.shape, generator=draws, dtype=torch.float64)
            other.copy_(mine)
    model = with_primitive_operations(model)
    set_measuring(model)
    plain.eval()
    for module in plain.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and row.mixes:
            module.train()
        for name, child in module.named_children():
            if type(child).__name__ in OWN:
                setattr(module, name, OWN[type(child).__name__](child))
    return model, plain


def directions(model, plain):
    """A unit vector; and the same without what the vectors of padding do, which are constant to training."""
    draws = torch.Generator().manual_seed(3)
    size = sum(parameter.numel() for parameter in model.parameters())
    e = torch.randn(size, generator=draws, dtype=torch.float64)
    e /= e.norm()
    parameters = list(plain.parameters())
    parts = [p.clone().view_as(w) for p, w in zip(e.split([w.numel() for w in parameters]), parameters, strict=True)]
    for module in plain.modules():
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            parts[[id(p) for p in parameters].index(id(module.weight))][module.padding_idx] = 0
    return e, parts


class Oracle:
    """L and ℓ_i of the network as it was built, on the weights θ + h·e."""

    def __init__(self, plain, parts, inputs, targets):
        self.plain, self.inputs, self.targets = plain, inputs, targets
        self.names = [name for name, _ in plain.named_parameters()]
        self.now = [parameter.detach().clone() for parameter in plain.parameters()]
        self.parts = parts

    def losses(self, h):
        with torch.no_grad():
            moved = {n: w + h * p for n, w, p in zip(self.names, self.now, self.parts, strict=True)}
            outputs = functional_call(self.plain, moved, (self.inputs,))
            return cross_entropy(outputs, self.targets, reduction="none")

    def gradient(self, h):
        moved = [(w + h * p).requires_grad_() for w, p in zip(self.now, self.parts, strict=True)]
        outputs = functional_call(self.plain, dict(zip(self.names, moved, strict=True)), (self.inputs,))
        return torch.autograd.grad(cross_entropy(outputs, self.targets), moved, materialize_grads=True)

    def by_differences(self):
        """H e, and H_i, to the fourth and the sixth order of the step."""
        h, far = 1e-4, 5e-4
        sides = [self.gradient(step * h) for step in (-2, -1, 1, 2)]
        product = [(a - 8 * b + 8 * c - d) / (12 * h) for a, b, c, d in zip(*sides, strict=True)]
        weights = {0: -490, 1: 270, 2: -27, 3: 2}
        curvatures = sum(weights[abs(step)] * self.losses(step * far) for step in range(-3, 4)) / (180 * far**2)
        return torch.cat([part.reshape(-1) for part in product]), curvatures

    def by_double_backward(self):
        parameters = list(self.plain.parameters())
        products = []
        for i in range(EXAMPLES):
            loss = cross_entropy(self.plain(self.inputs), self.targets, reduction="none")[i]
            gradient = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
            slope = sum((part * along).sum() for part, along in zip(gradient, self.parts, strict=True))
            second = torch.autograd.grad(slope, parameters, materialize_grads=True)
            products.append(torch.cat([part.reshape(-1) for part in second]))
        e = torch.cat([part.reshape(-1) for part in self.parts])
        return torch.stack(products).mean(dim=0), torch.stack(products) @ e


@pytest.mark.parametrize("row", ZOO, ids=lambda row: row.name)
def test_right(row):
    model, plain = built(row)
    inputs, targets = examples(row.shape)
    e, parts = directions(model, plain)
    with exact_kernels(plain):
        oracle = Oracle(plain, parts, inputs, targets)
        expected, of_examples = oracle.by_differences() if row.smooth else oracle.by_double_backward()
        torch.testing.assert_close(model(inputs), plain(inputs), rtol=1e-10, atol=1e-10)
    near = 1e-6 if row.smooth else 1e-9
    with exact_kernels(model):
        assert mixes_examples(model, inputs) is row.mixes
        found = product(model, [(inputs, targets)], e)
        assert (found - expected).norm() <= near * expected.norm() > 0
        fastest = fastest_way(model, inputs)
        assert fastest is (reverse_mode if row.reverse else forward_mode)
        for way in {fastest, reverse_mode}:
            curvatures = per_example_curvature(model, e, inputs, targets, way)
            assert (curvatures - of_examples).abs().max() <= near * of_examples.abs().max()
            assert float(curvatures.mean()) == pytest.approx(float(e @ found), rel=1e-10, abs=1e-14)
        if row.shape is not PICTURES:
            dry_pass.check(model, inputs, targets, CLASSES)


REFUSED = {
    "scripted": "the network is compiled by TorchScript, .* build it without torch.jit.script",
    "with_a_scripted_layer": "layer '2' is compiled by TorchScript",
    "bag_of_words": "the network can't be measured, since H needs second .* none of 'embedding_bag'; write it in other",
    "distances": ".*PyTorch has none of 'cdist'",
    "function_without_a_second_derivative": "its H, by differentiating twice, is not how its gradient .* a backward",
    "constant_to_training": "its H, by differentiating twice, is not how its gradient .*detach",
    "function_that_is_scripted": "the mean curvature of its examples is not that of its loss, .* TorchScript",
    "random_outputs": "it gives other outputs for the same inputs: what is random in it must be off",
    "own_batch_norm": r"after model.train\(\) it gives other outputs than after model.eval\(\), in which it is measured",
    "larger_in_evaluation": r"after model.train\(\) it gives other outputs than after model.eval\(\)",
    "under_autocast": "it computes under torch.autocast, of which H has too few digits: leave that to the key 'precision'",
    "complex_weights": "it has complex weights or buffers, which would lose their imaginary parts",
    "too_many_outputs": r"it must return a tensor of shape \(examples, outputs\) = \(3, 3\), not \(3, 4\)",
    "a_mistake": "RuntimeError: mat1 and mat2 shapes cannot be multiplied",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    data = tmp_path / "data"
    if name == "bag_of_words":
        pictures = tiny_splits()
        words = torch.randint(1, WORDS, (43, 6), generator=torch.Generator().manual_seed(0)).int().numpy()
        made = Splits(words, pictures.train_labels, words[:11], pictures.test_labels, tuple("abc"), WORDS)
        write(made, DATASET, data, 0.3, seed=0, train_examples=None, test_examples=None)
    else:
        tiny_dataset(data)
    with pytest.raises(UserError, match=f"^network '{Path(zoo.__file__)}:{name}'.*: {REFUSED[name]}"):
        dry_pass.check_own_network(own_spec(name), data, torch.device("cpu"))


def test_what_is_random_in_training_alone_is_not_refused(tmp_path):
    """Even where, as mostly here, nothing is dropped, and what is left is scaled."""
    tiny_dataset(tmp_path / "data")
    dry_pass.check_own_network(own_spec("dropout_by_function"), tmp_path / "data", torch.device("cpu"))


def test_it_is_refused_before_it_is_trained(tmp_path):
    """By the command, which each rule calls; the packages' own networks are not tried, and no data read for that."""
    arguments = ["train", "--spec", canonical_json(own_spec("constant_to_training")), "--device", "cpu"]
    for name in ("data", "out", "state"):
        arguments += [f"--{name}", str(tmp_path / name)]
    tiny_dataset(tmp_path / "data")
    parsed = parser_for(arguments).parse_args(arguments)
    with pytest.raises(UserError, match="constant_to_training': its H, by differentiating twice"):
        call(parsed.stage, parsed)
    assert not (tmp_path / "out").exists() and not (tmp_path / "state").exists()
    dry_pass.check_own_network(tiny_spec(), tmp_path / "nowhere", torch.device("cpu"))
