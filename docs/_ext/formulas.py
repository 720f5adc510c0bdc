r"""The formula of each quantity and column, in LaTeX: the symbols are those of docs/explanation/paper.md.

They stand here and not beside the quantities in `breakeven.specs`, where a better formula would measure everything again.
"""

SPLIT_LOSS = r"L = \frac{1}{n} \sum_i \ell_i(\theta)"
SPLIT_ACCURACY = r"\frac{1}{n} \sum_i [\arg\max_c f_c(x_i) = y_i]"

# quantities along a run, by their name in trajectories.csv
QUANTITIES = {
    "train_loss": SPLIT_LOSS,
    "train_accuracy": SPLIT_ACCURACY,
    "validation_loss": SPLIT_LOSS,
    "validation_accuracy": SPLIT_ACCURACY,
    "test_loss": SPLIT_LOSS,
    "test_accuracy": SPLIT_ACCURACY,
    "step_learning_rate": r"\eta_t",
    "lambda_K_1": r"\lambda_K^1 = \max_{\|v\| = 1} v^\top K v",
    "lambda_K_star": r"\lambda_K^{*} = \lambda_K^{L-1}",
    "trace_K": r"\mathrm{Tr}(K) = \frac{1}{L} \sum_i \|g_i - \bar{g}\|^2",
    "lambda_star_over_lambda_1": r"\lambda_K^{*} / \lambda_K^1",
    "trace_over_lambda_1": r"\mathrm{Tr}(K) / \lambda_K^1",
    "g_over_g5": r"\frac{1}{L} \sum_i \|g_i\| / \|P_5 g_i\|",
    "gamma_norm": r"\|\gamma\|",
    "lambda_H_1": r"\lambda_H^1 = \max_{\|v\| = 1} v^\top H v",
    "trace_H": r"\mathrm{Tr}(H) \approx \mathrm{Tr}(Q^\top H Q) + \frac{1}{m} \sum_j z_j^\top P H P z_j",
    "trace_H_over_lambda_1": r"\mathrm{Tr}(H) / \lambda_H^1",
    "trace_top_5_H_over_lambda_1": r"\sum_{k=1}^{5} \lambda_H^k / \lambda_H^1",
    "preconditioned_lambda_H_1": r"\max_{\|u\| = 1} u^\top P^{-1/2} H P^{-1/2} u",
    "converged_H": r"1 \text{ or } 0",
    "preconditioned_converged_H": r"1 \text{ or } 0",
    "curvature_variance": r"s^2 = \frac{1}{n} \sum_i (H_i - \bar{H})^2",
    "located_lambda_H_1": r"\max_{\|v\| = 1} v^\top H v; \text{ with a preconditioner } v^\top P^{-1/2} H P^{-1/2} v",
    "located_stability_lhs": r"\text{as } \texttt{stability\_lhs}",
    "stability_lhs": r"1 - 2 (1 + \beta) c + c^2 + s^2 \eta^2 \nu \frac{1 + \beta}{1 - \beta}, \; c = \eta (\lambda_H^1 + w), "
    r"\; \nu = \frac{N - S}{S (N - 1)}",
    "batch_sharpness": r"\mathbb{E}_B \left[ g_B^\top H_B \, g_B / \|g_B\|^2 \right]",
    "batch_lambda_1": r"\mathbb{E}_B \left[ \lambda_{H_B}^1 \right]",
    "gradient_noise_interaction": r"\mathbb{E}_B \left[ g_B^\top H g_B \right] / \|g\|^2",
    "two_over_lr": r"2 / \eta",
    "break_even_curvature": r"\min \{\lambda : \text{left-hand side of Eq. 1} \ge 1, \, s \propto \lambda\}",
    "lower_plateau": r"2 (1 - \beta) / \eta",
    "upper_plateau": r"2 (1 + \beta) / \eta",
    "alpha_star": r"\min \{\alpha : L(\theta_t - \alpha (\theta_t - \theta_{t+1})) \ge 1.2 \, L(\theta_t)\}",
    "delta_loss": r"L(\theta_{t+1}) - L(\theta_t)",
    "threshold": r"\frac{2 (1 + \beta)}{\eta} - w",
    "lambda_H_1_of_block": r"\max \{v^\top H v : \|v\| = 1, \; v = 0 \text{ outside of the block}\}",
    "alignment": r"|\langle e_H^1, e_K^1 \rangle|",
    "variance_along_e_H": r"\sigma_u^2 = {e_H^1}^\top K \, e_H^1",
    "variance_ratio": r"\sigma_u^2 / \lambda_K^1",
    "gradient_along_e_H": r"|g^\top e_H^1|",
    "cubic": r"\frac{d^3}{da^3} L(\theta + a \, e_H^1), \; g^\top e_H^1 \ge 0",
    "displacement": r"a = |\langle \theta_{t+1} - \theta_t, e_H^1 \rangle|",
    "quadratic_error": r"\frac{1}{2} \sum_{\pm} |L(\pm a) - L(0) \mp a L'(0) - \frac{a^2}{2} L''(0)| / |\frac{a^2}{2} L''(0)|",
    "example_quadratic_error": (
        r"\mathrm{median}_{i, \pm} |\ell_i(\pm a) - \ell_i(0) \mp a \ell_i'(0) - \frac{a^2}{2} \ell_i''(0)| "
        r"/ |\frac{a^2}{2} \ell_i''(0)|"
    ),
    "curvature_after_step": r"{e_H^1}^\top H(\theta_{t+1}) \, e_H^1",
}

