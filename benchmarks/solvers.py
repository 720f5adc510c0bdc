"""The largest eigenvalues of H by ours and by each peer, all with one signature, for ``hessian.py``.

    solver(problem, count, setting) -> Answer

A solver starts from the network and the pictures: what it builds (the graph of the gradient, a linear operator) is part
of its time. ``setting`` holds what decides its accuracy; `PEERS` lists them for each peer.
"""

import contextlib
import copy
import importlib
import importlib.util
import io
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh, lobpcg
from torch import Tensor, nn

from breakeven.measurements.hessian import start_vectors
from breakeven.specs.randomness import generator
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import RitzPairs, largest_eigenpairs
from breakeven.spectra.parameters import trainable

MAX_MATVECS = 2000
CENTRALFLOWS = 1e-10  # its default tolerance (centralflows 1f074fb, --eig.tol)


@dataclass(frozen=True)
class Problem:
    """One snapshot of a trajectory.

    ``model``: the network, with the weights of whichever snapshot was loaded last; ``weights``: its weights here.
    ``inputs``, ``targets``: the measured pictures. ``neighbour``: (k, D), the eigenvectors at the snapshot before, as our
    solver found them, then those that it hands on beyond the wanted ones; or None at the first. ``number`` seeds random vectors.
    ``scale``: about λ_1, for a solver whose tolerance is not relative.
    """

    model: nn.Module
    weights: dict[str, Tensor]
    inputs: Tensor
    targets: Tensor
    number: int
    neighbour: Tensor | None = None
    scale: float = 1.0

    def load(self) -> None:
        """Load the weights into the network."""
        self.model.load_state_dict(self.weights)

    def in_float64(self) -> "Problem":
        """The same in float64, with a network of its own, loaded."""
        model = copy.deepcopy(self.model).double()
        problem = replace(self, model=model, inputs=self.inputs.double())
        problem.load()
        return problem


@dataclass(frozen=True)
class Answer:
    """``values``: float64, descending, (k,); ``matvecs``: products with H; ``vectors``: (k + 2, D), from ours alone."""

    values: Tensor
    matvecs: int
    vectors: Tensor | None = None


def ours(problem: Problem, count: int, setting: dict[str, Any]) -> Answer:
    """What stage ``hessian`` does at a snapshot: the one place to change if it changes."""
    hessian = Hessian(problem.model, [(problem.inputs, problem.targets)])
    draws = generator(0, "lanczos", problem.number)
    start = start_vectors(problem.neighbour, hessian.gradient, draws)
    pairs = largest_eigenpairs(hessian.matvec, start, count, setting["tolerance"], MAX_MATVECS, draws)
    return Answer(pairs.values, pairs.matvecs, torch.cat([pairs.vectors, pairs.neighbours]))


def curvlinops_eigsh(problem: Problem, count: int, setting: dict[str, Any]) -> Answer:
    """The Hessian of curvlinops and ARPACK's implicitly restarted Lanczos method, through SciPy.

    ``ncv``: basis vectors, ``tol``: largest residual, relative to the eigenvalue.
    With ``warm`` it starts from the sum of the neighbour's eigenvectors, otherwise from a random vector.
    """
    from curvlinops import HessianLinearOperator

    hessian = HessianLinearOperator(
        problem.model,
        nn.CrossEntropyLoss(),
        trainable(problem.model),
        [(problem.inputs, problem.targets)],
        progressbar=False,
        check_deterministic=False,  # a check of the network that costs two products
    )
    dtype = np.float64 if problem.inputs.dtype == torch.float64 else np.float32
    return _eigsh(hessian.to_scipy(dtype=dtype), problem, count, setting, dtype)


def _eigsh(operator: LinearOperator, problem: Problem, count: int, setting: dict[str, Any], dtype: type) -> Answer:
    counted = _Counted(operator.matvec)
    start = np.random.default_rng(problem.number).standard_normal(operator.shape[0])
    if setting.get("warm") and problem.neighbour is not None:
        start = problem.neighbour[:count].sum(dim=0).cpu().numpy()
    try:
        values = eigsh(
            LinearOperator(operator.shape, matvec=counted, dtype=dtype),
            k=count,
            which="LA",
            ncv=setting["ncv"],
            tol=setting["tol"],
            v0=start.astype(dtype),
            maxiter=setting.get("maxiter", MAX_MATVECS),
            return_eigenvectors=False,
        )
    except ArpackNoConvergence as failure:
        values = failure.eigenvalues
    return Answer(_descending(torch.from_numpy(np.asarray(values)), count), counted.calls)


