"""The claims of the paper that the tables can test, as a list: what is claimed, how it is tested, the paper's numbers.

A claim names a kind of test, which is a class in a module of its own, and its settings. Where a test takes the largest
value along a run, the primary one is of the curve smoothed as in the paper; the raw curve stands beside it. For each kind
there are worlds in which it is false, and what the verdict says of them, in ``benchmarks/calibrate_claims.py``.

Not here, because the tables don't hold it: λ_H^*/λ_H^1 of conjecture C2, for which the smallest non-zero eigenvalue of
the Hessian would be needed and only its five largest are measured. Tr(H) is the stochastic estimate of the whole trace,
where the paper adds up five eigenvalues.
"""

import math

from breakeven.claims.assumptions import Falls, Proportional, Typical
from breakeven.claims.claim import Claim
from breakeven.claims.correlations import EarlyCorrelation, Generalization, PredictedMaximum
from breakeven.claims.early_switch import EarlySwitch
from breakeven.claims.edge import AtTheEdge
from breakeven.claims.parting import Parting
from breakeven.claims.ratios import FACTOR, BatchNorm, Peak, PredictedPoint
from breakeven.claims.trends import Trend

CLAIMS = (
    # C1, variance reduction
    Claim(
        "C1.lambda_K.learning_rate",
        "The larger the learning rate, the less the gradient varies between mini-batches: the largest eigenvalue λ_K^1 of the "
        "covariance of gradients K peaks at a smaller value.",
        Trend("lambda_K_1", "learning_rate", -1),
        "maxima",
        "0.87 (η = 0.1), 3.01 (η = 0.01): SimpleCNN, CIFAR-10",
        title="λ_K^1 is smaller for larger η",
        about="the largest variance of the gradient λ_K^1",
        main=True,
    ),
    Claim(
        "C1.lambda_K.batch_size",
        "The larger the batch size, the more the gradient varies between mini-batches of a fixed size: λ_K^1 peaks at a "
        "larger value.",
        Trend("lambda_K_1", "batch_size", 1),
        "maxima",
        title="λ_K^1 is larger for larger S",
        about="the largest variance of the gradient λ_K^1",
        main=True,
    ),
    Claim(
        "C1.lambda_H.learning_rate",
        "The larger the learning rate, the flatter the loss surface that training passes through: the largest eigenvalue "
        "λ_H^1 of the Hessian H peaks at a smaller value.",
        Trend("lambda_H_1", "learning_rate", -1),
        "maxima",
        title="λ_H^1 is smaller for larger η",
        about="the largest curvature λ_H^1",
        main=True,
    ),
    Claim(
        "C1.lambda_H.batch_size",
        "The larger the batch size, the sharper the loss surface that training passes through: λ_H^1 peaks at a larger value.",
        Trend("lambda_H_1", "batch_size", 1),
        "maxima",
        title="λ_H^1 is larger for larger S",
        about="the largest curvature λ_H^1",
        main=True,
    ),
    # C2, pre-conditioning
    Claim(
        "C2.lambda_star_ratio.learning_rate",
        "The larger the learning rate, the better conditioned is K: the ratio λ_K^*/λ_K^1 of its smallest non-zero to its "
        "largest eigenvalue gets larger.",
        Trend("lambda_star_over_lambda_1", "learning_rate", 1),
        "maxima",
        title="λ_K^*/λ_K^1 is larger for larger η",
        about="the conditioning λ_K^*/λ_K^1 of K at its best",
    ),
    Claim(
        "C2.lambda_star_ratio.batch_size",
        "The larger the batch size, the worse conditioned is K: λ_K^*/λ_K^1 stays smaller.",
        Trend("lambda_star_over_lambda_1", "batch_size", -1),
        "maxima",
        title="λ_K^*/λ_K^1 is smaller for larger S",
        about="the conditioning λ_K^*/λ_K^1 of K at its best",
    ),
    Claim(
        "C2.trace_ratio.learning_rate",
        "The larger the learning rate, the more evenly the variance of the gradient is spread over directions: Tr(K)/λ_K^1, "
        "the whole variance over that in the direction where it is largest, gets larger.",
        Trend("trace_over_lambda_1", "learning_rate", 1),
        "maxima",
        "14.29 (η = 0.1), 10.69 (η = 0.01): SimpleCNN, CIFAR-10",
        title="Tr(K)/λ_K^1 is larger for larger η",
        about="the conditioning Tr(K)/λ_K^1 of K at its best",
        main=True,
    ),
    Claim(
        "C2.trace_ratio.batch_size",
        "The larger the batch size, the less evenly the variance of the gradient is spread: Tr(K)/λ_K^1 stays smaller.",
        Trend("trace_over_lambda_1", "batch_size", -1),
        "maxima",
        title="Tr(K)/λ_K^1 is smaller for larger S",
        about="the conditioning Tr(K)/λ_K^1 of K at its best",
    ),
    Claim(
        "C2.trace_K.learning_rate",
        "The larger the learning rate, the smaller the whole variance of the gradient, Tr(K), at its peak.",
        Trend("trace_K", "learning_rate", -1),
        "maxima",
        title="Tr(K) is smaller for larger η",
        about="the largest trace of K",
    ),
    Claim(
        "C2.trace_K.batch_size",
        "The larger the batch size, the larger the whole variance of the gradient, Tr(K), at its peak.",
        Trend("trace_K", "batch_size", 1),
        "maxima",
        title="Tr(K) is larger for larger S",
        about="the largest trace of K",
    ),
    Claim(
        "C2.trace_H.learning_rate",
        "The larger the learning rate, the smaller the curvature of the loss summed over all directions, Tr(H), at its peak.",
        Trend("trace_H", "learning_rate", -1),
        "maxima",
        title="Tr(H) is smaller for larger η",
        about="the largest trace of H",
    ),
    Claim(
        "C2.trace_H.batch_size",
        "The larger the batch size, the larger the curvature of the loss summed over all directions, Tr(H), at its peak.",
        Trend("trace_H", "batch_size", 1),
        "maxima",
        title="Tr(H) is larger for larger S",
        about="the largest trace of H",
    ),
    Claim(
        "C2.trace_ratio_H.learning_rate",
        "The larger the learning rate, the more evenly the curvature of the loss is spread over directions: Tr(H)/λ_H^1 gets "
        "larger. The paper finds this effect weaker, by its approximation of Tr(H).",
        Trend("trace_H_over_lambda_1", "learning_rate", 1),
        "maxima",
        title="Tr(H)/λ_H^1 is larger for larger η",
        about="the conditioning Tr(H)/λ_H^1 of H at its best",
    ),
    Claim(
        "C2.trace_ratio_H.batch_size",
        "The larger the batch size, the less evenly the curvature of the loss is spread: Tr(H)/λ_H^1 stays smaller.",
        Trend("trace_H_over_lambda_1", "batch_size", -1),
        "maxima",
        title="Tr(H)/λ_H^1 is smaller for larger S",
        about="the conditioning Tr(H)/λ_H^1 of H at its best",
    ),
    Claim(
        "C2.trace_top_5_ratio_H.learning_rate",
        "The larger the learning rate, the more evenly the curvature is spread over the five directions where it is largest: "
        "their sum, the paper's approximation of Tr(H), over λ_H^1 gets larger.",
        Trend("trace_top_5_H_over_lambda_1", "learning_rate", 1),
        "maxima",
        title="(λ_H^1+…+λ_H^5)/λ_H^1 is larger for larger η",
        about="the conditioning (λ_H^1+…+λ_H^5)/λ_H^1 of H at its best",
    ),
    Claim(
        "C2.trace_top_5_ratio_H.batch_size",
        "The larger the batch size, the less evenly the curvature is spread over the five directions where it is largest.",
        Trend("trace_top_5_H_over_lambda_1", "batch_size", -1),
        "maxima",
        title="(λ_H^1+…+λ_H^5)/λ_H^1 is smaller for larger S",
        about="the conditioning (λ_H^1+…+λ_H^5)/λ_H^1 of H at its best",
    ),
    Claim(
        "C2.lambda_star.learning_rate",
        "What a larger learning rate does to the smallest non-zero eigenvalue λ_K^* of K alone. The paper makes its claim "
        "of the ratio λ_K^*/λ_K^1 only; λ_K^* may fall while the ratio rises, if λ_K^1 falls more.",
        Trend("lambda_K_star", "learning_rate", 0),
        "",
        title="what larger η does to λ_K^*",
        about="the largest λ_K^*",
    ),
    Claim(
        "C2.lambda_star.batch_size",
        "What a larger batch size does to λ_K^* alone. The paper makes its claim of the ratio λ_K^*/λ_K^1 only.",
        Trend("lambda_K_star", "batch_size", 0),
        "",
        title="what larger S does to λ_K^*",
        about="the largest λ_K^*",
    ),
    # the early phase
    Claim(
        "early.lambda_K_lambda_H",
        "Until the break-even point, the variance of the gradient and the curvature of the loss grow together: λ_K^1 is "
        "large where λ_H^1 is large.",
        EarlyCorrelation("lambda_K_1", "lambda_H_1", "break_even_epoch", 1),
        "early_phase",
        title="λ_K^1 and λ_H^1 grow together until break-even",
        main=True,
        by_equation_1=True,
    ),
    Claim(
        "early.alpha_star",
        "Early in training, until the accuracy passes a threshold, SGD comes closer to instability as the variance of the "
        "gradient grows: the factor α*, by which a step can be stretched before the loss rises by 20 %, is small where "
        "λ_K^1 is large.",
        EarlyCorrelation("lambda_K_1", "alpha_star", "threshold_epoch", -1),
        "early_phase",
        "α* falls to about 2: SimpleCNN, CIFAR-10",
        title="α* falls as λ_K^1 grows",
    ),
    Claim(
        "peak.lambda_K",
        "The variance of the gradient, λ_K^1, peaks early: before the training accuracy passes a threshold, "
        "near which the paper has it.",
        Peak("lambda_K_1"),
        "lambda_K",
        "near 60 % (CIFAR-10) and 75 % (IMDB) training accuracy",
        title="λ_K^1 peaks before the accuracy threshold",
        about="the variance of the gradient λ_K^1",
    ),
    Claim(
        "peak.lambda_H",
        "The curvature of the loss, λ_H^1, peaks early: before the training accuracy passes a threshold, "
        "near which the paper has it.",
        Peak("lambda_H_1"),
        "lambda_H",
        "near 60 % (CIFAR-10) and 75 % (IMDB) training accuracy",
        title="λ_H^1 peaks before the accuracy threshold",
        about="the curvature λ_H^1",
    ),
    Claim(
        "trajectories.parting",
        "The trajectories of two learning rates part on entering the region where the variance of the gradient is large: of the "
        "way that predictions go at the smaller rate, more leads away from those at the larger one while λ_K^1 is high than "
        "before and after.",
        Parting(),
        "trajectories_umap",
        title="trajectories part while λ_K^1 is high",
    ),
    # Eq. 1
    Claim(
        "break_even.maximum",
        "Equation 1, the condition for SGD to be stable, predicts how far the curvature grows: where it predicts a larger "
        "λ_H^1 at the break-even point, the largest λ_H^1 of the run is larger. It assumes independent mini-batches.",
        PredictedMaximum(),
        "break_even",
        title="Eq. 1 tells how far λ_H^1 grows",
        about="the largest curvature λ_H^1",
        by_equation_1=True,
    ),
    Claim(
        "break_even.point",
        "Equation 1 predicts where the curvature stops growing: λ_H^1 at its first peak is the one at which SGD becomes "
        "unstable, within a factor of 1.5. It assumes independent mini-batches.",
        PredictedPoint(),
        "break_even",
        title="λ_H^1 stops growing where Eq. 1 says",
        main=True,
        by_equation_1=True,
    ),
    # what its model assumes
    Claim(
        "assumption.alignment",
        "The model of the early phase assumes that curvature and the variance of the gradient are largest in the same direction, "
        "e_H^1 = ±e_K^1. At least, more of e_K^1 lies along e_H^1 than across it: |⟨e_H^1, e_K^1⟩| is above 1/√2, where random "
        "directions in D dimensions have 1/√D.",
        Typical("alignment", 1 / math.sqrt(2), 1, best=1.0),
        "",
        title="e_K^1 lies along e_H^1",
        about="until break-even, |⟨e_H^1, e_K^1⟩|",
        by_equation_1=True,
    ),
    Claim(
        "assumption.variance",
        "If e_H^1 = ±e_K^1, the gradient varies as much along e_H^1 as in any direction: e_H^1ᵀ K e_H^1 is above half of λ_K^1.",
        Typical("variance_ratio", 0.5, 1, best=1.0),
        "",
        title="the gradient varies most along e_H^1",
        about="until break-even, e_H^1ᵀ K e_H^1 over λ_K^1",
        by_equation_1=True,
    ),
    Claim(
        "assumption.proportional",
        "The model assumes that λ_K^1 = α λ_H^1 early on: until the break-even point, log λ_K^1 rises with log λ_H^1 with a "
        "slope of 1, or closer to that than to 0 (nothing to do with each other) or 2 (as its square).",
        Proportional(),
        "early_phase",
        title="λ_K^1 grows in proportion to λ_H^1",
        by_equation_1=True,
    ),
    Claim(
        "assumption.spread",
        "If λ_K^1 = α λ_H^1 early on, their ratio stays what it is until the break-even point: it strays by a factor of less "
        "than 1.5.",
        Typical("lambda_K_over_lambda_H_spread", FACTOR, -1, best=1.0),
        "early_phase",
        title="λ_K^1/λ_H^1 stays what it is",
        about="until break-even, the factor by which λ_K^1/λ_H^1 strays",
        by_equation_1=True,
    ),
    Claim(
        "assumption.quadratic",
        "The model assumes that the loss of each example is quadratic along e_H^1: until the break-even point, at the length of "
        "a step from there, the loss of an example differs from its quadratic model by less than half of the quadratic term.",
        Typical("example_quadratic_error", 0.5, -1),
        "",
        title="losses are quadratic along e_H^1, within half of the term",
        about="until break-even, the median error of an example's quadratic model, relative to the quadratic term,",
        by_equation_1=True,
    ),
    Claim(
        "assumption.quadratic_mean",
        "If the loss of each example is quadratic along e_H^1, so is their mean; but the kinks of ReLU and max-pooling, of which "
        "each example meets few, add up in it. Until the break-even point, at the length of a step from there, the mean loss "
        "differs from its quadratic model by less than half of the quadratic term.",
        Typical("quadratic_error", 0.5, -1),
        "",
        title="the mean loss is quadratic along e_H^1, by half",
        about="until break-even, the error of the mean loss's quadratic model, relative to the quadratic term,",
        by_equation_1=True,
    ),
    Claim(
        "assumption.falls",
        "The model assumes that λ_H^1 falls where SGD is unstable. Tested is the curvature along one direction: after a step "
        "from where the left-hand side of Eq. 1 is at least 1, that along the same e_H^1 is smaller than before. It is at most "
        "λ_H^1, so that it may fall while λ_H^1 rises, and also after a stable step, of which the finding tells.",
        Falls(),
        "",
        title="curvature along e_H^1 falls after an unstable step",
        by_equation_1=True,
    ),
    # what stays at the edge of stability: three theories, of which data may prefer one
    Claim(
        "theories.full_batch",
        "Once λ_H^1 has stopped growing, it stays at the threshold of the full batch, 2/η for plain SGD, as gradient descent's "
        "does (Cohen et al. 2021).",
        AtTheEdge("lambda_H_1", "threshold"),
        "theories",
        title="λ_H^1 stays at the full-batch threshold",
        about="λ_H^1 stays at the full-batch threshold",
    ),
    Claim(
        "theories.equation_1",
        "Once λ_H^1 has stopped growing, it stays at the value at which Eq. 1 says unstable, so that the left-hand side of Eq. 1 "
        "stays at 1. Tested is λ_H^1 over that value: the left-hand side is near 1 also where there is hardly any curvature.",
        AtTheEdge("lambda_H_1", "break_even_curvature"),
        "theories",
        title="λ_H^1 stays at the threshold of Eq. 1",
        about="λ_H^1 stays at the threshold of Eq. 1",
        by_equation_1=True,
    ),
    Claim(
        "theories.batch_sharpness",
        "Once λ_H^1 has stopped growing, batch sharpness stays at 2/η at every batch size (Andreyev, Beneventano 2024); with "
        "momentum β at 2(1 − β)/η, which is reported for small batches (Andreyev et al. 2026).",
        AtTheEdge("batch_sharpness", "lower_plateau"),
        "theories",
        title="batch sharpness stays at 2(1 − β)/η",
        about="batch sharpness stays at 2(1 − β)/η",
    ),
    Claim(
        "theories.batch_sharpness_upper",
        "With momentum β, batch sharpness stays at 2(1 + β)/η (Nesterov: 2(1 + β)/((1 + 2β)η)) once λ_H^1 has stopped growing, "
        "which is reported for large batches (Andreyev et al. 2026).",
        AtTheEdge("batch_sharpness", "upper_plateau", apart_from="lower_plateau"),
        "theories",
        title="batch sharpness stays at 2(1 + β)/η",
        about="batch sharpness stays at 2(1 + β)/η",
    ),
    # batch normalization
    Claim(
        "batch_norm.trace_ratio",
        "Batch normalization does not repair what a low learning rate does: with it, at the lowest learning rate, K is as "
        "badly conditioned (Tr(K)/λ_K^1) as without it at the next higher one.",
        BatchNorm("trace_over_lambda_1"),
        "batch_norm",
        "12.14 (with, η = 0.001), 11.55 (without, η = 0.01): SimpleCNN, CIFAR-10",
        title="batch norm does not repair Tr(K)/λ_K^1",
        about="with batch normalization at the lowest learning rate, Tr(K)/λ_K^1",
        main=True,
    ),
    Claim(
        "batch_norm.lambda_K",
        "Batch normalization does not repair what a low learning rate does: with it, at the lowest learning rate, the "
        "variance of the gradient λ_K^1 is as large as without it at the next higher one.",
        BatchNorm("lambda_K_1"),
        "batch_norm",
        "10.3 (with, η = 0.001), 16 (without, η = 0.01): SimpleCNN, CIFAR-10",
        title="batch norm does not repair λ_K^1",
        about="with batch normalization at the lowest learning rate, λ_K^1",
    ),
    Claim(
        "batch_norm.g_over_g5",
        "Batch normalization does not repair what a low learning rate does: with it, at the lowest learning rate, as much of "
        "the gradient lies along the five directions of its largest variance (‖g‖/‖g_5‖, 1 if all of it) as without it at "
        "the next higher one.",
        BatchNorm("g_over_g5"),
        "batch_norm",
        "1.90 (with, η = 0.001), 1.88 (without, η = 0.01): SimpleCNN, CIFAR-10",
        title="batch norm does not repair ‖g‖/‖g_5‖",
        about="with batch normalization at the lowest learning rate, ‖g‖/‖g_5‖",
    ),
    # the early phase decides
    Claim(
        "early_phase.lambda_K",
        "The early phase decides: the learning rate before the break-even point shapes the variance of the gradient in the "
        "rest of training. If the rate switches after that point, λ_K^1 forgets less of where it was than if it switches "
        "before, or as late in a run that has not passed its own.",
        EarlySwitch("lambda_K_1"),
        "early_switch",
        title="the early phase decides λ_K^1",
        about="λ_K^1",
        main=True,
        by_equation_1=True,
    ),
    Claim(
        "early_phase.lambda_H",
        "The early phase decides: if the learning rate switches after the break-even point, the curvature λ_H^1 forgets less "
        "of where it was than if it switches before, or as late in a run that has not passed its own.",
        EarlySwitch("lambda_H_1"),
        "early_switch",
        title="the early phase decides λ_H^1",
        about="λ_H^1",
        by_equation_1=True,
    ),
    Claim(
        "early_phase.test_accuracy",
        "The early phase decides: if the learning rate switches after the break-even point, the test accuracy forgets less of "
        "where it was than if it switches before, or as late in a run that has not passed its own.",
        EarlySwitch("test_accuracy"),
        "early_switch",
        title="the early phase decides the test accuracy",
        about="test error",
        by_equation_1=True,
    ),
    # what the paper leaves open
    Claim(
        "generalization.lambda_K",
        "Left open by the paper, which hopes so: networks whose gradient varied less at its peak, by λ_K^1, generalise "
        "better.",
        Generalization("lambda_K_1", -1),
        "generalization",
        title="less λ_K^1, better test accuracy",
        about="the largest variance of the gradient λ_K^1",
    ),
    Claim(
        "generalization.break_even_epoch",
        "Left open by the paper, which hopes so: networks that reach their break-even point sooner generalise better.",
        Generalization("break_even_epoch", -1),
        "generalization",
        title="sooner at break-even, better test accuracy",
        about="the epoch of the break-even point",
        by_equation_1=True,
    ),
)