# columns of runs.csv
COLUMNS = {
    "diverged": r"L(\theta_t) \text{ or } \theta_t \text{ not finite}",
    "max_lambda_K": r"\max_t \lambda_K^1(t)",
    "step_of_max_lambda_K": r"\arg\max_t \lambda_K^1(t)",
    "max_lambda_H": r"\max_t \lambda_H^1(t)",
    "step_of_max_lambda_H": r"\arg\max_t \lambda_H^1(t)",
    "max_trace_K": r"\max_t \mathrm{Tr}(K)(t)",
    "max_trace_H": r"\max_t \mathrm{Tr}(H)(t)",
    "max_trace_over_lambda_1": r"\max_t \mathrm{Tr}(K) / \lambda_K^1",
    "max_lambda_star_over_lambda_1": r"\max_t \lambda_K^{*} / \lambda_K^1",
    "break_even_after_step": r"\max \{t < t_b : \text{Eq. 1 known}\}",
    "break_even_step": r"t_b = \min \{t : \text{left-hand side of Eq. 1} \ge 1\}",
    "break_even_epoch": r"t_b / \lfloor N / S \rfloor",
    "break_even_lambda_H": r"\lambda_H^1(t_b)",
    "predicted_lambda_H": r"\frac{2 (1 + \beta)}{\eta (1 + r^2 \nu \frac{1 + \beta}{1 - \beta})}, "
    r"\; r = \frac{s}{\lambda_H^1}, \; \nu = \frac{N - S}{S (N - 1)}",
    "first_peak_step": r"\min \{t : \lambda_H^1(t) \text{ a local maximum} \ge \frac{1}{2} \max \lambda_H^1\}",
    "first_switch_step": r"\min \{t : \text{a switch of the schedule}\}",
    "threshold_epoch": r"\min \{t : \text{training accuracy} > \text{threshold}\} / \lfloor N / S \rfloor",
    "final_train_accuracy": r"\text{training accuracy at } t = T",
    "final_validation_accuracy": r"\text{validation accuracy at } t = T",
    "final_test_accuracy": r"\text{test accuracy at } t = T",
    "lambda_K_over_lambda_H": r"\alpha = \exp \, \mathrm{mean}_{t \le t_b} \log \frac{\lambda_K^1}{\lambda_H^1}",
    "lambda_K_over_lambda_H_spread": r"\exp \, \mathrm{std}_{t \le t_b} \log \frac{\lambda_K^1}{\lambda_H^1}",
    "lambda_K_lambda_H_slope": (
        r"\mathrm{Cov}_{t \le t_b}(\log \lambda_K^1, \log \lambda_H^1) / \mathrm{Var}_{t \le t_b}(\log \lambda_H^1)"
    ),
    "unconverged_snapshots": r"\#\{t : \text{not converged}\}",
    "measured_break_even_step": r"\min \{t \text{ a snapshot} : \text{left-hand side of Eq. 1} \ge 1\}",
    "stable_again_step": r"\min \{t > t_b \text{ located} : \text{left-hand side of Eq. 1} < 1\}",
    "max_g_over_g5": r"\max_t \|g\| / \|g_5\|",
    "max_trace_H_over_lambda_1": r"\max_t \mathrm{Tr}(H) / \lambda_H^1",
    "max_trace_top_5_H_over_lambda_1": r"\max_t \sum_{k=1}^{5} \lambda_H^k / \lambda_H^1",
}

# of columns of runs.csv that are no maximum of a quantity
UNITS = {"break_even_lambda_H": "1/η", "predicted_lambda_H": "1/η"}
