"""BERT and its kind (Devlin et al., 2019), pretrained, with a new layer for the classes: fine-tuned on MNLI in the paper.

The networks are those of HuggingFace's transformers, loaded from safetensors without running any code of a checkpoint.
``bert-base-uncased`` has 109,483,778 parameters for two classes, 109,484,547 for the three of MNLI.
"""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from breakeven.specs.hub import revision_of
from breakeven.specs.source import Folder
from breakeven.specs.torchvision_import import torchvision_module
from breakeven.store.errors import UserError

# The names of the dropout rates in the configurations of BERT, RoBERTa, ELECTRA, DistilBERT ...
DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
)


def bert(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    model: Folder = "bert-base-uncased",
    revision: str | None = None,
    dropout: float = 0.0,
) -> nn.Module:
    """A pretrained transformer for ``input_shape`` (3, tokens, words): word pieces, attention mask and token types.

    ``model``: a local folder, or its name on HuggingFace's hub, with its commit there as ``revision`` (that of
    ``bert-base-uncased`` is known). ``dropout``: everywhere that it has dropout.
    """
    if len(input_shape) != 3 or input_shape[0] != 3:
        raise ValueError(f"it reads word pieces with mask and types, and inputs of shape {tuple(input_shape)} are none")
    transformers = _transformers()
    commit = revision_of(model, revision)
    config = _loaded(transformers.AutoConfig, model, revision=commit or "main", num_labels=classes)
    _check(config, model, *input_shape[1:])
    for name in DROPOUTS:
        if hasattr(config, name):
            setattr(config, name, dropout)
    network = _loaded(
        transformers.AutoModelForSequenceClassification,
        model,
        revision=commit or "main",
        config=config,
        use_safetensors=True,
        attn_implementation="eager",
        dtype=torch.float32,
    )
    from breakeven.data.hub import verify  # which comes with transformers

    verify(model, commit)
    return Bert(network)


class Bert(nn.Module):
    """The logits of a transformer of HuggingFace's for word pieces, mask and types in one tensor.

    The mask is made here, in the form in which it is added to the scores of attention: transformers would make the same,
    but looks at its values first, which `torch.func.vmap` can't.
    """

    def __init__(self, transformer: nn.Module):
        super().__init__()
        self.transformer = transformer
        kinds: int = getattr(transformer.config, "type_vocab_size", 0)
        self.reads_types = kinds > 1 and "token_type_ids" in inspect.signature(transformer.forward).parameters

    def forward(self, inputs: Tensor) -> Tensor:
        """``inputs``: int64 (batch, 3, tokens)."""
        pieces, there, types = inputs.unbind(1)
        dtype = next(self.parameters()).dtype
        mask = (there[:, None, None, :] == 0).to(dtype) * torch.finfo(dtype).min
        more = {"token_type_ids": types} if self.reads_types else {}
        logits: Tensor = self.transformer(input_ids=pieces, attention_mask=mask, return_dict=False, **more)[0]
        return logits


def _transformers() -> Any:
    """The package, which imports torchvision; it says nothing of the layer that is not pretrained."""
    try:
        transformers = torchvision_module("transformers")
    except ImportError as error:
        raise UserError("network 'bert' needs the package transformers: pip install 'transformers>=5'") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def _loaded(kind: Any, model: str, **options: Any) -> Any:
    try:
        return kind.from_pretrained(model, trust_remote_code=False, **options)
    except Exception as error:  # of a damaged file, a missing package …: of many types, with much advice
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"model '{model}' can't be loaded from HuggingFace's hub or a local folder: {reason}"
        ) from error


def _check(config: Any, model: str, tokens: int, words: int) -> None:
    known, positions = getattr(config, "vocab_size", words), getattr(config, "max_position_embeddings", tokens)
    if known < words:
        raise ValueError(f"model '{model}' knows {known} word pieces, and the data set has {words}")
    if positions < tokens:
        raise ValueError(f"model '{model}' has {positions} positions, and the data set's texts have {tokens} tokens")