def pyhessian_power(problem: Problem, count: int, setting: dict[str, Any]) -> Answer:
    """PyHessian's power iteration, deflated: the ``top_n`` largest *by magnitude*, each until it changes by ``tol``.

    It too keeps the graph of the gradient. Of what it finds, the algebraically largest are taken.
    """
    module = importlib.import_module("pyhessian.hessian")  # the package hides it behind its class of that name
    problem.model.zero_grad()  # it adds to .grad
    torch.manual_seed(problem.number)
    counted = _Counted(module.hessian_vector_product)
    with mock.patch.object(module, "hessian_vector_product", counted), _quiet():
        cuda = problem.inputs.device.type == "cuda"
        hessian = module.hessian(
            problem.model, nn.CrossEntropyLoss(), data=(problem.inputs, problem.targets), cuda=cuda
        )
        values, _ = hessian.eigenvalues(maxIter=setting["max_iter"], tol=setting["tol"], top_n=setting["top_n"])
    problem.model.zero_grad()
    return Answer(_descending(torch.tensor(values), count), counted.calls)


def eigenthings_lanczos(problem: Problem, count: int, setting: dict[str, Any]) -> Answer:
    """hessian-eigenthings' Hessian and Lanczos: a fixed number of ``steps``, with reorthogonalisation."""
    from hessian_eigenthings import HessianOperator, lanczos, supervised_loss

    operator = HessianOperator(
        problem.model, [(problem.inputs, problem.targets)], supervised_loss(nn.CrossEntropyLoss())
    )
    result = lanczos(
        operator, k=count, max_iter=setting["steps"], reorthogonalize=True, which="LA", seed=problem.number
    )
    return Answer(_descending(result.eigenvalues, count), result.iterations)


def torch_lobpcg(problem: Problem, count: int, setting: dict[str, Any]) -> Answer:
    """`torch.lobpcg` with our Hessian, started from the neighbour's eigenvectors, until residuals are below ``tol``.

    The block has ``count`` vectors. Its tolerances of orthogonality follow ``tol`` unless given, and a loose one spoils
    the basis: they stay at its default for float32. It fails by an exception where it loses a converged pair.
    """
    hessian = Hessian(problem.model, [(problem.inputs, problem.targets)])
    matrix = ProductsMatrix.of(hessian.matvec, hessian.gradient)
    start = _warm_block(problem, count, hessian.gradient)
    values, _ = lobpcg_of_torch(matrix, start, setting["tol"])
    return Answer(_descending(values, count), matrix.matvecs)


def lobpcg_of_torch(matrix: "ProductsMatrix", start: Tensor, tol: float) -> tuple[Tensor, Tensor]:
    """Its eigenvalues and eigenvectors, (D, k), from ``start``, (k, D); none where it fails."""
    orthogonality = {name: 3.5e-4 for name in ("ortho_tol", "ortho_tol_drop", "ortho_tol_replace")}
    try:
        values, vectors = torch.lobpcg(
            matrix, k=len(start), X=start.T.contiguous(), tol=tol, niter=200, ortho_fparams=orthogonality
        )
    except (AssertionError, torch.linalg.LinAlgError):
        return start.new_empty(0), start.new_empty(start.shape[1], 0)
    return values, vectors


def centralflows_tolerance(tol: float, dimension: int) -> float:
    """What a tolerance of centralflows' solver is for `torch.lobpcg`.

    Its solver, a translation of JAX's `lobpcg_standard`, is done when ‖H v − θ v‖ < 10 D tol (‖H v‖ + θ), ours of torch when
    that is below its tolerance times (the norm of H times the start vectors, + θ). Both multiply the whole search space
    anew in each iteration, so they take as many products (torch's one more at the start).
    """
    return 10 * dimension * tol


