"""What is measured along a run: one row of the table for each measurement, with its settings and its quantities.

The command ``python -m breakeven NAME``, the rule ``measure_NAME``, the config's ``measurements``, the inputs of ``summarise``
and the stages that the report lists are made from these rows. Row ``NAME`` is carried out by ``measure_NAME`` in
``breakeven/measurements/NAME.py``, which takes the settings as keywords. That module imports nothing from here: a new row
measures nothing again.
"""

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from breakeven.specs.quantities import COLUMNS, HISTORY, Column, Quantity
from breakeven.specs.settings import Setting, settings

MEMORY_MB = 2000  # for the gradients of a measurement on a CPU, where the config does not say
# a text in Annotated describes the setting: in the JSON schema, and in `--help`
Precision = Literal["float32", "float64"]
PRECISION = "Floating-point precision of the computation."


@dataclass(frozen=True)
class Covariance:
    """The covariance K of mini-batch gradients."""

    batch_size: Annotated[int, Ge(1), "Examples in each mini-batch gradient."] = 128
    batches: Annotated[
        Annotated[int, Ge(2)] | None,
        "Number L of mini-batch gradients; null means as many as the measured subset holds.",
    ] = None
    precision: Annotated[Precision, PRECISION] = "float32"


@dataclass(frozen=True)
class Hessian:
    """The Hessian H of the loss."""

    eigenvalues: Annotated[int, Ge(1), Le(10_000), "How many of the algebraically largest eigenvalues."] = 5
    tolerance: Annotated[
        float,
        Gt(0),
        "An eigenvalue has converged when its estimated error, relative to the largest eigenvalue, is below this.",
    ] = 0.001
    max_matvecs: Annotated[
        int,
        Ge(1),
        "Most Hessian-vector products for one snapshot; what has not converged by then is marked so.",
    ] = 200
    batch_size: Annotated[
        int,
        Ge(1),
        "Examples that go through the network at once. A network with batch normalization takes its statistics from them; for "
        "others it changes nothing.",
    ] = 128
    trace_probes: Annotated[
        int, Ge(2), "Random vectors for the estimate of Tr(H); its interval narrows with their square root."
    ] = 5
    precision: Annotated[Precision, PRECISION] = "float32"
    blocks: Annotated[
        Literal["none", "layer", "parameter"],
        "Also measure the largest eigenvalue of H of each block of parameters alone: a layer, as its weight and bias, or each "
        "parameter; none leaves it out. It costs about as many products for each block as for the whole.",
    ] = "none"


@dataclass(frozen=True)
class Locate:
    """The break-even point to the step, with the eigensolver of hessian."""

    most_steps: Annotated[
        int,
        Ge(0),
        "Most steps between two snapshots at which H is measured, each of them where they are not more; 0 leaves the break-even "
        "point at the first unstable snapshot.",
    ] = 32


@dataclass(frozen=True)
class Density:
    """The density of all eigenvalues of H, with the mini-batches and the precision of hessian."""

    probes: Annotated[int, Ge(0), "Random vectors that the density is averaged over; 0 leaves the density out."] = 0
    steps: Annotated[
        int, Ge(1), "Hessian-vector products for each random vector; more resolve more of the density."
    ] = 60


@dataclass(frozen=True)
class Sharpness:
    """The curvature of mini-batches, drawn as training draws them, along their own gradients."""

    max_draws: Annotated[int, Ge(0), "Most mini-batches drawn at a snapshot; 0 leaves batch sharpness out."] = 0
    tolerance: Annotated[
        float,
        Gt(0),
        "Mini-batches are drawn until the standard error of batch sharpness, relative to it, is below this.",
    ] = 0.05
    eigenvalue_draws: Annotated[
        int, Ge(0), "Of so many of them the largest eigenvalue of the Hessian is measured, too; 0 leaves it out."
    ] = 8
    precision: Annotated[Precision, PRECISION] = "float32"


