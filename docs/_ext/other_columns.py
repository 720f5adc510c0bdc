"""What the columns are that are no quantity of `breakeven.specs`: words, and a unit where they are numbers."""

STEP = {"step": ("SGD step; the row is of θ before it, so that step 0 is the initialisation", "step")}
RUN = {"run": ("id of the run, the name of its folder", "")}
NOTE = {"note": ("why cells are empty, or doubtful: codes, below", "")}
HESSIAN_NUMBERED = ("residual_1", "error_1", "preconditioned_residual_1", "preconditioned_error_1")

TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "history": STEP
    | {
        "epoch": ("the step over the steps of an epoch", "epoch"),
        "split": ("`train`, `test`, or `validation` where there is one", ""),
        "loss": ("mean loss of the split, without label smoothing", "nat"),
        "accuracy": ("share of the split's examples that are classified right", "1"),
        "learning_rate": ("η of the SGD step from there, also from the last one, which is taken for its snapshot", "1"),
    },
    "covariance": STEP | NOTE,
    "hessian": STEP
    | {
        "residual_1": ("‖H v − λ v‖ of the first Ritz pair (λ, v)", "1/η"),
        "error_1": ("estimated error of `lambda_1`, of the order of the residual's square over the gap", "1/η"),
        "matvecs": ("Hessian-vector products that the eigensolver took", "1"),
        "trace_error": ("standard error of `trace`, from the spread of its probes", "1/η"),
        "trace_low": ("lower end of an interval of at least 95 % for Tr(H)", "1/η"),
        "trace_high": ("upper end of that interval", "1/η"),
        "trace_top_5": ("sum of the five largest eigenvalues, the Tr(H) of the paper; empty where fewer are measured", "1/η"),
        # only of optimizers with a preconditioner
        "preconditioned_residual_1": ("as `residual_1`, of P^(-1/2) H P^(-1/2), where the optimizer has such a P", "1/η"),
        "preconditioned_error_1": ("as `error_1`", "1/η"),
        "preconditioned_matvecs": ("as `matvecs`", "1"),
    }
    | NOTE,
    "stability": STEP
    | {
        "learning_rate": ("η of the SGD step from there", "1"),
        "lambda_1": ("λ_H^1, as the stage `hessian` found it; `preconditioned_lambda_1` where there is one", "1/η"),
        "two_over_lr": ("2/η, the threshold of full-batch gradient descent", "1/η"),
        "break_even_curvature": ("λ_H^1 at which Eq. 1 puts the break-even point, with s in proportion to it as here", "1/η"),
    }
    | NOTE,
    "assumptions": STEP | NOTE,
    "blocks": STEP
    | {
        "block": ("name and type of the layer, or name of the parameter", ""),
        "parameters": ("how many numbers the block has", "1"),
        "residual": ("‖B v − λ v‖ of the Ritz pair (λ, v) of the block B of H", "1/η"),
        "error": ("estimated error of `lambda_1`", "1/η"),
        "matvecs": ("products that the eigensolver took", "1"),
        "converged": ("whether the error is below the tolerance", ""),
    }
    | NOTE,
    "locate": STEP
    | {
        "learning_rate": ("η of the step from there", "1"),
        "curvature_variance": ("s², the variance of the curvatures along e_H^1", "1/η²"),
        "break_even_curvature": ("λ_H^1 at which Eq. 1 puts the break-even point, with s in proportion to it", "1/η"),
        "matvecs": ("Hessian-vector products; empty in the rows of both snapshots, which were measured before", "1"),
    }
    | NOTE,
    "density": STEP
    | {
        "eigenvalue": ("a node of the quadrature of the density of eigenvalues of H", "1/η"),
        "weight": ("its weight; those of a step add up to 1", "1"),
    }
    | NOTE,
    "sharpness": STEP
    | {
        "batch_sharpness_error": ("standard error of `batch_sharpness`, from the spread over mini-batches", "1/η"),
        "draws": ("mini-batches that were drawn", "1"),
        "batch_lambda_1_error": ("standard error of `batch_lambda_1`", "1/η"),
        "gradient_noise_interaction_error": ("its standard error, but for that of ‖g‖²", "1/η"),
    }
    | NOTE,
    "embedding": RUN
    | STEP
    | {
        "x": ("place by UMAP", "1"),
        "y": ("place by UMAP", "1"),
        "distance": ("root mean square difference of predictions to the closest snapshot of the largest learning rate", "1"),
        "moved": ("the same to the run's own snapshot before", "1"),
        "distance_to_path": ("distance to the closest point of that trajectory, straight from snapshot to snapshot", "1"),
    },
    "runs": RUN
    | {
        "seed": ("seed of the run; beside it stand the swept hyperparameters, η and S", ""),
        "break_even_note": ("why there is no break-even point, or what is doubtful of it", ""),
        "remarks": ("what could not be computed of the run, in sentences", ""),
        "sampling": ("how its mini-batches were drawn: `reshuffle`, or `replacement` for independent ones, as Eq. 1 assumes", ""),
    },
    "claims": {
        "claim": ("id of the claim", ""),
        "study": ("study whose runs it is tested on", ""),
        "quantity": ("what is compared, and at which value of the other swept hyperparameters", ""),
        "expected": ("outcome that the paper expects", ""),
        "observed": ("outcome that the numbers point to", ""),
        "effect": ("size of the effect: a ratio, a correlation or a slope, as the claim's kind of test says", "1"),
        "ci_low": ("lower end of its interval, at the level `ci_level`", "1"),
        "ci_high": ("upper end", "1"),
        "p_value": ("of the test, two-sided, not adjusted", "1"),
        "n_seeds": ("seeds that were counted", "1"),
        "verdict": ("`supported`, `contradicted` or `inconclusive`", ""),
        "paper_value": ("the paper's number, and of what", ""),
        "our_value": ("ours", ""),
        "p_adjusted": ("p-value, adjusted for all primary tests of its question: the paper's, assumptions, or theories", "1"),
        "figure": ("figure that shows it", ""),
        "note": ("what was left out, what would decide, what points the other way", ""),
        "role": ("whether the row is the primary test, stands beside it, or describes what the paper is silent about", ""),
        "ci_level": ("level of the interval: 1 minus that of the test", "1"),
        "unit": ("what the effect is: a ratio, a correlation, a difference of shares, a slope, an accuracy", ""),
        "where": ("values of the other swept hyperparameters at which it is tested", ""),
        "finding": ("what was found, in a sentence with its number", ""),
    },
}  # fmt: skip
