"""The figures, in the order of the report, each with its caption.

Nothing is imported here, so that the workflow can read the names cheaply; captions belong to the report and not to the
figures, so that a better sentence redraws nothing.
"""

FIGURES: dict[str, str] = {
    "training_curves": "Loss and accuracy on the training and on the test set along training.",
    "trajectories_umap": "Where the trajectories of different learning rates part: each snapshot's predictions on the test "
    "set, laid out by UMAP so that similar ones are neighbours, coloured by λ_K^1 and by the training accuracy. Beside it, how "
    "far each snapshot is from the closest one of the largest learning rate, against its λ_K^1: the root mean square over "
    "examples of the difference of predictions, at most √2.",
    "lambda_K": "The spectral norm λ_K^1 of the covariance of gradients K along training: how much the gradient varies "
    "between mini-batches in the direction where it varies most.",
    "trace_over_lambda_K": "The conditioning of K, measured by Tr(K)/λ_K^1: the larger, the more evenly the variance "
    "of the gradient is spread over directions.",
    "lambda_star_over_lambda_K": "The conditioning of K, measured by λ_K^*/λ_K^1, its smallest non-zero eigenvalue "
    "over its largest: the larger, the better conditioned.",
    "lambda_H": "The spectral norm λ_H^1 of the Hessian H of the training loss along training: the curvature in the "
    "sharpest direction.",
    "stability": "Equation 1 itself, measured along e_H^1, the direction of largest curvature: above 1, SGD is unstable "
    "there. The break-even point of a run is the first measured step at which it reaches 1.",
    "early_phase": "On the way to the break-even point: λ_K^1; λ_H^1, with 2/η, where it stops if the batch is all examples; "
    "the left-hand side of Eq. 1; and the paper's two proxies for it: α*, how far the SGD step can be stretched before the "
    "loss rises by 20 % (the line is at 2, where the paper finds it to settle), and ΔL, the change of the loss in one SGD "
    "step. Drag a panel to see the rest of training.",
    "break_even": "The largest λ_H^1 of each run, and λ_H^1 at its break-even point, against the value at which Eq. 1 predicts "
    "the break-even point, from the learning rate η, the batch size S, the number of examples N and the measured variance of "
    "the curvature. On the line, λ_H^1 stops growing where theory says.",
    "maxima": "The largest values attained along the trajectory against the hyperparameter. The paper conjectures that "
    "a larger learning rate η or a smaller batch size S lowers max λ_K^1 and max λ_H^1 (C1), and raises both "
    "measures of the conditioning of K (C2).",
    "batch_norm": "Is a low learning rate as badly conditioned with batch normalization as without? The norm of the gradient "
    "over that of its projection on the top five eigenvectors of K, ‖g‖/‖g_5‖; the norm of the scale of the last batch "
    "normalization, ‖γ‖; and the spectra of K and H.",
    "early_switch": "Does the early phase decide? Runs whose learning rate switches, before or after their break-even point, "
    "beside those that keep either learning rate from the start.",
    "generalization": "Do runs whose early phase was less noisy, or broke even sooner, end with a higher test accuracy? The "
    "paper leaves this question open. All runs of the study are compared, whatever their hyperparameters.",
}

# Drawn only for the studies whose config names them: they show what only some studies have.
ON_REQUEST = {"batch_norm", "early_switch", "trajectories_umap"}
NEEDS_EMBEDDING = {"trajectories_umap"}  # the table that the stage embed writes
DEFAULT = "default"  # in a config's list of figures: those that are drawn for every study that doesn't say


def chosen(names: list[str]) -> tuple[str, ...]:
    """The figures that a config's list stands for, in the order of the report."""
    return tuple(name for name in FIGURES if name in names or (DEFAULT in names and name not in ON_REQUEST))
