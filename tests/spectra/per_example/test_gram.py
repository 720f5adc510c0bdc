import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear

from breakeven.spectra.blocked_gram import blocked_gram
from breakeven.spectra.gram_spectrum import spectrum
from breakeven.spectra.per_example import gram as per_example
from breakeven.spectra.per_example.gram import per_example_gram
from breakeven.spectra.per_example.routes import make_plan
from breakeven.store.errors import MeasurementError, UserError
from tests.spectra.networks import CASES, LENGTH, TOKENS, case, tokens
from tests.spectra.oracles import dense_covariance, examples

MIXING = {"cnn_bn-smooth", "cnn_bn-kinked", "densenet-kinked"}
PLENTY = 1000.0


def dense_rows(model, inputs, targets):
    """The gradient of each example by itself: a loop, and one ordinary backward pass for each."""
    rows = []
    for i in range(len(targets)):
        loss = cross_entropy(model(inputs[i : i + 1]), targets[i : i + 1])
        gradients = torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True)
        rows.append(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    return torch.stack(rows)


def assert_same(ours, expected, tolerance=1e-10):
    assert ours.dtype == torch.float64
    torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))


def assert_exact(model, inputs, targets, memory_mb=PLENTY):
    rows = dense_rows(model, inputs, targets)
    assert_same(per_example_gram(model, inputs, targets, memory_mb), rows @ rows.T)


@pytest.mark.parametrize("name", [name for name in CASES if name not in MIXING])
def test_equals_the_gradients_of_each_example_alone(name):
    made = case(name)
    rows = dense_rows(made.oracle, made.inputs, made.targets)
    assert_same(per_example_gram(made.model, made.inputs, made.targets, PLENTY), rows @ rows.T)


@pytest.mark.parametrize("name", ["mlp-smooth", "cnn-kinked", "lstm_linear-smooth", "lstm-smooth", "attention-smooth"])
def test_the_memory_limit_changes_nothing_but_rounding(name, monkeypatch):
    """From all at once down to two examples, the least there can be; the least is what the error says."""
    made = case(name)
    capacities = []

    def recorded(count, rows_of_block, inner, capacity):
        capacities.append(capacity)
        return blocked_gram(count, rows_of_block, inner, capacity)

    monkeypatch.setattr(per_example, "blocked_gram", recorded)
    whole = per_example_gram(made.model, made.inputs, made.targets, PLENTY)
    with pytest.raises(UserError, match=r"memory_mb: 0.001 is too small .* need about") as error:
        per_example_gram(made.model, made.inputs, made.targets, 0.001)
    least = float(str(error.value).partition("about ")[2].partition(";")[0])
    for limit in (least * factor for factor in (1.06, 1.2, 1.5, 2, 3, 4)):
        assert_same(per_example_gram(made.model, made.inputs, made.targets, limit), whole, 1e-13)
    assert capacities[0] == 11 and capacities[1] == 2 and len(set(capacities)) >= 4, capacities
    with pytest.raises(UserError, match="too small"):
        per_example_gram(made.model, made.inputs, made.targets, least * 0.94)


@pytest.mark.parametrize("name", ["cnn-kinked", "lstm-smooth", "attention_torch-smooth"])
def test_the_order_of_the_examples_only_reorders(name, monkeypatch):
    made = case(name)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(4))
    whole = per_example_gram(made.model, made.inputs, made.targets, PLENTY)
    for chunk in (16, 4, 1):
        monkeypatch.setattr(per_example, "CHUNK", chunk)
        again = per_example_gram(made.model, made.inputs[order], made.targets[order], PLENTY)
        assert_same(again, whole[order][:, order], 1e-13)


@pytest.mark.parametrize(
    "name", ["mlp-smooth", "cnn-smooth", "lstm_linear-smooth", "lstm_cell-smooth", "attention-smooth"]
)
def test_float32_is_close(name):
    made = case(name)
    exact = per_example_gram(made.model, made.inputs, made.targets, PLENTY)
    inputs = made.inputs.float() if made.inputs.is_floating_point() else made.inputs
    assert_same(per_example_gram(made.model.float(), inputs, made.targets, PLENTY), exact, 1e-5)


@pytest.mark.parametrize("name", [name for name in CASES if name not in MIXING])
def test_spectrum_of_k_of_single_examples(name):
    """That of the dense covariance; positive semidefinite, at most n − 1 values."""
    made = case(name)
    covariance = dense_covariance(dense_rows(made.oracle, made.inputs, made.targets))
    dense = np.linalg.eigvalsh(covariance.numpy())[::-1][:10].copy()
    k = spectrum(per_example_gram(made.model, made.inputs, made.targets, PLENTY))
    assert len(k.eigenvalues) == 10 and (k.eigenvalues >= 0).all()
    torch.testing.assert_close(k.eigenvalues, torch.from_numpy(dense), rtol=1e-9, atol=1e-13 * dense[0])
    assert k.trace == pytest.approx(float(covariance.trace()), rel=1e-10)


