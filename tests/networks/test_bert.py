"""BERT against transformers' own, from a folder that holds a small one with random weights."""

import json
import sys

import pytest
import torch
from torch import nn

from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.bert import bert
from breakeven.networks.build import build
from breakeven.networks.primitive import with_primitive_operations
from breakeven.networks.weights import copy_of, load_into
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from tests.networks.tiny_bert import pieces, saved, transformers
from tests.tiny import tiny_spec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("bert"))


def count(classes):
    with torch.device("meta"):
        model = transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=classes))
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_published_number_of_parameters():
    assert (count(2), count(3)) == (109_483_778, 109_484_547)


@pytest.mark.parametrize("measured", [False, True])
def test_forward_equals_that_of_transformers(folder, measured):
    """Also with our layer normalization; with the mask as transformers makes it and its own attention kernel."""
    torch.manual_seed(0)
    model = bert((3, 7, 30), 3, model=folder).double()
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3).double().eval()
    theirs.load_state_dict(model.transformer.state_dict())
    if measured:
        model = with_primitive_operations(model)
    set_measuring(model)
    inputs = pieces(6, 7, 30)
    assert 0 < inputs[:, 1].sum() < inputs[:, 1].numel()
    ids, mask, types = inputs.unbind(1)
    expected = theirs(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
    assert expected.shape == (6, 3)
    torch.testing.assert_close(model(inputs), expected, rtol=1e-10, atol=1e-12)
    other = inputs.clone()
    other[:, 0][inputs[:, 1] == 0] = 5
    torch.testing.assert_close(model(other), expected, rtol=1e-10, atol=1e-12)


def test_pretrained_weights_are_kept_and_the_seed_draws_the_rest(folder):
    def weights(seed):
        spec = tiny_spec(network="bert", network_options={"model": folder}, seed=seed)
        return build(spec, (3, 7, 30), 3, torch.float32, CPU).state_dict()

    first, again, other = weights(0), weights(0), weights(1)
    theirs = transformers.AutoModel.from_pretrained(folder).state_dict()
    assert all(torch.equal(first[f"transformer.bert.{name}"], tensor) for name, tensor in theirs.items())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert [name for name in first if not torch.equal(first[name], other[name])] == ["transformer.classifier.weight"]


def test_under_autocast(folder):
    torch.manual_seed(0)
    model, inputs = bert((3, 7, 30), 3, model=folder), pieces(6, 7, 30)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(inputs)
    assert half.dtype == torch.bfloat16
    exact = model(inputs)
    torch.testing.assert_close(half.float(), exact, rtol=0, atol=0.02 * float(exact.detach().abs().max()))
    assert not torch.equal(half.float(), exact)


def test_dropout_is_off_by_default_and_everywhere_the_given_rate(folder):
    inputs = pieces(6, 7, 30)
    model = bert((3, 7, 30), 3, model=folder).train()
    assert torch.equal(model(inputs), model(inputs))
    model = bert((3, 7, 30), 3, model=folder, dropout=0.3).train()
    rates = {module.p for module in model.modules() if isinstance(module, nn.Dropout)}
    assert rates == {0.3} and not torch.equal(model(inputs), model(inputs))
    set_measuring(model)
    assert torch.equal(model(inputs), model(inputs))


def test_a_snapshot_of_training_loads_into_the_network_that_is_measured(folder, tmp_path):
    """With its buffers of positions and types, which transformers does not save."""
    trained, other = bert((3, 7, 30), 3, model=folder), bert((3, 7, 30), 3, model=folder)
    now, buffers = (copy_of(dict(n)) for n in (trained.named_parameters(), trained.named_buffers()))
    assert any(name.endswith("position_ids") for name in buffers)
    entry = snapshots.write(tmp_path, "run", snapshots.Snapshot(0, now, copy_of(now), buffers), 0.1)
    other = with_primitive_operations(other)
    with torch.no_grad():
        for tensor in (*other.parameters(), *other.buffers()):
            tensor.zero_()
    load_into(other, snapshots.read(tmp_path / entry.file, "run", 0, entry.sha256))
    torch.testing.assert_close(other(pieces(6, 7, 30)), trained(pieces(6, 7, 30)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 11, 30), "has 10 positions, and the data set's texts have 11 tokens"),
        ((3, 7, 31), "knows 30 word pieces, and the data set has 31"),
        ((7, 30), r"it reads word pieces with mask and types, and inputs of shape \(7, 30\) are none"),
    ],
)
def test_data_that_do_not_fit(folder, shape, message):
    spec = tiny_spec(network="bert", network_options={"model": folder})
    with pytest.raises(UserError, match=f"^network 'bert': .*{message}"):
        build(spec, shape, 3, torch.float32, CPU)


@pytest.mark.parametrize("model", ["no/such-model", "/no/such/folder", "no such model"])
def test_a_model_that_cannot_be_found(model):
    spec = tiny_spec(network="bert", network_options={"model": model})
    with pytest.raises(UserError, match=f"^network 'bert': model '{model}' can't be loaded") as error:
        build(spec, (3, 7, 30), 3, torch.float32, CPU)
    assert "\n" not in str(error.value)


def test_a_model_without_safetensors_or_of_another_kind_or_for_other_classes(folder, tmp_path):
    config = transformers.AutoConfig.from_pretrained(folder).to_dict()
    for name, kind in (("pickled", "bert"), ("other", "no-such-kind")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config | {"model_type": kind}))
        (tmp_path / name / "pytorch_model.bin").write_bytes(b"")
    bert((3, 7, 30), 2, model=folder).transformer.save_pretrained(tmp_path / "tuned")
    for name, reason in (("pickled", "no file named model.safetensors"), ("other", "no-such-kind"), ("tuned", "size")):
        spec = tiny_spec(network="bert", network_options={"model": str(tmp_path / name)})
        with pytest.raises(UserError, match=f"^network 'bert': model .*{name}' can't be loaded .*{reason}") as error:
            build(spec, (3, 7, 30), 3, torch.float32, CPU)
        assert "\n" not in str(error.value)


def test_without_transformers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'transformers>=5'"):
        bert((3, 7, 30), 3)
