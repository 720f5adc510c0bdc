"""The claims of the paper that the tables can test, as a list: what is claimed, of which studies, and the paper's numbers.

A claim names one of the tests below and its settings; `breakeven.claims.evaluate` says which module carries it out. Where
a test takes the largest value along a run, it is done twice: with the raw curve, and smoothed as in the paper.

Not here, because the tables don't hold it: λ_H^*/λ_H^1 of conjecture C2, for which the smallest non-zero eigenvalue of
the Hessian would be needed and only its five largest are measured; and the trajectories in the space of predictions
(Figure 1 of the paper). Tr(H) is the stochastic estimate of the whole trace, where the paper adds up five eigenvalues.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

FACTOR = 1.5  # two numbers are taken for the same within this factor; ours
SYMBOLS = {
    "learning_rate": "η",
    "batch_size": "S",
    "lambda_K_1": "λ_K^1",
    "lambda_H_1": "λ_H^1",
    "lambda_K_star": "λ_K^*",
    "lambda_star_over_lambda_1": "λ_K^*/λ_K^1",
    "trace_over_lambda_1": "Tr(K)/λ_K^1",
    "trace_K": "Tr(K)",
    "trace_H": "Tr(H)",
    "g_over_g5": "‖g‖/‖g_5‖",
    "alpha_star": "α*",
    "break_even_epoch": "break-even epoch",
    "final_test_accuracy": "final test accuracy",
}
NAMES = {"learning_rate": "learning rate", "batch_size": "batch size"}
CORRELATION = {1: "positive correlation", -1: "negative correlation"}
EQUIVALENCE = {1: f"equal within a factor of {FACTOR}", -1: f"different by more than a factor of {FACTOR}"}


@dataclass(frozen=True)
class Trend:
    """The largest value along each run, across a sweep: rises (1), falls (−1), or the paper does not say (0).

    Effect: the largest value at the largest value of the hyperparameter over that at the smallest, geometric mean over seeds.
    """

    quantity: str
    hyperparameter: str
    direction: int

    @property
    def outcomes(self) -> dict[int, str]:
        """What the data can show."""
        return {sign: f"{verb} with {SYMBOLS[self.hyperparameter]}" for sign, verb in ((1, "rises"), (-1, "falls"))}

    @property
    def needs(self) -> str:
        """The studies that it can be tested on, in words."""
        return f"sweeps the {NAMES[self.hyperparameter]}"

    def applies(self, swept: Collection[str]) -> bool:
        """Whether it can be tested on a study that sweeps these hyperparameters."""
        return self.hyperparameter in swept


@dataclass(frozen=True)
class EarlyCorrelation:
    """Two quantities along the early phase of each run, which ends at the epoch in column ``until`` of ``runs.csv``.

    Effect: Spearman's ρ along each run, averaged over runs and seeds as Fisher's z.
    """

    x: str
    y: str
    until: str
    direction: int
    outcomes: ClassVar[dict[int, str]] = CORRELATION
    needs: ClassVar[str] = "has runs"

    def applies(self, swept: Collection[str]) -> bool:
        """On any study."""
        return True


@dataclass(frozen=True)
class Peak:
    """The epoch of the largest value along each run, against the first epoch past the accuracy threshold.

    Effect: the ratio of the two epochs, geometric mean over runs and seeds.
    """

    quantity: str
    direction: int = -1
    outcomes: ClassVar[dict[int, str]] = {-1: "peaks before the threshold", 1: "peaks after the threshold"}
    needs: ClassVar[str] = "has runs"

    def applies(self, swept: Collection[str]) -> bool:
        """On any study."""
        return True


@dataclass(frozen=True)
class PredictedMaximum:
    """The largest λ_H^1 along each run against λ_H^1 at which Eq. 1 predicts its break-even point, across a study.

    Effect: Pearson's correlation of the logarithms over the runs of each seed, averaged over seeds as Fisher's z. Not where
    the learning rate switches: the maximum may belong to the one, the break-even point to the other.
    """

    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = CORRELATION
    needs: ClassVar[str] = "sweeps something other than the schedule"

    def applies(self, swept: Collection[str]) -> bool:
        """On any sweep but of schedules."""
        return bool(swept) and "schedule" not in swept


@dataclass(frozen=True)
class PredictedPoint:
    """λ_H^1 at the break-even point over the λ_H^1 at which Eq. 1 predicts it: equal within a factor of 1.5?

    The break-even point is the first *measured* step at which SGD is unstable, so the ratio is at least 1 there, and the
    more so the fewer steps are measured. Effect: the ratio, geometric mean over runs and seeds.
    """

    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = EQUIVALENCE
    needs: ClassVar[str] = "has runs"

    def applies(self, swept: Collection[str]) -> bool:
        """On any study."""
        return True


@dataclass(frozen=True)
class BatchNorm:
    """The largest value with batch normalization at the lowest η, over that without at the next higher η: equal?

    The networks are a name and the same name with ``_bn``. Effect: the ratio, geometric mean over seeds.
    """

    quantity: str
    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = EQUIVALENCE
    needs: ClassVar[str] = "sweeps the learning rate and the network, with and without batch normalization"

    def applies(self, swept: Collection[str]) -> bool:
        """On sweeps of the network and the learning rate; which networks there are, the runs say."""
        return {"network", "learning_rate"} <= set(swept)


@dataclass(frozen=True)
class Switch:
    """Where a run ends whose learning rate switches from η₁ to η₂ before, or after, the break-even point of η₁.

    With q a quantity after both switches, and its reference that of η₂ from the start: |log(q_after/q_ref)| −
    |log(q_before/q_ref)|. It is above 0 if the later switch ends further away, so if the early phase has decided. q: the
    geometric mean over the measured steps after the later of the two switches; the final test accuracy is compared by
    plain differences. Effect: the mean of this difference over seeds.
    """

    quantity: str
    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = {1: "the later switch ends further away", -1: "the later switch ends closer"}
    needs: ClassVar[str] = "sweeps schedules that switch before and after the break-even point"

    def applies(self, swept: Collection[str]) -> bool:
        """On sweeps of the schedule; which switches there are, the runs say."""
        return "schedule" in swept


@dataclass(frozen=True)
class Generalization:
    """The final test accuracy against the logarithm of a quantity, across the runs that a study sweeps.

    Effect: Pearson's correlation over the runs of each seed, averaged over seeds as Fisher's z.
    """

    quantity: str
    direction: int
    outcomes: ClassVar[dict[int, str]] = CORRELATION
    needs: ClassVar[str] = "sweeps the learning rate, the batch size or the schedule"

    def applies(self, swept: Collection[str]) -> bool:
        """On sweeps of how SGD runs."""
        return bool({"learning_rate", "batch_size", "schedule"} & set(swept))


Test = Trend | EarlyCorrelation | Peak | PredictedMaximum | PredictedPoint | BatchNorm | Switch | Generalization


@dataclass(frozen=True)
class Claim:
    """A claim: its id in ``claims.csv``, in words, how it is tested, the paper's numbers, the figure that shows it."""

    id: str
    words: str
    test: Test
    figure: str
    paper_value: str = ""

    @property
    def expected(self) -> str:
        """What the paper expects; empty where it does not say."""
        return self.test.outcomes.get(self.test.direction, "")