@pytest.mark.parametrize("name", sorted(MIXING))
def test_batch_normalization_has_no_gradient_of_one_example(name):
    made = case(name)
    for model in (made.model, made.oracle):
        with pytest.raises(UserError, match=r"batch_size: 1 .*batch normalization, whose statistics mix .* at least 2"):
            per_example_gram(model, made.inputs, made.targets, PLENTY)


class Mixing(nn.Sequential):
    def forward(self, x):
        return super().forward(x - x.mean(dim=0))


def test_other_networks_that_mix_examples_or_draw_lots_are_refused_too():
    inputs, targets = examples(6, shape=(4,))
    for model in (Mixing(nn.Linear(4, 3)), nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).train()):
        with pytest.raises(UserError, match="other outputs for an example in a mini-batch than for it alone"):
            per_example_gram(model.double(), inputs, targets, PLENTY)


def plan_of(model, inputs, targets):
    plan = make_plan(model, inputs, targets)
    assert plan is not None
    return plan


def ways(name):
    """Per parameter of the model: factors, gradients (of a layer) or directly."""
    made = case(name)
    plan = plan_of(made.model, made.inputs, made.targets)
    found = dict.fromkeys(plan.rest, "directly")
    for module_name, module in made.model.named_modules():
        for layer in plan.layers:
            if layer.module is module:
                kept = "factors" if layer.factored else "gradients"
                found |= {f"{module_name}.{kind}": kept for kind in ("weight", "bias") if getattr(layer, kind)}
    return found, plan.vectorise


def test_each_parameter_goes_the_way_that_is_right_for_it():
    mlp, _ = ways("mlp-smooth")
    assert set(mlp.values()) == {"factors"} and len(mlp) == 5
    cnn, _ = ways("cnn-smooth")
    assert cnn["0.weight"] == cnn["0.bias"] == cnn["2.weight"] == cnn["4.weight"] == "gradients"
    assert cnn["10.weight"] == "factors"
    cell, _ = ways("lstm_linear-smooth")
    assert cell["from_state.weight"] == "gradients" and cell["embedding.weight"] == "factors"
    lstm, vectorised = ways("lstm-smooth")
    assert lstm["lstm.weight_ih_l0"] == "directly" and lstm["output.weight"] == "factors"
    assert not vectorised, "PyTorch's LSTM has begun to work under vmap"
    keras, _ = ways("lstm_keras-smooth")
    assert "directly" not in keras.values() and keras["embedding.weight"] == "factors"
    bert, vectorised = ways("bert-smooth")
    embeddings = [
        bert[f"transformer.bert.embeddings.{kind}_embeddings.weight"] for kind in ("word", "token_type", "position")
    ]
    assert embeddings == ["factors", "gradients", "directly"] and vectorised, (
        "its positions are the same for all examples"
    )
    transformer, vectorised = ways("attention_torch-smooth")
    assert transformer["attention.attention.out_proj.weight"] == transformer["positions"] == "directly"
    assert transformer["norms.0.weight"] == "directly" and transformer["dense.0.weight"] != "directly" and vectorised


