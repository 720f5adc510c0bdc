"""Networks as people bring them, each a builder for a config: ``network: tests/networks/zoo.py:NAME``."""

import torch
from torch import nn
from torch.nn import functional

from breakeven.specs.torchvision_import import torchvision_module

WIDTH = 8


def resnet18(input_shape, classes):
    return torchvision_module("torchvision.models").resnet18(num_classes=classes)


def efficientnet_b0(input_shape, classes):
    return torchvision_module("torchvision.models").efficientnet_b0(num_classes=classes)


def mobilenet_v2(input_shape, classes):
    return torchvision_module("torchvision.models").mobilenet_v2(num_classes=classes, width_mult=0.35)


def mobilenet_v3_small(input_shape, classes):
    return torchvision_module("torchvision.models").mobilenet_v3_small(num_classes=classes, width_mult=0.35)


def vit_b_16(input_shape, classes):
    """The class of torchvision's, of a tenth of its width and a sixth of its depth."""
    vit = torchvision_module("torchvision.models.vision_transformer").VisionTransformer
    model = vit(32, 16, num_layers=2, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=classes)
    nn.init.normal_(model.heads.head.weight, std=0.1)  # 0 otherwise, so that nothing else had curvature
    return model


class Logits(nn.Module):
    """A model of transformers, of which only the outputs are taken; its words of padding are 0."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, words):
        return self.model(words, attention_mask=(words != 0).long()).logits


class FirstWord(nn.Module):
    """BERT with its own head on the first word; the pooler is idle."""

    def __init__(self, model, classes):
        super().__init__()
        self.model, self.head = model, nn.Linear(model.config.hidden_size, classes)

    def forward(self, words):
        return self.head(self.model(words, attention_mask=(words != 0).long()).last_hidden_state[:, 0])


def bert(input_shape, classes, *, pooler: bool = True):
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    config = BertConfig(vocab_size=input_shape[-1], max_position_embeddings=16, num_labels=classes, **sizes)
    return Logits(BertForSequenceClassification(config)) if pooler else FirstWord(BertModel(config), classes)


def bert_with_an_idle_pooler(input_shape, classes):
    return bert(input_shape, classes, pooler=False)


def gpt2(input_shape, classes):
    from transformers import GPT2Config, GPT2ForSequenceClassification

    sizes = {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "n_positions": 16}
    return Logits(
        GPT2ForSequenceClassification(
            GPT2Config(vocab_size=input_shape[-1], num_labels=classes, pad_token_id=0, **sizes)
        )
    )


def llama(input_shape, classes):
    from transformers import LlamaConfig, LlamaForSequenceClassification

    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    config = LlamaConfig(vocab_size=input_shape[-1], num_labels=classes, pad_token_id=0, **sizes)
    return Logits(LlamaForSequenceClassification(config))


class MixtureOfExperts(nn.Module):
    """The best two of four experts for each example; one that no example chooses gets no gradient."""

    def __init__(self, size, classes):
        super().__init__()
        self.gate = nn.Linear(size, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(size, 6), nn.SiLU(), nn.Linear(6, 5)) for _ in range(4))
        self.output = nn.Linear(5, classes)

    def forward(self, x):
        x = x.flatten(1)
        weights, chosen = self.gate(x).softmax(dim=1).topk(2, dim=1)
        mixed = x.new_zeros(len(x), 5)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(chosen == number)
            if len(row):
                mixed.index_add_(0, row, expert(x[row]) * weights[row, place, None])
        return self.output(mixed)


def mixture_of_experts(input_shape, classes):
    return MixtureOfExperts(pixels(input_shape), classes)


class Packed(nn.Module):
    """Words, an LSTM or a GRU over sequences without their padding, the last state, classes."""

    def __init__(self, kind, words, classes):
        super().__init__()
        self.words = nn.Embedding(words, 4, padding_idx=0)
        self.recurrent, self.output = getattr(nn, kind)(4, 5, batch_first=True), nn.Linear(5, classes)

    def forward(self, words):
        lengths = (words != 0).sum(dim=1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(self.words(words), lengths.cpu(), True, enforce_sorted=False)
        state = self.recurrent(packed)[1]
        return self.output((state[0] if isinstance(state, tuple) else state)[-1])


def packed_lstm(input_shape, classes):
    return Packed("LSTM", input_shape[-1], classes)


def packed_gru(input_shape, classes):
    return Packed("GRU", input_shape[-1], classes)


def pixels(input_shape):
    channels, height, width = input_shape
    return channels * height * width


def mlp(input_shape, classes, bend, size=6, of_bend=6):
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels(input_shape), size), bend, nn.Linear(of_bend, classes))


class Function(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def silu(input_shape, classes):
    return mlp(input_shape, classes, nn.SiLU())


def mish(input_shape, classes):
    return mlp(input_shape, classes, nn.Mish())


def glu(input_shape, classes):
    return mlp(input_shape, classes, nn.GLU(), of_bend=3)


def layers(*bends):
    """Linear layers between in-place ones, whose inputs nobody else may need."""
    return nn.Sequential(*(nn.Sequential(bend, nn.Linear(6, 6)) for bend in bends))


def in_place(input_shape, classes):
    return mlp(input_shape, classes, layers(nn.ELU(inplace=True), nn.SELU(inplace=True), nn.SiLU(inplace=True)))


def in_place_with_kinks(input_shape, classes):
    bends = [nn.CELU(0.5), nn.LeakyReLU(0.2), nn.Hardswish(), nn.ReLU6(), nn.Hardtanh(), nn.Hardsigmoid()]
    for bend in bends:
        bend.inplace = True
    return mlp(input_shape, classes, layers(*bends))


def into_slices(input_shape, classes):
    def bend(x):
        y = torch.zeros_like(x)
        y[:, ::2] = x[:, ::2].tanh()
        y[:, 1::2] += x[:, 1::2].sigmoid()
        y.view(-1, 2, 3)[:, 0].mul_(x[:, :3])
        return torch.cat(tensors=(y, (x > 0).to(x) * x.square()), dim=1)

    return mlp(input_shape, classes, Function(bend), of_bend=12)


def fourier(input_shape, classes):
    def bend(x):
        waves = torch.fft.rfft(x)
        turned = waves * torch.polar(waves.abs() + 1, waves.real)
        return torch.cat([turned.real, turned.imag], dim=1)

    return mlp(input_shape, classes, Function(bend), of_bend=8)


def linear_algebra(input_shape, classes):
    def bend(x):
        matrix = 3 * torch.eye(6, dtype=x.dtype) + 0.1 * x[:, :, None] * x.flip(1)[:, None, :]
        return torch.linalg.solve(matrix, x) * torch.linalg.det(matrix)[:, None] + torch.linalg.qr(matrix)[0].sum(dim=1)

    return mlp(input_shape, classes, Function(bend))


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


def function_with_a_backward(input_shape, classes):
    return mlp(input_shape, classes, Function(Square.apply))


def checkpointed(input_shape, classes):
    from torch.utils.checkpoint import checkpoint

    return mlp(input_shape, classes, Function(lambda x: checkpoint(torch.tanh, x, use_reentrant=False)))


def weight_norm_by_hook(input_shape, classes):
    model = mlp(input_shape, classes, nn.Tanh())
    model[1] = nn.utils.weight_norm(model[1])
    return model


def weight_norm_by_parametrization(input_shape, classes):
    weight_norm = nn.utils.parametrizations.weight_norm
    convolution = weight_norm(nn.Conv2d(input_shape[0], 2, 3), dim=1)
    head = weight_norm(nn.Linear(2, classes), dim=None)
    return nn.Sequential(convolution, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def spectral_norm(input_shape, classes):
    model = mlp(input_shape, classes, nn.Tanh())
    model[1] = nn.utils.parametrizations.spectral_norm(model[1])
    model[3] = nn.utils.spectral_norm(model[3])
    return model


def orthogonal(input_shape, classes):
    model = mlp(input_shape, classes, nn.Sequential(nn.Tanh(), nn.Linear(6, 6), nn.Tanh()))
    nn.utils.parametrizations.orthogonal(model[2][1], orthogonal_map="cayley")
    return model


class OfFunctions(nn.Module):
    """Normalisations called as functions."""

    def __init__(self, size, classes):
        super().__init__()
        self.first, self.last = nn.Linear(size, 6), nn.Linear(6, classes)

    def forward(self, x):
        x = functional.batch_norm(self.first(x.flatten(1)), None, None, training=True)
        x = torch.layer_norm(x.tanh() * x, (6,))
        return self.last(functional.instance_norm(x.view(-1, 2, 3)).sigmoid().flatten(1))


def functions(input_shape, classes):
    return OfFunctions(pixels(input_shape), classes)


class Frozen(nn.Sequential):
    """Its batch normalization stays in evaluation mode, as one does that is fine-tuned."""

    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def frozen_batch_norm(input_shape, classes):
    norm = nn.BatchNorm2d(2)
    nn.init.constant_(norm.running_mean, 0.5)
    nn.init.constant_(norm.running_var, 3)
    convolution, head = nn.Conv2d(input_shape[0], 2, 3), nn.Linear(2, classes)
    return Frozen(convolution, norm, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def compiled(input_shape, classes):
    return torch.compile(mlp(input_shape, classes, nn.Tanh()), backend="eager")


# refused, each in a sentence


def scripted(input_shape, classes):
    return torch.jit.script(mlp(input_shape, classes, nn.Tanh()))


def with_a_scripted_layer(input_shape, classes):
    return mlp(input_shape, classes, torch.jit.script(nn.BatchNorm1d(6)))


def bag_of_words(input_shape, classes):
    return nn.Sequential(nn.EmbeddingBag(input_shape[-1], 5), nn.Linear(5, classes))


def distances(input_shape, classes):
    return mlp(input_shape, classes, Function(lambda x: torch.cdist(x, torch.eye(6, dtype=x.dtype))))


class Once(Square):
    """Its backward gives a right gradient that can't be differentiated again."""

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0].detach() * gradient