@dataclass(frozen=True)
class Measurement:
    """A measurement.

    ``words``: what it does, in a line. ``settings``: its section of the config; None where it has none of its own.
    ``of_hessian``: the settings of ``hessian`` that it takes, so that it sees the same H. ``of_optimizer``: it asks the run's
    optimizer for its condition of stability, or its preconditioner. ``of_training``: it draws mini-batches, augmented as the
    run's are; ``takes_steps``: it trains. ``borrows``: parameters that are settings of other sections, as pairs of a name and
    ``SECTION.SETTING``; ``lends``: settings of its section that are another's alone. ``table``: the file that it writes into the
    run's folder; ``folders``: those that it fills beside it; ``at_snapshots``: the table is of their steps. ``reads``: other
    measurements of the same run. ``always``: made for every run; the others only where a figure asks for them, or the config, by
    a setting that isn't 0 or none, ``SETTING`` or ``SECTION.SETTING``: ``asked_by``. ``quantities``: those that ``summarise``
    reads where it is made.
    """

    name: str
    words: str
    table: str
    settings: type | None = None
    of_hessian: tuple[str, ...] = ()
    of_optimizer: bool = False
    of_training: bool = False
    borrows: tuple[tuple[str, str], ...] = ()
    lends: tuple[str, ...] = ()
    takes_steps: bool = False
    at_snapshots: bool = True
    folders: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    always: bool = True
    asked_by: str = ""
    quantities: tuple[Quantity, ...] = ()


