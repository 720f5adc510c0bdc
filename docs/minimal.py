"""The break-even point of SGD in one file: `python docs/minimal.py`, with torch, NumPy and scikit-learn, in 20 seconds.

Stochastic gradient descent with learning rate η and batch size S takes the steps

    θ ← θ − η ∇L_B(θ),    L_B(θ) = mean of the losses ℓ_i(θ) over a mini-batch B of S of the N training examples.

Early in training the loss surface gets sharper: the largest eigenvalue λ of the Hessian H of the training loss grows.
Along its eigenvector e the loss of example i is a parabola with curvature H_i = eᵀ ∇²ℓ_i e. These have the mean λ and a
variance s². On such parabolas SGD is stable, in that its distance from the minimum does not grow, if and only if

    (1 − η λ)² + s² η² (N − S) / (S (N − 1)) ≤ 1.                                                             (Eq. 1)

The first term is gradient descent, which is stable while λ ≤ 2/η; the second is what mini-batches add. The break-even
point is where the left-hand side reaches 1: there SGD stops following the surface to where it is sharper (Jastrzebski et
al., "The break-even point on optimization trajectories of deep neural networks", ICLR 2020).

This is a run of the project's default study, with η = 0.03 and seed 0; tests/docs/test_minimal.py compares the numbers.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.func import functional_call, jvp
from torch.nn.functional import cross_entropy

ETA, S, SEED = 0.03, 32, 0
STEPS, EVERY = 200, 20  # the length of the run, and the steps from one measurement to the next


def random_seed(purpose, *indices):
    """Each purpose has random numbers of its own: 0 the initial weights, 1 the order of the examples (of each epoch)."""
    high, low = np.random.SeedSequence([SEED, purpose, *indices]).generate_state(2, np.uint32)
    return (int(high) << 31) ^ int(low)


def digits():
    """The training pictures of handwritten digits, (1437, 1, 8, 8), their labels, and the indices of the measured ones."""
    images, labels = load_digits().images.reshape(-1, 1, 8, 8), load_digits().target
    images, _, labels, _ = train_test_split(images, labels, test_size=0.2, random_state=SEED, stratify=labels)
    inputs = (torch.tensor(images, dtype=torch.float32) - images.mean()) / images.std()
    # H is that of a fifth of the training set, always the same
    measured = np.random.default_rng([SEED, 4]).permutation(len(labels))[: round(0.2 * len(labels))]
    return inputs, torch.tensor(labels), torch.tensor(measured)


def network():
    """A small convolutional network; weights are drawn as Glorot and Bengio do, biases are 0."""
    torch.manual_seed(random_seed(0))
    layers = []
    for channels, width in ((1, 16), (16, 32)):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(32 * 2 * 2, 64), nn.ReLU(), nn.Linear(64, 10)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def train(model, inputs, labels):
    """Train by plain SGD; yield before step 0, EVERY, 2 EVERY …, so that the network can be measured there."""
    optimizer = torch.optim.SGD(model.parameters(), lr=ETA)
    steps_per_epoch = len(labels) // S
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            yield step
        epoch, position = divmod(step, steps_per_epoch)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(random_seed(1, epoch)))
        batch = order[position * S : (position + 1) * S]
        optimizer.zero_grad()
        cross_entropy(model(inputs[batch]), labels[batch]).backward()
        optimizer.step()


def losses(model, theta, inputs, labels):
    """The loss ℓ_i of each example, as a function of all weights in one vector θ."""
    parts = theta.split([parameter.numel() for parameter in model.parameters()])
    weights = {name: part.view_as(old) for (name, old), part in zip(model.named_parameters(), parts, strict=True)}
    return cross_entropy(functional_call(model, weights, inputs), labels, reduction="none")


def flat(model):
    """θ: all weights in one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def lambda_1(model, inputs, labels, tolerance=1e-3):
    """The largest eigenvalue λ of H and its eigenvector e, by the method of Lanczos.

    H is too large to write down, but H v is cheap for any vector v: it is the gradient of ∇L(θ)ᵀ v. Lanczos takes v, H v,
    H² v, …, makes them orthonormal (the rows of Q), and finds the largest eigenvalue of the small matrix T = Q H Qᵀ,
    which is tridiagonal. It stops when ‖H e − λ e‖, which T knows too, is small.
    """
    theta = flat(model).requires_grad_()
    (gradient,) = torch.autograd.grad(losses(model, theta, inputs, labels).mean(), theta, create_graph=True)
    start = torch.randn(len(theta), generator=torch.Generator().manual_seed(SEED))
    q, diagonal, beside = (start / start.norm())[None], [], []
    while True:
        (v,) = torch.autograd.grad(gradient, theta, q[-1], retain_graph=True)  # H times the last row of Q
        diagonal.append(float(v @ q[-1]))
        for _ in range(2):  # twice, as rounding leaves something the first time
            v = v - q.T @ (q @ v)
        t = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, vectors = np.linalg.eigh(t)  # in ascending order
        if v.norm() * abs(vectors[-1, -1]) <= tolerance * abs(values[-1]):
            return float(values[-1]), q.T @ torch.tensor(vectors[:, -1], dtype=q.dtype)
        beside.append(float(v.norm()))
        q = torch.cat([q, v[None] / v.norm()])


def curvatures(model, inputs, labels, e):
    """H_i = eᵀ ∇²ℓ_i e of each example: the second derivative of a ↦ ℓ_i(θ + a e) at a = 0, by forward differentiation."""
    theta, zero, one = flat(model), torch.tensor(0.0), torch.tensor(1.0)

    def slopes(a):
        return jvp(lambda b: losses(model, theta + b * e, inputs, labels), (a,), (one,))[1]

    return jvp(slopes, (zero,), (one,))[1]


def left_hand_side(curvature, variance, examples):
    """That of Eq. 1, from λ, s² and N."""
    return (1 - ETA * curvature) ** 2 + variance * ETA**2 * (examples - S) / (S * (examples - 1))


def main():
    """Train, measure along the way, and find the break-even point."""
    inputs, labels, measured = digits()
    model, rows = network(), []
    print("SGD is stable where (1 − η λ)² + s² η² (N − S) / (S (N − 1)) ≤ 1  (Eq. 1)")
    print(f"η = {ETA}, S = {S}, N = {len(labels)}, 2/η = {2 / ETA:.1f}\n\n step       λ        s²   left-hand side")
    for step in train(model, inputs, labels):
        x, y = inputs[measured], labels[measured]
        curvature, e = lambda_1(model, x, y)
        of_examples = curvatures(model, x, y, e)
        # two different derivatives, and the same number: if they disagree, one of them is wrong
        assert abs(float(of_examples.mean()) - curvature) < 1e-4 * float(of_examples.square().mean().sqrt())
        variance = float(of_examples.var(correction=0))
        rows.append((step, curvature, variance, left_hand_side(curvature, variance, len(labels))))
        print(f"{step:5d}  {curvature:6.2f}  {variance:8.1f}   {rows[-1][-1]:.3f}")
    point = next((row for row in rows if row[-1] >= 1), None)
    print(f"\nBreak-even point: step {point[0]}, where λ = {point[1]:.2f}" if point else "\nNo break-even point.")
    return rows, point


if __name__ == "__main__":
    main()