CLAIMS = (
    # C1, variance reduction
    Claim(
        "C1.lambda_K.learning_rate",
        "The larger the learning rate, the less the gradient varies between mini-batches: the largest eigenvalue λ_K^1 of the "
        "covariance of gradients K peaks at a smaller value.",
        Trend("lambda_K_1", "learning_rate", -1),
        "maxima",
        "0.87 (η = 0.1), 3.01 (η = 0.01): SimpleCNN, CIFAR-10",
    ),
    Claim(
        "C1.lambda_K.batch_size",
        "The larger the batch size, the more the gradient varies between mini-batches of a fixed size: λ_K^1 peaks at a "
        "larger value.",
        Trend("lambda_K_1", "batch_size", 1),
        "maxima",
    ),
    Claim(
        "C1.lambda_H.learning_rate",
        "The larger the learning rate, the flatter the loss surface that training passes through: the largest eigenvalue "
        "λ_H^1 of the Hessian H peaks at a smaller value.",
        Trend("lambda_H_1", "learning_rate", -1),
        "maxima",
    ),
    Claim(
        "C1.lambda_H.batch_size",
        "The larger the batch size, the sharper the loss surface that training passes through: λ_H^1 peaks at a larger value.",
        Trend("lambda_H_1", "batch_size", 1),
        "maxima",
    ),
    # C2, pre-conditioning
    Claim(
        "C2.lambda_star_ratio.learning_rate",
        "The larger the learning rate, the better conditioned is K: the ratio λ_K^*/λ_K^1 of its smallest non-zero to its "
        "largest eigenvalue gets larger.",
        Trend("lambda_star_over_lambda_1", "learning_rate", 1),
        "maxima",
    ),
    Claim(
        "C2.lambda_star_ratio.batch_size",
        "The larger the batch size, the worse conditioned is K: λ_K^*/λ_K^1 stays smaller.",
        Trend("lambda_star_over_lambda_1", "batch_size", -1),
        "maxima",
    ),
    Claim(
        "C2.trace_ratio.learning_rate",
        "The larger the learning rate, the more evenly the variance of the gradient is spread over directions: Tr(K)/λ_K^1, "
        "the whole variance over that in the direction where it is largest, gets larger.",
        Trend("trace_over_lambda_1", "learning_rate", 1),
        "maxima",
        "14.29 (η = 0.1), 10.69 (η = 0.01): SimpleCNN, CIFAR-10",
    ),
    Claim(
        "C2.trace_ratio.batch_size",
        "The larger the batch size, the less evenly the variance of the gradient is spread: Tr(K)/λ_K^1 stays smaller.",
        Trend("trace_over_lambda_1", "batch_size", -1),
        "maxima",
    ),
    Claim(
        "C2.trace_K.learning_rate",
        "The larger the learning rate, the smaller the whole variance of the gradient, Tr(K), at its peak.",
        Trend("trace_K", "learning_rate", -1),
        "",
    ),
    Claim(
        "C2.trace_K.batch_size",
        "The larger the batch size, the larger the whole variance of the gradient, Tr(K), at its peak.",
        Trend("trace_K", "batch_size", 1),
        "",
    ),
    Claim(
        "C2.trace_H.learning_rate",
        "The larger the learning rate, the smaller the curvature of the loss summed over all directions, Tr(H), at its peak.",
        Trend("trace_H", "learning_rate", -1),
        "",
    ),
    Claim(
        "C2.trace_H.batch_size",
        "The larger the batch size, the larger the curvature of the loss summed over all directions, Tr(H), at its peak.",
        Trend("trace_H", "batch_size", 1),
        "",
    ),
    Claim(
        "C2.lambda_star.learning_rate",
        "What a larger learning rate does to the smallest non-zero eigenvalue λ_K^* of K alone. The paper makes its claim "
        "of the ratio λ_K^*/λ_K^1 only; λ_K^* may fall while the ratio rises, if λ_K^1 falls more.",
        Trend("lambda_K_star", "learning_rate", 0),
        "",
    ),
    Claim(
        "C2.lambda_star.batch_size",
        "What a larger batch size does to λ_K^* alone. The paper makes its claim of the ratio λ_K^*/λ_K^1 only.",
        Trend("lambda_K_star", "batch_size", 0),
        "",
    ),
    # the early phase
    Claim(
        "early.lambda_K_lambda_H",
        "Until the break-even point, the variance of the gradient and the curvature of the loss grow together: λ_K^1 is "
        "large where λ_H^1 is large.",
        EarlyCorrelation("lambda_K_1", "lambda_H_1", "break_even_epoch", 1),
        "early_phase",
    ),
    Claim(
        "early.alpha_star",
        "Early in training, until the accuracy passes a threshold, SGD comes closer to instability as the variance of the "
        "gradient grows: the factor α*, by which a step can be stretched before the loss rises by 20 %, is small where "
        "λ_K^1 is large.",
        EarlyCorrelation("lambda_K_1", "alpha_star", "threshold_epoch", -1),
        "early_phase",
        "α* falls to about 2: SimpleCNN, CIFAR-10",
    ),
    Claim(
        "peak.lambda_K",
        "The variance of the gradient, λ_K^1, peaks early: before the training accuracy passes a threshold.",
        Peak("lambda_K_1"),
        "lambda_K",
        "near 60 % (CIFAR-10) and 75 % (IMDB) training accuracy",
    ),
    Claim(
        "peak.lambda_H",
        "The curvature of the loss, λ_H^1, peaks early: before the training accuracy passes a threshold.",
        Peak("lambda_H_1"),
        "lambda_H",
        "near 60 % (CIFAR-10) and 75 % (IMDB) training accuracy",
    ),
    # Eq. 1
    Claim(
        "break_even.maximum",
        "Equation 1, the condition for SGD to be stable, predicts how far the curvature grows: where it predicts a larger "
        "λ_H^1 at the break-even point, the largest λ_H^1 of the run is larger.",
        PredictedMaximum(),
        "break_even",
    ),
    Claim(
        "break_even.point",
        "Equation 1 predicts the curvature at the break-even point: λ_H^1 there is the predicted one, within a factor of 1.5.",
        PredictedPoint(),
        "break_even",
    ),
    # batch normalization
    Claim(
        "batch_norm.trace_ratio",
        "Batch normalization does not repair what a low learning rate does: with it, at the lowest learning rate, K is as "
        "badly conditioned (Tr(K)/λ_K^1) as without it at the next higher one.",
        BatchNorm("trace_over_lambda_1"),
        "batch_norm",
        "12.14 (with, η = 0.001), 11.55 (without, η = 0.01): SimpleCNN, CIFAR-10",
    ),
    Claim(
        "batch_norm.lambda_K",
        "Batch normalization does not repair what a low learning rate does: with it, at the lowest learning rate, the "
        "variance of the gradient λ_K^1 is as large as without it at the next higher one.",
        BatchNorm("lambda_K_1"),
        "batch_norm",
        "10.3 (with, η = 0.001), 16 (without, η = 0.01): SimpleCNN, CIFAR-10",
    ),
    Claim(
        "batch_norm.g_over_g5",
        "Batch normalization does not repair what a low learning rate does: with it, at the lowest learning rate, as much of "
        "the gradient lies along the five directions of its largest variance (‖g‖/‖g_5‖, 1 if all of it) as without it at "
        "the next higher one.",
        BatchNorm("g_over_g5"),
        "batch_norm",
        "1.90 (with, η = 0.001), 1.88 (without, η = 0.01): SimpleCNN, CIFAR-10",
    ),
    # the early phase decides
    Claim(
        "early_phase.lambda_K",
        "The early phase decides: the learning rate before the break-even point shapes the variance of the gradient in the "
        "rest of training. Switched to another rate later than that, λ_K^1 ends further from that rate's own than if "
        "switched earlier.",
        Switch("lambda_K_1"),
        "early_switch",
    ),
    Claim(
        "early_phase.lambda_H",
        "The early phase decides: switched to another learning rate after the break-even point, the curvature λ_H^1 ends "
        "further from that rate's own than if switched before.",
        Switch("lambda_H_1"),
        "early_switch",
    ),
    Claim(
        "early_phase.test_accuracy",
        "The early phase decides: switched to another learning rate after the break-even point, the final test accuracy is "
        "further from that rate's own than if switched before.",
        Switch("final_test_accuracy"),
        "early_switch",
    ),
    # what the paper leaves open
    Claim(
        "generalization.lambda_K",
        "Left open by the paper, which hopes so: networks whose gradient varied less at its peak, by λ_K^1, generalise "
        "better.",
        Generalization("lambda_K_1", -1),
        "generalization",
    ),
    Claim(
        "generalization.break_even_epoch",
        "Left open by the paper, which hopes so: networks that reach their break-even point sooner generalise better.",
        Generalization("break_even_epoch", -1),
        "generalization",
    ),
)