OF_HESSIAN = ("batch_size", "precision")
MEASUREMENTS = (
    Measurement(
        "covariance",
        "Measure the covariance of gradients K at each snapshot of a run.",
        "covariance.csv",
        settings=Covariance,
        quantities=(
            Quantity(
                "lambda_K_1",
                "λ_K^1",
                "spectral norm of K",
                "covariance",
                "lambda_1",
                "nat²",
                maximum="max_lambda_K",
                numbered=True,
            ),
            Quantity(
                "lambda_K_star",
                "λ_K^*",
                "smallest non-zero eigenvalue of K",
                "covariance",
                "lambda_star",
                "nat²",
                empty_with="max_lambda_K",
            ),
            Quantity("trace_K", "Tr(K)", "trace of K", "covariance", "trace", "nat²", maximum="max_trace_K"),
            Quantity(
                "lambda_star_over_lambda_1",
                "λ_K^*/λ_K^1",
                "smallest over largest eigenvalue of K",
                "covariance",
                "lambda_star_over_lambda_1",
                maximum="max_lambda_star_over_lambda_1",
            ),
            Quantity(
                "trace_over_lambda_1",
                "Tr(K)/λ_K^1",
                "trace over spectral norm of K",
                "covariance",
                "trace_over_lambda_1",
                maximum="max_trace_over_lambda_1",
            ),
            Quantity(
                "g_over_g5",
                "‖g‖/‖g_5‖",
                "gradient over its part in the top five",
                "covariance",
                "g_over_g5",
                maximum="max_g_over_g5",
            ),
            Quantity("gamma_norm", "‖γ‖", "norm of the last scale of batch normalization", "covariance", "gamma_norm"),
        ),
    ),
    Measurement(
        "hessian",
        "Measure the largest eigenvalues and the trace of the Hessian H at each snapshot of a run.",
        "hessian.csv",
        settings=Hessian,
        lends=("blocks",),
        of_optimizer=True,
        folders=("eigenvectors",),
        quantities=(
            Quantity(
                "lambda_H_1",
                "λ_H^1",
                "spectral norm of H",
                "hessian",
                "lambda_1",
                "1/η",
                maximum="max_lambda_H",
                numbered=True,
            ),
            Quantity("trace_H", "Tr(H)", "trace of H", "hessian", "trace", "1/η", maximum="max_trace_H"),
            Quantity(
                "trace_H_over_lambda_1",
                "Tr(H)/λ_H^1",
                "trace over spectral norm of H",
                "hessian",
                "trace_over_lambda_1",
                maximum="max_trace_H_over_lambda_1",
            ),
            Quantity(
                "trace_top_5_H_over_lambda_1",
                "(λ_H^1+…+λ_H^5)/λ_H^1",
                "sum of the top five over spectral norm of H",
                "hessian",
                "trace_top_5_over_lambda_1",
                maximum="max_trace_top_5_H_over_lambda_1",
            ),
            Quantity(
                "preconditioned_lambda_H_1",
                "λ_PH^1",
                "largest eigenvalue of the preconditioned H",
                "hessian",
                "preconditioned_lambda_1",
                "1/η",
                numbered=True,
                optional=True,
            ),
            Quantity("converged_H", "converged", "whether the eigenvalues of H converged (1)", "hessian", "converged"),
            Quantity(
                "preconditioned_converged_H",
                "preconditioned, converged",
                "whether the eigenvalues of the preconditioned H converged (1)",
                "hessian",
                "preconditioned_converged",
                optional=True,
            ),
        ),
    ),
    Measurement(
        "stability",
        "Measure the stability of SGD (Eq. 1) at each snapshot of a run, along the eigenvectors that hessian left.",
        "stability.csv",
        of_hessian=OF_HESSIAN,
        of_optimizer=True,
        reads=("hessian",),
        quantities=(
            Quantity("curvature_variance", "s²", "variance of curvatures", "stability", "curvature_variance", "1/η²"),
            Quantity("stability_lhs", "left-hand side of Eq. 1", "stability of SGD", "stability", "stability_lhs"),
            Quantity("alpha_star", "α*", "stretch until the loss has grown by 20 %", "stability", "alpha_star"),
            Quantity("delta_loss", "ΔL", "change of the loss in one SGD step", "stability", "delta_loss", "nat"),
            Quantity(
                "threshold",
                "full-batch threshold",
                "λ_H^1 above which all examples at once are unstable",
                "stability",
                "threshold",
                "1/η",
            ),
            Quantity("two_over_lr", "2/η", "threshold of gradient descent", "stability", "two_over_lr", "1/η"),
            Quantity(
                "break_even_curvature",
                "threshold of Eq. 1",
                "λ_H^1 at which Eq. 1 says unstable",
                "stability",
                "break_even_curvature",
                "1/η",
            ),
        ),
    ),
    Measurement(
        "assumptions",
        "Measure what the paper's model of the early phase assumes, along e_H^1, at each snapshot of a run.",
        "assumptions.csv",
        of_hessian=OF_HESSIAN,
        borrows=(("covariance_batch_size", "covariance.batch_size"), ("covariance_batches", "covariance.batches")),
        reads=("hessian",),
        quantities=(
            Quantity("alignment", "|⟨e_H^1, e_K^1⟩|", "alignment of e_H^1 and e_K^1", "assumptions", "alignment"),
            Quantity(
                "variance_along_e_H",
                "σ_u²",
                "variance of the gradient along e_H^1",
                "assumptions",
                "variance_along_e_H",
                "nat²",
            ),
            Quantity(
                "variance_ratio",
                "σ_u²/λ_K^1",
                "variance of the gradient along e_H^1, over the largest",
                "assumptions",
                "variance_ratio",
            ),
            Quantity(
                "gradient_along_e_H",
                "|g·e_H^1|",
                "slope of the loss along e_H^1",
                "assumptions",
                "gradient_along_e_H",
                "nat",
            ),
            Quantity("cubic", "d³L/da³", "third derivative of the loss along e_H^1", "assumptions", "cubic", "nat"),
            Quantity("displacement", "a", "length of a step along e_H^1", "assumptions", "displacement"),
            Quantity(
                "quadratic_error",
                "error of the quadratic",
                "relative error of the quadratic model of the loss",
                "assumptions",
                "quadratic_error",
            ),
            Quantity(
                "example_quadratic_error",
                "error of an example's quadratic",
                "median relative error of the quadratic models of examples",
                "assumptions",
                "example_quadratic_error",
            ),
            Quantity(
                "curvature_after_step",
                "e_H^1ᵀH(θ_{t+1})e_H^1",
                "curvature along e_H^1 after the next step",
                "assumptions",
                "curvature_after_step",
                "1/η",
            ),
        ),
    ),
    Measurement(
        "locate",
        "Locate the break-even point of a run to the step, by training again between the two snapshots where it lies.",
        "locate.csv",
        settings=Locate,
        of_hessian=(*OF_HESSIAN, "tolerance", "max_matvecs"),
        of_optimizer=True,
        takes_steps=True,
        at_snapshots=False,
        reads=("hessian", "stability"),
        quantities=(
            Quantity("located_lambda_H_1", "λ_H^1", "λ_H^1 about break-even", "locate", "lambda_1", "1/η"),
            Quantity(
                "located_stability_lhs",
                "left-hand side of Eq. 1",
                "stability of SGD about break-even",
                "locate",
                "stability_lhs",
            ),
        ),
    ),
    Measurement(
        "density",
        "Measure the density of all eigenvalues of H at each snapshot of a run; an option of a config.",
        "density.csv",
        settings=Density,
        of_hessian=OF_HESSIAN,
        always=False,
        asked_by="probes",
    ),
    Measurement(
        "sharpness",
        "Measure the sharpness of mini-batches along their own gradients at each snapshot of a run; an option of a config.",
        "sharpness.csv",
        settings=Sharpness,
        of_optimizer=True,
        of_training=True,
        always=False,
        asked_by="max_draws",
        quantities=(
            Quantity(
                "batch_sharpness",
                "batch sharpness",
                "mean curvature of mini-batches along their gradients",
                "sharpness",
                "batch_sharpness",
                "1/η",
            ),
            Quantity(
                "batch_lambda_1",
                "λ_H^1 of mini-batches",
                "mean spectral norm of mini-batches' H",
                "sharpness",
                "batch_lambda_1",
                "1/η",
            ),
            Quantity(
                "gradient_noise_interaction",
                "gradient-noise interaction",
                "curvature along mini-batches' gradients, over ‖g‖²",
                "sharpness",
                "gradient_noise_interaction",
                "1/η",
            ),
            Quantity(
                "lower_plateau",
                "2(1−β)/η",
                "batch sharpness at small batch sizes",
                "sharpness",
                "lower_plateau",
                "1/η",
            ),
            Quantity(
                "upper_plateau",
                "2(1+β)/η",
                "batch sharpness at large batch sizes (Nesterov: 2(1+β)/((1+2β)η))",
                "sharpness",
                "upper_plateau",
                "1/η",
            ),
        ),
    ),
    Measurement(
        "blocks",
        "Measure the largest eigenvalue of H of each block of parameters at each snapshot of a run; an option of a config.",
        "blocks.csv",
        of_hessian=OF_HESSIAN,
        reads=("hessian",),
        borrows=tuple((name, f"hessian.{name}") for name in ("blocks", "tolerance", "max_matvecs")),
        always=False,
        asked_by="hessian.blocks",
        quantities=(
            Quantity(
                "lambda_H_1_of_block",
                "λ_H^1 of a block",
                "spectral norm of a block of H",
                "blocks",
                "lambda_1",
                "1/η",
                by="block",
            ),
        ),
    ),
    Measurement(
        "predictions",
        "Predict the test set at each snapshot of a run; only where a figure asks for it.",
        "predictions.safetensors",
        always=False,
    ),
)

