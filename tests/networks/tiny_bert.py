"""A BERT with random weights, so small that dense matrices of it fit, and as a folder that can be loaded."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: tests ask no hub for anything
import torch

from breakeven.specs.torchvision_import import torchvision_module

transformers = torchvision_module("transformers")  # itself loads its parts when they are asked for

TINY = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 10,
}


def saved(folder, **changes):
    """``folder``, with a pretrained model in it that has no layer for any classes."""
    torch.manual_seed(1)
    model = transformers.BertModel(transformers.BertConfig(**TINY | changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return str(folder)


def pieces(count, tokens, words):
    """Inputs (count, 3, tokens): of different lengths, the second sentence of type 1."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(1, words, (count, tokens), generator=generator)
    lengths = torch.randint(2, tokens + 1, (count, 1), generator=generator)
    there = (torch.arange(tokens) < lengths).long()
    types = (torch.arange(tokens) >= lengths // 2).long() * there
    return torch.stack([ids * there, there, types], dim=1)