def function_without_a_second_derivative(input_shape, classes):
    return mlp(input_shape, classes, Function(Once.apply))


@torch.jit.script
def scripted_norm(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(x, [6])


def function_that_is_scripted(input_shape, classes):
    return mlp(input_shape, classes, nn.Sequential(nn.Tanh(), Function(scripted_norm), nn.Tanh()))


def constant_to_training(input_shape, classes):
    return mlp(input_shape, classes, Function(lambda x: x * x.detach().exp()))


def random_outputs(input_shape, classes):
    return mlp(input_shape, classes, Function(lambda x: functional.dropout(x, 0.5)))


class Averaged(nn.Module):
    """Batch normalization as own code has it: by the function, with what the mode of the module says."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("var", torch.ones(6))

    def forward(self, x):
        return functional.batch_norm(x, self.mean, self.var, training=self.training)


def own_batch_norm(input_shape, classes):
    return mlp(input_shape, classes, Averaged())


def larger_in_evaluation(input_shape, classes):
    class Larger(nn.Module):
        def forward(self, x):
            return x if self.training else 5 * x

    return mlp(input_shape, classes, Larger())


def dropout_by_function(input_shape, classes):
    class Dropped(nn.Module):
        def forward(self, x):
            return functional.dropout(x, 0.01, self.training)

    return mlp(input_shape, classes, Dropped())


def under_autocast(input_shape, classes):
    class Cast(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 6)

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return self.inner(x).to(x.dtype)

    return mlp(input_shape, classes, Cast())


def complex_weights(input_shape, classes):
    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6, dtype=torch.complex64))

        def forward(self, x):
            return (x * self.weight).real

    return mlp(input_shape, classes, Complex())


def too_many_outputs(input_shape, classes):
    return mlp(input_shape, classes + 1, nn.Tanh())


def a_mistake(input_shape, classes):
    return mlp(input_shape, classes, nn.Linear(5, 6))