BY_NAME = {measurement.name: measurement for measurement in MEASUREMENTS}


def settings_of(measurement: Measurement) -> dict[str, Setting]:
    """The settings that a measurement takes, by name."""
    own = settings(measurement.settings) if measurement.settings else {}
    own = {name: setting for name, setting in own.items() if name not in measurement.lends}
    shared = settings(Hessian)
    borrowed = {}
    for name, place in measurement.borrows:
        section, _, setting = place.partition(".")
        borrowed[name] = replace(settings(BY_NAME[section].settings or object)[setting], name=name)
    return own | {name: shared[name] for name in measurement.of_hessian} | borrowed


def values_of(measurement: Measurement, configured: Any) -> dict[str, Any]:
    """The values of its settings, from the config's ``measurements``, which have an attribute for each section."""
    borrowed = {name for name, _ in measurement.borrows}
    sections = {name: measurement.name for name in settings_of(measurement) if name not in borrowed}
    sections |= dict.fromkeys(measurement.of_hessian, "hessian")
    values = {name: getattr(getattr(configured, section), name) for name, section in sections.items()}
    return values | {name: attrgetter(place)(configured) for name, place in measurement.borrows}


def is_asked_for(measurement: Measurement, configured: Any) -> bool:
    """Whether the config asks for it, which no figure reads."""
    if not measurement.asked_by:
        return False
    section, _, setting = measurement.asked_by.rpartition(".")
    return attrgetter(f"{section or measurement.name}.{setting}")(configured) not in (0, "none")


def summarised(configured: Any) -> tuple[str, ...]:
    """The optional measurements that the config asks for and whose quantities stand in the tables of its studies, by name."""
    optional = [each for each in MEASUREMENTS if not each.always and each.quantities]
    return tuple(each.name for each in optional if is_asked_for(each, configured))


# of an optional measurement, too, where runs have it; the rest of its output is no curve
QUANTITIES = (*HISTORY, *(quantity for measurement in MEASUREMENTS for quantity in measurement.quantities))
SYMBOLS = {quantity.name: quantity.symbol for quantity in QUANTITIES}

# of runs.csv: also the maximum of a quantity that `breakeven.specs.quantities` does not name
NAMED = {column.name for column in COLUMNS}
RUN_COLUMNS = (
    *COLUMNS,
    *(
        Column(each.maximum, f"max {each.symbol}", f"largest {each.symbol} along the run")
        for each in QUANTITIES
        if each.maximum and each.maximum not in NAMED
    ),
)