def centralflows(problem: Problem, count: int, setting: dict[str, Any]) -> Answer:
    """The warm-started LOBPCG of centralflows, with `torch.lobpcg` in the place of its own and the tolerance to match."""
    dimension = sum(parameter.numel() for parameter in trainable(problem.model))
    return torch_lobpcg(problem, count, {"tol": centralflows_tolerance(setting["tol"], dimension)})


def scipy_lobpcg(problem: Problem, count: int, setting: dict[str, Any]) -> Answer:
    """SciPy's LOBPCG with our Hessian, started as `torch_lobpcg` is, until residuals are below ``tol`` times λ_1.

    It multiplies each new direction once. Its tolerance is not relative: it is told λ_1.
    """
    hessian = Hessian(problem.model, [(problem.inputs, problem.targets)])
    start = _warm_block(problem, count, hessian.gradient)
    values, _, products = lobpcg_of_scipy(hessian.matvec, start, setting["tol"] * problem.scale)
    return Answer(_descending(values, count), products)


def lobpcg_of_scipy(matvec: Callable[[Tensor], Tensor], start: Tensor, tol: float) -> tuple[Tensor, Tensor, int]:
    """Its eigenvalues, its eigenvectors, (D, k), and the products, from ``start``, (k, D)."""
    products = 0

    def block(columns: np.ndarray) -> np.ndarray:
        nonlocal products
        rows = torch.from_numpy(np.ascontiguousarray(columns.reshape(len(columns), -1).T)).to(start)
        products += len(rows)
        return torch.stack([matvec(row) for row in rows], dim=1).cpu().numpy()

    columns = start.T.cpu().numpy()
    size = (len(columns), len(columns))
    operator = LinearOperator(size, matvec=block, matmat=block, dtype=columns.dtype)
    with _quiet():
        values, vectors = lobpcg(operator, columns, tol=tol, maxiter=200, largest=True)
    return torch.from_numpy(values), torch.from_numpy(vectors), products


def _warm_block(problem: Problem, count: int, like: Tensor) -> Tensor:
    """The neighbour's eigenvectors, (count, D), or random vectors at the first snapshot."""
    if problem.neighbour is not None:
        return problem.neighbour[:count]
    draws = torch.Generator().manual_seed(problem.number)
    return torch.randn(count, len(like), generator=draws).to(like)


def tight(problem: Problem, count: int, tolerance: float) -> RitzPairs:
    """Our solver far beyond what is compared, from four random vectors: for the reference values."""
    hessian = Hessian(problem.model, [(problem.inputs, problem.targets)])
    draws = torch.Generator().manual_seed(problem.number)
    start = torch.randn(4, len(hessian.gradient), generator=draws).to(hessian.gradient)
    return largest_eigenpairs(hessian.matvec, start, count, tolerance, MAX_MATVECS, draws)


def scipy_reference(problem: Problem, count: int) -> Tensor:
    """SciPy's eigenvalues from a random vector, residuals below 1e-5 of each, of curvlinops' H if it is installed.

    The error of an eigenvalue goes with the square of its residual.
    """
    setting = {"ncv": 30, "tol": 1e-5}
    if importlib.util.find_spec("curvlinops"):
        return curvlinops_eigsh(problem, count, setting).values
    hessian = Hessian(problem.model, [(problem.inputs, problem.targets)])

    def matvec(vector: np.ndarray) -> np.ndarray:
        return hessian.matvec(torch.from_numpy(vector.ravel()).to(hessian.gradient)).cpu().numpy()

    size = len(hessian.gradient)
    operator = LinearOperator((size, size), matvec=matvec, dtype=np.float64)
    return _eigsh(operator, problem, count, setting, np.float64).values