class Odd(nn.Module):
    """One weight in two layers, one used without its layer as well, one computed, one never used, an output overwritten."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.both = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.computed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
        self.unused, self.frozen = nn.Linear(4, 4), nn.Linear(4, 4)
        self.frozen.weight.requires_grad_(False)
        self.last, self.relu = nn.Linear(4, 3), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.second(self.first(x).tanh()))
        x = linear(self.both(input=x).tanh(), self.both.weight)
        x = self.frozen(self.relu(self.computed(x)))
        return self.last(x) + self.last(x.square())


def test_odd_uses_of_weights():
    torch.manual_seed(0)
    inputs, targets = examples(9, shape=(4,))
    model = Odd().double()
    trained = [p for p in model.parameters() if p.requires_grad]
    rows = torch.stack(
        [
            torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, trained, materialize_grads=True)])
            for loss in (cross_entropy(model(x[None]), y[None]) for x, y in zip(inputs, targets, strict=True))
        ]
    )
    assert_same(per_example_gram(model, inputs, targets, PLENTY), rows @ rows.T)
    plan = plan_of(model, inputs, targets)
    assert {"first.weight", "both.weight", "unused.weight", "unused.bias"} <= set(plan.rest)
    by_layer = {id(layer.module): layer for layer in plan.layers}
    assert by_layer[id(model.last)].weight
    assert by_layer[id(model.first)].bias and not by_layer[id(model.first)].weight
    assert by_layer[id(model.computed)].bias and not by_layer[id(model.frozen)].weight


class SequenceFirst(nn.Module):
    """The examples along the second axis of what the layer is given; as many positions as there are examples."""

    def __init__(self):
        super().__init__()
        self.embedding, self.hidden, self.output = nn.Embedding(TOKENS, 3), nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, words):
        x = self.hidden(self.embedding(words.T)).tanh()
        return self.output(x.mean(dim=0))


@pytest.mark.parametrize("count", [2, 3, LENGTH, 11])
@pytest.mark.parametrize("length", [3, LENGTH])
def test_an_axis_of_positions_is_not_taken_for_the_examples(count, length):
    inputs, targets = tokens(count)
    assert_exact(SequenceFirst().double(), inputs[:, :length], targets)


class AsLongAsNeeded(nn.Module):
    """A layer that is used twice for most examples and once more for those of another kind."""

    def __init__(self):
        super().__init__()
        self.hidden, self.output = nn.Linear(40, 40), nn.Linear(40, 3)

    def forward(self, x):
        y = self.hidden(self.hidden(x).tanh())
        return self.output(self.hidden(y) if bool((x > 5).any()) else y)


def test_a_layer_that_is_used_more_often_in_some_mini_batches_than_in_others(monkeypatch):
    """The outputs of the others in the mini-batch are then not their own."""
    inputs, targets = examples(6, shape=(40,))
    inputs[5, 0] = 6
    monkeypatch.setattr(per_example, "CHUNK", 3)
    with pytest.raises(UserError, match="other outputs for an example in one mini-batch than in another"):
        per_example_gram(AsLongAsNeeded().double(), inputs, targets, PLENTY)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": (2, 3), "dilation": (3, 2), "padding": (0, 2)},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": 3, "padding": "valid", "bias": False},
        {"kernel_size": 8},
        {"kernel_size": 3, "groups": 2},
        {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
    ],
    ids=str,
)
@pytest.mark.parametrize("width", [2, 40])
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_all_sorts_of_convolutions(options, width):
    """Narrow ones keep gradients, wide ones with few positions factors."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, width, **options), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = nn.Sequential(*model, nn.Linear(width, 3)).double()
    inputs, targets = examples(5, shape=(2, 8, 8))
    assert_exact(model, inputs, targets)
    [convolution] = [layer for layer in plan_of(model, inputs, targets).layers if layer.module is model[0]] or [None]
    assert (convolution is None) == ("groups" in options or "padding_mode" in options)
    if options == {"kernel_size": 8}:
        assert convolution.factored


def test_one_example_and_two():
    model = nn.Linear(4, 3).double()
    inputs, targets = examples(2, shape=(4,))
    for count in (1, 2):
        assert_exact(model, inputs[:count], targets[:count])


def test_what_is_not_finite_is_nan():
    inputs, targets = examples(6, shape=(4,))
    for bad in (0, 5):  # among the examples that are tried first, and after them
        given = inputs.clone()
        given[bad, 0] = math.nan
        a = per_example_gram(nn.Linear(4, 3).double(), given, targets, PLENTY)
        assert a.shape == (6, 6) and a.isnan().all()
        assert math.isnan(spectrum(a).trace)


@pytest.mark.parametrize("wrong", ["inner_products", "factored_inner_products", "bias_gradients", "weight_gradients"])
@pytest.mark.parametrize("limit", [PLENTY, 0.2])
def test_a_wrong_number_is_noticed(wrong, limit, monkeypatch):
    """A weighted sum is compared with the gradient of the weighted loss in every call."""
    made = case("cnn-smooth")
    right = getattr(per_example, wrong)
    monkeypatch.setattr(per_example, wrong, lambda *a: right(*a) * (1 + 1e-4))
    with pytest.raises(MeasurementError, match="contradict the gradient of a weighted sum"):
        per_example_gram(made.model, made.inputs, made.targets, limit)


def test_a_missing_example_is_noticed_in_float32(monkeypatch):
    made = case("attention-smooth")
    right = per_example._rows

    def without_first(*arguments):
        outputs, rows = right(*arguments)
        for row in rows:
            row[0] = 0
        return outputs, rows

    monkeypatch.setattr(per_example, "_rows", without_first)
    with pytest.raises(MeasurementError, match=r"contradict the gradient .* or where float32 is too coarse"):
        per_example_gram(made.model.float(), made.inputs, made.targets, PLENTY)


def test_nothing_is_left_behind():
    made = case("cnn-smooth")
    before = copy.deepcopy(made.model.state_dict())
    per_example_gram(made.model, made.inputs, made.targets, PLENTY)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.model.state_dict().items())
    assert all(parameter.grad is None for parameter in made.model.parameters())
    assert not any(module._forward_hooks for module in made.model.modules())