class ProductsMatrix(torch.Tensor):
    """A D×D tensor without storage whose matrix product with a D×n tensor is n products with a matrix, which it counts.

    `torch.lobpcg` takes nothing but a tensor, and of the tensor it uses the shape and `torch.matmul`.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def of(cls, matvec: Callable[[Tensor], Tensor], like: Tensor) -> "ProductsMatrix":
        """The matrix of these products with vectors like ``like``."""
        size = (len(like), len(like))
        matrix = torch.Tensor._make_wrapper_subclass(cls, size, dtype=like.dtype, device=like.device)
        matrix.matvec, matrix.matvecs = matvec, 0
        return matrix

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), keywords=None):
        """Do ``mm``, refuse everything else."""
        if function is not torch.ops.aten.mm.default:
            raise NotImplementedError(f"{function} of a matrix that is known only by its products")
        matrix, columns = arguments
        matrix.matvecs += columns.shape[1]
        with ThreadPoolExecutor(1) as thread:  # here, nothing is recorded for a derivative
            return torch.stack(list(thread.map(matrix.matvec, columns.T.contiguous())), dim=1)


class _Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]):
        self.function, self.calls = function, 0

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        self.calls += 1
        return self.function(*arguments)


def _descending(values: Tensor, count: int) -> Tensor:
    """The ``count`` largest of ``values`` as float64 on the CPU, NaN where there are fewer."""
    values = values.detach().to("cpu", torch.float64).sort(descending=True).values[:count]
    return torch.cat([values, values.new_full((count - len(values),), torch.nan)])


@contextlib.contextmanager
def _quiet():
    """Hide what a peer prints and warns of."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Peer:
    """A peer: the package of PyPI that it comes from, and its settings for λ_1 and for several, cheapest first.

    The settings were found by trying many (a grid of ``ncv`` and ``tol`` for ARPACK, each number of steps for Lanczos) on
    20 snapshots of SimpleCNN on CIFAR-10. `slow`: takes many times as long as the others for several eigenvalues.
    """

    name: str
    distribution: str
    solver: Callable[[Problem, int, dict[str, Any]], Answer]
    for_one: list[dict[str, Any]]
    for_several: list[dict[str, Any]]
    slow: bool = False


_ONE_ARPACK = [{"ncv": 4, "tol": tol} for tol in (0.03, 0.02, 0.01, 1e-3, 1e-4)]
_SEVERAL_ARPACK = [{"ncv": ncv, "tol": tol} for ncv, tol in ((18, 0.03), (18, 0.01), (20, 1e-3))]
_WARM = {"warm": True}
_LOBPCG = (0.05, 0.03, 0.02, 0.01, 3e-3, 1e-3)

PEERS = [
    Peer("curvlinops + eigsh", "curvlinops-for-pytorch", curvlinops_eigsh, _ONE_ARPACK, _SEVERAL_ARPACK),
    Peer(
        "curvlinops + eigsh, warm",
        "curvlinops-for-pytorch",
        curvlinops_eigsh,
        [setting | _WARM for setting in _ONE_ARPACK],
        [setting | _WARM for setting in _SEVERAL_ARPACK[-1:]],  # looser ones leave eigenvalues out: 2 to 8 % off
    ),
    Peer(
        "hessian-eigenthings",
        "hessian-eigenthings",
        eigenthings_lanczos,
        [{"steps": steps} for steps in (8, 9, 10, 11, 12, 14, 16, 20, 30)],
        [{"steps": steps} for steps in (30, 32, 34, 37, 40, 45, 50, 80, 120)],  # 28 are too few
    ),
    Peer(
        "PyHessian",
        "pyhessian",
        pyhessian_power,
        [{"tol": tol, "max_iter": 500, "top_n": 1} for tol in (3e-4, 1e-4, 3e-5, 1e-5, 1e-6)],
        [{"tol": tol, "max_iter": 500, "top_n": top_n} for tol, top_n in ((1e-4, 5), (3e-5, 5), (1e-5, 5), (1e-5, 8))],
        slow=True,
    ),
    Peer(
        "torch.lobpcg, warm",
        "torch",
        torch_lobpcg,
        [{"tol": tol} for tol in _LOBPCG],
        [{"tol": tol} for tol in _LOBPCG],
        slow=True,
    ),
    Peer(
        "centralflows' LOBPCG, warm", "torch", centralflows, [{"tol": CENTRALFLOWS}], [{"tol": CENTRALFLOWS}], slow=True
    ),
    Peer(
        "SciPy's lobpcg, warm",
        "scipy",
        scipy_lobpcg,
        [{"tol": tol} for tol in _LOBPCG],
        [{"tol": tol} for tol in _LOBPCG],
    ),
]
