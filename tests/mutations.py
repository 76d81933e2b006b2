"""Break the package in one place after another, and see whether the tests notice.

    python tests/mutations.py                  # every mutation
    python tests/mutations.py objective.py     # those of files, or of texts, of such a name
    python tests/mutations.py --quick          # asks only the tests that mirror the file

A mutation replaces one piece of text in a copy of the package: a formula, a guard, an error.
The tests that mirror its file run first, then all of them where those notice nothing, then the
slow ones. What no test notices is printed as SURVIVED, and the command fails.
"""

import compileall
import importlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before the fork, threads would be lost

ROOT = Path(__file__).parents[1]
#: File of the package -> the tests that should notice, and what is replaced by what.
MUTATIONS = {
    "_network/backprop.py": (
        "_network/test_backprop.py _network/test_textbook_lines.py test_textbook.py "
        "_network/test_second_order.py _network/test_objective.py test_gradient_descent.py "
        "test_posterior.py",
        ("d1 *= dg(A1, out=A1)", "dg(A1, out=A1)"),
        ("delta.sum(axis=0, out=db2)", "delta.mean(axis=0, out=db2)"),
        ("        Z2 += b2  #", "        Z2 -= b2  #"),
        ("        product_over_rows(A1, delta, dW2", "        product_over_rows(A1, -delta, dW2"),
        ("function(X @ W1 + b1) @ W2 + b2", "function(X @ W1 + b1) @ W2"),
        (
            "(2 * first * R) @ V2 + (second * R * R) @ W2",
            "(first * R) @ V2 + (second * R * R) @ W2",
        ),
        ("(2 * first * R) @ V2 + (second * R * R) @ W2", "(2 * first * R) @ V2"),
        ("return RA1 @ W2 + A1 @ V2 + c2", "return RA1 @ W2 + A1 @ V2"),
        ("        M *= D[:, i:]  # D_i", "        # D_i"),
        ("output[:, d, :, c] = output[:, c, :, d]", "output[:, d, :, c] = 0"),
        ("= block, block.transpose(0, 2, 1)", "= block, 0"),
        ("if f + 1 <= MANY_INPUTS * h else None", "if f + 1 <= 1000 * h else None"),
        ("else hessian[:, 0, 0] * weight)", "else hessian[:, 0, 0])"),
        ("* (W2H @ W2.T)[:, None, :]", "* (W2 @ W2.T)[:, None, :]"),
        ("reshape(f + 1, h, h + 1, 1) * W2H[:", "reshape(f + 1, h, h + 1, 1) * W2[:"),
        (
            "np.kron(products[n_first:, n_first:], hessian)",
            "np.kron(products[n_first:, n_first:], 1)",
        ),
        ("1.0 if weight is None else np.sqrt(weight)", "1.0 if weight is None else weight"),
        ("hessian = hessian * weight[:, None, None]", "pass"),
        ("    J -= J.mean(axis=1, keepdims=True)\n", ""),
    ),
    "_network/activations.py": (
        "_network/test_activations.py",
        ("np.subtract(A, A * A, out=out)", "np.subtract(A, A * A / 2, out=out)"),
        ("np.multiply(A - A * A, 1 - 2 * A", "np.multiply(A - A * A, 1 - A"),
        ("    out *= -2\n", "    out *= 2\n"),
        ("np.greater(A, 0, out=out", "np.greater_equal(A, 0, out=out"),
        ("np.log1p(np.exp(-np.abs(Z)))", "np.log1p(np.exp(Z))"),
        ("        np.divide(-2, Z, out=Z)", "        np.divide(-1, Z, out=Z)"),
    ),
    "_network/losses.py": (
        "_network/test_losses.py",
        ("(entr(mean_target) + entr(1 - mean_target)).sum()", "entr(mean_target).sum()"),
        ("return float(entr(mean_target).sum())", "return float(entr(mean_target).mean())"),
        ("delta = residual * (2 / y.shape[1])", "delta = residual * 2"),
        ("    is_quadratic = ignores_shift", "    is_quadratic = True\n    ignores_shift"),
        (
            "delta = residual * A2 * (1 - A2) * (2 / y.shape[1])",
            "delta = residual * 2 / y.shape[1]",
        ),
        ("(A2 * (1 - A2)) ** 2 * (2 / Z2.shape[1])", "(A2 * (1 - A2)) * (2 / Z2.shape[1])"),
        (
            "np.maximum(Z2, 0) - y * Z2 + np.log1p(np.exp(-np.abs(Z2)))",
            "np.log1p(np.exp(Z2)) - y * Z2",
        ),
        ("delta[y, rows] -= 1", "delta[y, rows] -= 0.5"),
        ("    Z /= Z.sum(axis=-1, keepdims=True)\n", ""),
        ("    Z -= Z.max(axis=-1, keepdims=True)\n", ""),
        ("- A2[:, :, None] * A2[:, None, :]", "- 0 * A2[:, :, None] * A2[:, None, :]"),
        ("return Z2 - logsumexp(Z2, axis=1, keepdims=True)", "return np.log(self.predict(Z2))"),
        ("np.sqrt(np.maximum(eigenvalues, 0))", "np.sqrt(eigenvalues)"),
        ("np.log(np.maximum(mean_target, 1e-6))", "np.log(mean_target)"),
    ),
    "_network/objective.py": (
        "_network/test_objective.py _network/test_objective_gradients.py test_gradient_descent.py",
        ("(np.median(times) / times) ** 0.5", "np.median(times) / times"),
        ("alpha / root, 0.0]), tuple(of_inputs))", "alpha / root, 0.0]))"),
        ("[*first, 0.0, alpha / root, 0.0]", "[*first, alpha, alpha / root, alpha]"),
        ("root, groups = np.sqrt(ratio)", "root, groups = ratio"),
        ("per_input=len(of_inputs) > 0)", "per_input=False)"),
        ("and rows.dtype == np.float32 and TANH_IS_FAST", "and TANH_IS_FAST"),
        (
            "return 0.5 * float(self.per_weight @ params**2)",
            "return float(self.per_weight @ params**2)",
        ),
        ("self.rows.n_rows / (batch[0].shape[0] * self", "1 / (batch[0].shape[0] * self"),
        ("    delta *= weight[:, None]\n", ""),
        ("R = R * np.sqrt(weight)[:, None, None]", "R = R * weight[:, None, None]"),
        ("hessian=hessian, weight=weight", "hessian=hessian"),
        (
            "gradient + self.penalty.per_weight * params\n\n    def batch",
            "gradient\n\n    def batch",
        ),
        ("replace(curvature, penalties=alpha)", "replace(curvature, penalties=0 * alpha)"),
        ("not np.array_equal(self._point[1], params)", "False"),
        ("            params = form.apply(params)\n", "            pass\n"),
        ("+ self.penalty.per_weight * v\n", "\n"),
    ),
    "_network/curvature.py": (
        "_network/test_curvature.py",
        (
            "return 2 * np.log(self.upper.diagonal()).sum()",
            "return np.log(self.upper.diagonal()).sum()",
        ),
        (
            "determined = 1 - self.penalties * np.einsum",
            "determined = 1 - np.einsum",
        ),
        ("[:: len(small) + 1] += 1", "[:: len(small) + 1] += 0.5"),
        ("- np.log(self.inverse_diagonal).sum()", "+ np.log(self.inverse_diagonal).sum()"),
        ("floor = LOW_RANK_FLOOR * max(self", "floor = 0 * max(self"),
        ("np.diag(self.inverse_diagonal) - root", "np.diag(self.inverse_diagonal) + root"),
        ("        half.reshape(-1)[:: len(half) + 1] /= 2\n", ""),
        ("self.penalties + mu  # the", "self.penalties  # the"),
        ("beside + np.vdot(left, left.T)", "beside + np.vdot(left, left)"),
        (
            "beside + np.trace(left), beside + np.vdot(left, left)\n",
            "np.trace(left), np.vdot(left, left)\n",
        ),
    ),
    "_network/root.py": (
        "_network/test_root.py",
        ("(root @ W2.T) * slope[:, None, :]", "(root @ W2.T)"),
        ("(root @ W2.T) * slope", "(W2.T) * slope"),
        ("self.inputs @ V, self.slopes", "self.inputs @ V, self.slopes**2"),
        ("self.inputs.T @ np.einsum", "self.inputs.T**2 @ np.einsum"),
        ("self.inputs * np.sqrt(inverse)", "self.inputs * inverse"),
        ("self.gram_of_slopes.reshape(n, k, n, k) * (scaled", "(scaled"),
        ("(M * self.gram_of_slopes)", "M"),
        ("(self.slopes**2).sum(axis=1)", "self.slopes.sum(axis=1) ** 2"),
        ("        gram += self.second.gram(second[:, 0])\n", ""),
        ("np.ones(len(A1), A1.dtype)", "np.zeros(len(A1), A1.dtype)"),
    ),
    "_network/scale.py": (
        "_network/test_scale.py",
        ("b1 = first[-1] - self.mean @ W1", "b1 = first[-1] + self.mean @ W1"),
        ("b2 * self.y_scale + self.y_mean]", "b2 + self.y_mean]"),
        ("+ np.outer(self.mean, db1)", "- np.outer(self.mean, db1)"),
        ("first[:-1] - np.outer(self.standardization.mean, first[-1])", "first[:-1].copy()"),
        ("        dW2 += db2\n", ""),
        ("        b2 -= W2.sum(axis=0)\n", ""),
        ("second + absent * shift**2", "second"),
        ("unit = np.where(two_valued & ~is_constant,", "unit = np.where(False,"),
        ("unit = np.where((share < 0.5) &", "unit = np.where((share < 0.0) &"),
        ("weight * (X.data != 0),", "weight,"),
        ("NOTHING_BETWEEN = 1e-11", "NOTHING_BETWEEN = 1e-3"),
        ("10 * np.finfo(np.float64).eps * np.abs(shift)", "0 * np.abs(shift)"),
        ("        X, weight = X[weight > 0], weight[weight > 0]\n", "        pass\n"),
        ("np.array(sums, np.float64)", "np.array(sums)"),
        ("sums[4:] + (ends == 0) * (total - sums[0])", "sums[4:]"),
        ("np.where(end[0] == value, end[1], 0) + ", "end[1] + "),
        ("np.where(other[0] == value, other[1], 0)", "other[1]"),
    ),
    "_network/products.py": (
        "_network/test_products.py _network/test_textbook_lines.py _network/test_blocks.py "
        "_data/test_table.py",
        ("np.asarray((X[1:] != X[:-1]).sum(axis=1)).ravel() > 0", "False"),
        ("    differ[1:] |= (y[1:] != y[:-1]).any(axis=1)\n", ""),
        ("    order = np.lexsort(keys)\n", "    order = np.arange(len(y))\n"),
        ("    if (are_near & is_new).any():", "    if False:"),
        ("are_near | np.append(are_near[1:], False)", "are_near"),
        ("(*dense(X[rows]).T, *y[rows].T, *keys[:, rows])", "(*dense(X[rows]).T, *y[rows].T)"),
        ("    first *= W2.T\n", ""),
        ("        done += m - a\n", "        done += m\n"),
        ("numbers[a, a:] = numbers[a:, a] =", "numbers[a, a:] ="),
        ("        out += X[stacked:].T @ D[stacked:]\n", "        pass\n"),
        ("        np.matmul(X[stacked:], W, out=out[stacked:])\n", "        pass\n"),
    ),
    "_optimize/full_batch.py": (
        "_optimize/test_full_batch.py test_gradient_descent.py test_train.py",
        ("        return value, units * gradient\n", "        return value, gradient\n"),
        ("    found.x = units * found.x\n", ""),
        ("        x = units * step.x\n", "        x = step.x\n"),
        ("found = search(fun_of_v, x0 / units,", "found = search(fun_of_v, x0,"),
        ("x = x - learning_rate * gradient", "x = x - 0.5 * learning_rate * gradient"),
        ("iteration == 1 or value < step.least", "True"),
        (" and not falls_faster", ""),
        ("eighth = max(n // 8, 1)", "eighth = n // 8"),
        ("max(self.constant - now, now / 10)", "self.constant - now"),
        ("unit = min(now, max(", "unit = min(1e9, max("),
        ("if not value <= MAX_GROWTH * start + 0.5:", "if False:"),
        ("np.abs(gradient).max() <= tol", "False"),
        ("            return 10 * highest + 1\n", "            return value\n"),
        ("            gradient = np.zeros_like(x)\n", ""),
        (
            "        if is_flat(values):\n            raise StopIteration",
            "        if False:\n            raise StopIteration",
        ),
        ("            if highest is None:", "            if False:"),
        ("<= n * self.share", "<= self.share"),
        ("FLAT_SHARE * max_iter", "10"),
        ("(100 * tol) ** 2", "tol"),
        ("max(1 / 3, 1 - (2 * gain - 1) ** 3)", "1 / 3"),
        ("if decrease > 0:", "if True:"),
        ("0.5 * v @ (mu * v - gradient)", "v @ (mu * v - gradient)"),
        ("return 0.5 * a if", "return -0.5 * a if"),
        ("<= 0.375 * np.linalg.norm(v)", "<= 1e9 * np.linalg.norm(v)"),
        ("        if small_steps == 3:", "        if small_steps == 1:"),
        ("            return ended(step, STALLED)", "            return ended(step, CONVERGED)"),
    ),
    "_optimize/stochastic.py": (
        "_optimize/test_stochastic.py",
        ("        direction += gradient\n    else", "    else"),
        ("c1 = (1 - beta1) / (1 - beta1**t)", "c1 = 1 - beta1"),
        ("direction += epsilon / root", "direction += epsilon"),
        (
            "0.5 * (1 + cos(pi * min(progress, 1.0)))",
            "0.5 * (1 + cos(pi * min(progress / 2, 1.0)))",
        ),
        ("weight = max(least_weight, 1 / n_steps)", "weight = least_weight"),
        ("options.learning_rate / 2**refusals", "options.learning_rate / 2"),
        ("value < step.least - options.tol else", "value < step.least else"),
    ),
    "_bayes/posterior.py": (
        "_bayes/test_posterior.py _bayes/test_evidence.py _bayes/test_averages.py "
        "test_posterior.py test_classes_without_weight.py",
        ("    if not (precisions.prior > 0).all():", "    if False:"),
        ("- 0.5 * log_determinant + 0.5 * log_prior", "- 0.5 * log_determinant"),
        ("    if likelihood.is_gaussian:\n        normalizer", "    if True:\n        normalizer"),
        ("    elif penalty.strengths[-1] == 0:", "    elif False:"),
        ("V *= self.temperature / self.scale *", "V *= 1 / self.scale *"),
        ("spread**2 / scale", "1 / scale"),
        ("TIE * losses.min())[-1]", "np.inf * losses.min())[-1]"),
        ("partial(expected_hessian, loss)", "None"),
        ("noise_precision / widening, of_targets / widening", "noise_precision, of_targets"),
        (
            "noise_precision / widening, of_targets / widening",
            "noise_precision, of_targets / widening",
        ),
        ("factor, before, diagonal = posterior_factor(curvature)", "_, before, diagonal = None"),
        ("strengths[[-3, -1]] = penalty.strengths[[-3, -1]]", "pass"),
        ("np.maximum(strengths, TRACE * largest)", "strengths"),
        ("(1e-6, 1e6)", "(1e-6, 1e1)"),
        ("of_targets * growth)", "of_targets)"),
        ("growth) if are_told else", "growth) if True else"),
        (
            "factor.determined(penalty.groups), 1e-3, size",
            "factor.determined(penalty.groups) / 2, 1e-3, size",
        ),
    ),
    "_bayes/valleys.py": (
        "_bayes/test_valleys.py",
        ("float(bound / of_median) if bound < of_median else 1.0", "1.0"),
        ("if bound < of_median else 1.0", "if bound < 1 else 1.0"),
        ("median(said[:, varies].sum", "median(said.sum"),
        ("most * np.sum(variances), median", "most, median"),
        ("    if n < 2:  #", "    if False:  #"),
        ("believed_share(temperature * said, most", "believed_share(said, most"),
        ("most, variances, weights)", "most, variances)"),
        ("order = np.argsort(values)", "order = np.arange(len(values))"),
        (
            "below[-1] / 2 * (1 + HALF",
            "below[-1] / 2 * (1 - HALF",
        ),
        ("2 * gammaincinv(n / 2, 1 - PROBABILITY) / n", "1.0"),
        ("(n + 1) / (n - 1) * ratio**2", "ratio**2"),
        ("(n + 1) / (n - 1) * ratio**2", "(n + 1) / (n - 1)"),
        ("    if n < 2:\n        return np.inf\n", ""),
    ),
    "_bayes/averages.py": (
        "_bayes/test_averages.py test_posterior.py",
        ("centring = np.eye(k) - 1 / k", "centring = np.eye(k)"),
        ("(A2 * (1 - A2)) @ weights, 0.0", "A2 @ weights, 0.0"),
        ("A2.transpose(0, 2, 1) @ A2 / A2.shape[1]", "0.0"),
    ),
    "_bayes/evidence.py": (
        "_bayes/test_evidence.py",
        ("np.clip(strength * gamma / squares", "np.clip(gamma / squares"),
        ("> MAX_EFFECTIVE_SHARE * likelihood.n_telling", "> np.inf"),
        ("likelihood = likelihood.told_by(mean_loss, params)", "pass"),
        ("while calm < 3 and", "while calm < 1 and"),
    ),
    "_bayes/leave_one_out.py": (
        "_bayes/test_leave_one_out.py _bayes/test_copies.py",
        ("Z2 + leave_one_out_shift(", "Z2 - leave_one_out_shift("),
        ("np.minimum(leverage, MAX_LEVERAGE)", "np.minimum(leverage, 0)"),
        ("distinct_weight / inflation", "distinct_weight"),
        ("mean_loss.distinct_weight / inf", "mean_loss.rows.total_weight / inf"),
    ),
    "_bayes/noise.py": (
        "_bayes/test_evidence.py test_posterior.py test_error_bars_of_any_fit.py "
        "_bayes/test_posterior.py _bayes/test_valleys.py test_small_weights.py",
        ("independence(products[np.ix_(varies, varies)], rows", "independence(products, rows"),
        ("is_alone = mean_loss.distinct_weight < 2", "is_alone = False"),
        ("self.noise_share(gamma, factor) * left_out_share", "left_out_share"),
        ("np.clip(unused * left / squares", "np.clip(unused"),
        ("unused * left / squares, 1 / self.n_telling", "unused * left / squares, 0.0"),
        ("self.of_telling(gamma).sum() / self.n_telling", "gamma.sum() / self.n_residuals"),
        ("v * units / (1 - np.minimum(h, LARGEST_LEVERAGE))", "v * units"),
        ("v * (weight[:, None] / S)", "v / S"),
        ("(X[i[block]] - X[j[block]]) / np.sqrt(2)", "X[i[block]] - X[j[block]]"),
        ("np.maximum(s[i] * (s[i] - 1), 0)", "0"),
        ("np.ones(X.shape[0]) if weight is None else weight])", "np.ones(X.shape[0])])"),
        ("np.argsort(-s, kind", "np.argsort(s, kind"),
        ("s @ X / s.sum()", "X.mean(axis=0)"),
        ("max(MOST_DRAWN // n_numbers, 1)", "m"),
        ("n_outputs * units * np.concatenate", "n_outputs * np.concatenate"),
        ("* root[:, :, None] * root[:, None, :]", ""),
        ("(of_targets * self.variances)[varies]", "of_targets[varies]"),
        (
            "return 0.5 * noise_precision * self.n_residuals if",
            "return noise_precision * self.n_residuals if",
        ),
        ("self.n_telling - min(n_effective, MAX", "self.n_telling - min(0, MAX"),
        ("self.share_telling * gamma[-2:]", "gamma[-2:]"),
        ("used = n_effective * (shares * growth)", "used = n_effective * shares"),
        ("(params) * np.outer(varies, varies)", "(params)"),
        ("square - (1 - square) / total_weight", "square"),
        ("return 1 / (1 + (k - 1) * square)", "return 1.0"),
        ("(params)[np.ix_(varies, varies)]", "(params)"),
        ("(C * leverage).sum(axis=1)", "(C * leverage).sum(axis=1) / 2"),
        ("* self.independence\n", "\n"),
        ("n_telling=share * n_residuals", "n_telling=n_residuals"),
        ("degrees + says_nothing, squares + says_nothing * units", "degrees, squares"),
        ("squares + says_nothing * units", "squares + says_nothing"),
        ("(variances == 0) | tell_nothing", "(variances == 0) & tell_nothing"),
        ("and counted < MIN_DISTINCT", "and False"),
        ("min(round(total_weight), n_distinct(mean_loss.rows))", "n_distinct(mean_loss.rows)"),
        ("part if total is None else np.vstack([total, part])", "part if total is None else total"),
        ("others[(others != others[0]).any(axis=1)]", "others[1:]"),
        ("np.minimum(used, MAX", "np.minimum(n_effective, MAX"),
    ),
    "_bayes/choose_penalty.py": (
        "_bayes/test_choose_penalty.py",
        ("FREE_STEPS, MUCH_LEFT = (20, 100)", "FREE_STEPS, MUCH_LEFT = (1, 1)"),
        ("else 4 * search.noise", "else search.noise"),
        ("CURVE_SHARE = 0.7", "CURVE_SHARE = 0.9"),
        ("    if least >= CURVE_SHARE * before:", "    if least >= before:"),
        ("    if least >= CURVE_SHARE * before:", "    if False:"),
        ("    if search.n_columns == 1:", "    if False:"),
        ("1.0), search.likelihood.variance)", "1.0), np.inf)"),
        ("(squares > MUCH_LEFT * first)).any()", "(squares > MUCH_LEFT * first)).all()"),
        ("if loss < MARGIN * chosen[1] else chosen", "if loss < 2 * chosen[1] else chosen"),
        ("            elif least <= loss < np.inf:", "            elif False:"),
        ("            elif least <= loss < np.inf:", "            elif loss < np.inf:"),
        ("if not values or values[-1] > MARGIN * values[0]:", "if True:"),
        (
            "    else:\n        chosen, times = _best_by_leave",
            "    elif used > EVIDENT_SHARE:\n        chosen, times = _best_by_leave",
        ),
        ("if _factor_and_used_share(search, fit)[1] > MUCH_USED_SHARE:  # it", "if False:  # it"),
        ("inflation if used <= MUCH_USED_SHARE else 1.0", "INFLATION"),
        ("    if share >= DOUBTFUL_LOSS:", "    if False:"),
        ("np.flatnonzero(MARGIN * losses <= np.nanmin(losses))[-1]", "losses.argmin()"),
        (
            "if used > MAX_JUDGED_SHARE:\n        return np",
            "if 0:\n        return np",
        ),
    ),
    "_bayes/curve.py": (
        "_bayes/test_curve.py _bayes/test_choose_penalty.py",
        ("median / MEDIAN_OF_SQUARE)", "np.inf)"),
        ("np.minimum(weight @ squares / weight.sum(), median", "np.minimum(np.inf, median"),
        ("MEDIAN_OF_SQUARE = 0.4549", "MEDIAN_OF_SQUARE = 1.0"),
        ("/ (1 + a**2 + b**2)", "/ 2"),
        ("a * y[:-2] - b * y[2:]", "b * y[:-2] - a * y[2:]"),
        ("    if len(x) < 3:", "    if len(x) < 2:"),
        ("    if len(x) < len(y):", "    if False:"),
        ("weight.sum() + _noise_between(x, means, together)", "weight.sum()"),
        ("noise = squares.sum(axis=0) / weight.sum() +", "noise ="),
        ("together[n_different > 1].sum()", "together.sum()"),
        ("share @ squares / of_several", "squares.sum(axis=0) / of_several"),
        ("np.bincount(copies.ravel(), table[:, -1])", "np.bincount(copies.ravel())"),
        ("lambda running: instead", "None"),
    ),
    "_bayes/cross_validate.py": (
        "_bayes/test_cross_validate.py test_choose_penalty.py",
        ("< MARGIN * losses.get(chosen, 0.0)", "<= losses.get(chosen, 0.0)"),
        ("losses.get(chosen, 0.0)", "losses.get(chosen, np.inf)"),
        ("if number == 0 or not is_cut:", "if True:"),
        ("            if is_cut:\n", "            if False:\n"),
        ("    return n_dealt * min(bits, 1.0)", "    return n_dealt"),
        ("        if n_dealt < self.min_rows:", "        if False:"),
        ("    if not bits:\n", "    if False:\n"),
        ("if number == 0 and n_folds < N_FOLDS:", "if number == 0:"),
        ("if bits < RARE_BITS and rows_told(", "if rows_told("),
        ("if bits < RARE_BITS and rows_told(n_dealt, bits) < FEW_TOLD:", "if False:"),
    ),
    "_data/targets.py": (
        "_data/test_targets.py _data/test_scores.py test_validation.py test_faults.py",
        ("total = second - first**2 / weight", "total = second"),
        ("total <= 10 * np.finfo(np.float64).eps * second", "total <= 0"),
        ("        if encoded.shape[1] != self.n_outputs:", "        if False:"),
        ('if output_activation == "logistic" and (least < 0 or greatest > 1):', "if False:"),
        ("except (ValueError, TypeError, OverflowError)", "except TypeError"),
        ("except (ValueError, TypeError, OverflowError)", "except (ValueError, TypeError)"),
        ("    if is_missing.any():", "    if False:"),
        ("            refuse_missing(numbers)\n", ""),
        ("            if np.isinf(numbers).any():", "            if False:"),
        ('        if y.dtype.kind in "mM":', "        if False:"),
        ('if y.dtype.kind in "fmM" else', 'if y.dtype.kind == "f" else'),
        ("', ...' if len(labels) > MOST_LISTED else", "', ...' if False else"),
        ("variance if variance > LEAST_VARIANCE else 1.0", "variance"),
        ("max(variance**0.5, LEAST_UNIT)", "variance**0.5"),
        ("moments.scale[~moments.is_constant]", "moments.scale"),
    ),
    "_data/labels.py": (
        "_data/test_targets.py _data/test_scores.py test_validation.py test_partial_fit.py "
        "test_classifier.py test_classes_without_weight.py test_faults.py "
        "_data/test_labels.py",
        ("LOGARITHMS_AT_ONCE = 2**14", "LOGARITHMS_AT_ONCE = 2**30"),
        ("        if len(unknown):", "        if False:"),
        ("return (True,) if self.is_binary else", "return () if self.is_binary else"),
        ("        if y.shape[1:] != (", "        if self.is_multilabel and y.shape[1:] != ("),
        ('        if "balanced" in each:', "        if False:"),
        ("        if not np.array_equal(previous.classes, self.classes):", "        if False:"),
        ("        if previous.is_multilabel != self.is_multilabel:", "        if False:"),
        ("best = (Z2[:, 0] > 0)", "best = (Z2[:, 0] > 1)"),
        ("    if not np.isin(labels, (0, 1)).all():", "    if False:"),
        ("((Z2 > 0) == y).all(axis=1)", "((Z2 > 0) == y).any(axis=1)"),
        ("        check_class_weight(self.class_weight, weight)\n", ""),
        ("return replace(self, classes=classes, is_seen=None)", "return self"),
        (
            "if not np.array_equal(classes, self.classes):\n            raise ValueError(\n"
            '                f"classes={listed(classes)} are not valid',
            "if False:\n            raise ValueError(\n"
            '                f"classes={listed(classes)} are not valid',
        ),
        ("    if labels.ndim and labels.size and not", "    if not"),
        ("labels.size and not are_missing(labels).any():", "labels.size:"),
        ('        if kind == "unknown":', "        if False:"),
        ("np.hstack([1 - A2, A2]) if", "np.hstack([A2, 1 - A2]) if"),
        ("out[rows, :1] = ln(-Z2[rows])", "out[rows, :1] = ln(Z2[rows])"),
        ("totals.sum() / (weighs.sum() *", "totals.sum() / (len(totals) *"),
        ("    if not is_part:\n", "    if False:\n"),
        ("0 <= value <= GREATEST", "value < np.inf"),
        ("isinstance(value, Real) and", "isinstance(value, complex) or"),
    ),
    "_data/suspicious_rows.py": (
        "_data/test_suspicious_rows.py test_faults.py test_partial_fit.py test_blame.py",
        ("LARGEST_SHARE, SHARE_OF_EACH = 0.02, 1e-4", "LARGEST_SHARE, SHARE_OF_EACH = 0.2, 1e-2"),
        ("        if len(values) > FEW_VALUES\n", ""),
        ("_of_row if suspect.n_rows == 1 else _of_value", "_of_row"),
        ("_of_row if suspect.n_rows == 1 else _of_value", "_of_value"),
        ("distance**2) / (1 - p)", "distance**2)"),
        ("(1 - p / (1 - p) * distance**2)", "(1 - p * distance**2)"),
        (" & (p < MOST_ROWS_OF_A_CODE)", ""),
        ("(p.sum(axis=0) < 1 - NO_OTHERS) & (", "("),
        ("    X = X if weight is None else X[weight > 0]\n", ""),
        ("repr(suspect.value).removesuffix", 'f"{suspect.value:.6g}".removesuffix'),
        (
            '    if suspect.name != "X":\n        remedy = "drop',
            '    if False:\n        remedy = "drop',
        ),
        ("total > MOST_COUNTS_OF_A_ROW * n", "False"),
        ("if isinstance(alpha, str) and total", "if total"),
        ("if n < LEAST_ROWS or", "if"),
        ("(squares < np.finfo(float).tiny)", "(squares == 0)"),
        ("np.where(m.is_constant, m.mean, m.scale) ** 2", "m.scale**2"),
        ("is_constant & (m.mean != 0) & (m.mean != 1)).tolist()", "is_constant).tolist()"),
        ("    if is_stream:\n        found", "    if True:\n        found"),
        ('f", and {len(constant) - 1} more', 'f", and {len(constant)} more'),
        ("    if not problem.targets.is_numeric and shape", "    if shape"),
        ("and shape[1:] == (1,):", "and False:"),
    ),
    "_data/partitions.py": (
        "_data/test_dask_table.py test_refusals.py",
        ('isinstance(getattr(X, "ndim", None), int)', 'hasattr(X, "ndim")'),
        ("if np.isnan(shape).any() and n_columns is not None:", "if n_columns is not None:"),
        ("    refuse_others(other)\n", ""),
        ("rows.batches(batch_size, state)", "rows.batches(batch_size, None)"),
        ("            order = random_state.permutation(n_partitions)\n", ""),
    ),
    "_data/dask_table.py": (
        "_data/test_dask_table.py test_faults.py",
        ("    check_total_weight(table.total_weight, weights)\n", ""),
        ('with about(f"Partition {index}")', "if True"),
        ("        return table.encode(targets, name)", "        return table.encode(targets)"),
    ),
    "_network_display.py": (
        "test_display.py",
        ("    if len(name) <= MOST_CHARACTERS:", "    if True:"),
        ("        if n_layers != 2:", "        if False:"),
        ("        if isinstance(feature_names, str):", "        if False:"),
        ("        if len(feature_names) != len(W1):", "        if False:"),
    ),
    "_validation.py": (
        "test_frames.py test_faults.py test_base.py test_scorers.py test_underflow.py "
        "test_scales.py "
        "test_dask.py::test_data_frames_with_unknown_lengths_and_an_empty_partition",
        (
            "validate_data(estimator, row, reset=reset)",
            "validate_data(estimator, row, reset=False)",
        ),
        ("        read(arrays, reset=True)  # what is wrong", "        # what is wrong"),
        ('"" if str(error).endswith("\\n") else " "', '" "'),
        ('invalid="ignore", under="ignore"):', 'invalid="ignore"):'),
        ('errstate(over="ignore", invalid="ignore", under', "errstate(under"),
        ("    check_shapes(*weights, estimator.n_features_in_, estimator.n_outputs_)\n", ""),
        ("estimator.n_features_in_, estimator.n_outputs_)\n", "None, estimator.n_outputs_)\n"),
        ("estimator.n_features_in_, estimator.n_outputs_)\n", "estimator.n_features_in_)\n"),
        ('check_is_fitted(estimator, ("coefs_", "n_outputs_"))', "pass"),
        ("names = () if problem.targets.is_numeric else", "names ="),
    ),
    "_data/rows.py": (
        "_data/test_rows.py test_reproducibility.py",
        (
            "                self.total = self._merge(self.total, self._waiting.pop(self._next))\n"
            "                self._next += 1",
            "                self.total = self._merge(self.total, self._waiting.pop(self._next))\n"
            "                self._next += 2",
        ),
        ("return 1.0 if abs(exponent) < 30 else", "return 1.0 if True else"),
        ("np.take(array, rows, axis=0)", "array[: len(rows)]"),
        ("        out[:, -1] = 1\n", "        out[:, -1] = 0\n"),
    ),
    "_data/table.py": (
        "_data/test_table.py _data/test_counted.py _data/test_suspicious_rows.py "
        "test_validation.py test_early_stopping.py test_frames.py test_faults.py "
        "test_refusals.py test_small_weights.py",
        ("* self.density + self.encoded.size", "* self.density"),
        ("given = self.given and self.given.weigh(targets)", "given = self.given"),
        ("np.add.reduceat(weight[order], np", "np.add.reduceat(weight, np"),
        ("frequency=frequency, given=self.as_given)", "frequency=frequency)"),
        ("weight=weight, frequency=weight)\n        return", "weight=weight)\n        return"),
        ("weightless=self.weightless, given=self.as_given)", "weightless=self.weightless)"),
        ("or n_numbers > MOST_SORTED", ""),
        (', "lm") and not settings.early_stopping', ', "lm")'),
        ("                refuse_missing(values)\n", "                pass\n"),
        ("    if not array.ndim:", "    if False:"),
        ("if sample_weight_val is None else", "if True else"),
        ("    if (weight < 0).any():", "    if False:"),
        ("    if missing.any():", "    if False:"),
        ("    if are_dates(sample_weight):", "    if False:"),
        ('    if getattr(y, "shape", ())[1:] == (0,):', "    if False:"),
        ('    with about("sample_weight"):', "    if True:"),
        ("    if total == 0:", "    if False:"),
        ("    if not np.isfinite(total):", "    if False:"),
        ("if counts.min() < 2 or len(counts) > room:", "if True:"),
        ("    if weight.shape != (X.shape[0],):", "    if False:"),
        ("        if sample_weight_val is not None:", "        if False:"),
        ("np.flatnonzero(weight)}", "np.flatnonzero(weight >= 0)}"),
        ("table.weight * shares)", "table.weight)"),
        ("        if (shares == 1).all():", "        if False:"),
        ("order = order[in_turn(strata[order].ravel())]", "pass"),
        ("np.where(number < 2, number - 2, number / counts[label])", "number / counts[label]"),
    ),
    "_data/counted.py": (
        "_data/test_counted.py test_small_weights.py",
        (
            "    relative = weight / largest\n    return flo",
            "    relative = weight\n    return flo",
        ),
        ("shares**2 / np.where(each > 0, each, 1)", "shares**2 / len(each)"),
        ("effective > (1 + RATIO_OF_ROUNDING) * total", "True"),
        ("effective > (1 + RATIO_OF_ROUNDING) * total", "effective > total"),
        ("return effective if", "return total if"),
        ("    if weight.min() == weight.max():\n        return None\n", ""),
        (
            "    relative = weight / largest\n    return rel",
            "    relative = weight\n    return rel",
        ),
    ),
    "_fit/auto.py": (
        "_fit/test_auto.py _fit/test_training.py test_parameters.py test_validation.py "
        "test_choose_penalty.py",
        ("n_params(replace(size, n_outputs=1), settings", "n_params(size, settings"),
        ("MAX_CLASSIFIER_COST = 1e5", "MAX_CLASSIFIER_COST = 1e9"),
        ('MAX_CLASSES if settings.n_hidden == "auto" else n_hidden', "MAX_CLASSES"),
        ("MATRICES_OF_MANY_ROWS = 225", "MATRICES_OF_MANY_ROWS = 300"),
        (
            "MAX_COMPARED_COST, MIN_COMPARED_ROWS = 3e7, 1000",
            "MAX_COMPARED_COST, MIN_COMPARED_ROWS = 3e7, 500",
        ),
        ("n_hidden * (n_stored + 1 +", "n_hidden * (size.n_features + 1 +"),
        ("rows_to_start_on(size, settings) == size.n_rows\n", "True\n"),
        ('if solver == "lm" and learns_wide', "if learns_wide"),
        ("is_wide |= not (leaves_residuals(size) or is_small(size))", "pass"),
        ("not (leaves_residuals(size) or is_small(size))", "not leaves_residuals(size)"),
        ("is_rival = leaves_residuals(size) and", "is_rival ="),
        ("return size.n_telling > size.n_features", "return True"),
        ("size.n_outputs == 1 and MIN_ROWS_OF_WIDE", "MIN_ROWS_OF_WIDE"),
        ("size.n_telling >= RESIDUALS_OF_A_WEIGHT", "size.n_counted >= RESIDUALS_OF_A_WEIGHT"),
        ("(is_huge and not settings.is_stream)", "is_huge"),
        (
            'settings.solver == "adam" and not is_gradient',
            'settings.solver == "adam" or not is_gradient',
        ),
        ("return size.penalty_unit / (size.n_counted", "return 2 / (size.n_rows"),
        ("return size.penalty_unit / (size.n_counted", "return 1 / (size.n_counted"),
        ("n_free_steps=sum(FREE_STEPS)", "n_free_steps=0"),
        ("if is_cheap and not goes_on else", "if is_cheap else"),
        ('settings.solver == "lm" or is_near', "is_near"),
        ("n_rows and is_affordable(part, settings.n_hidden)", "n_rows"),
        ("size.density * size.n_rows * size", "size.density * size.n_counted * size"),
        ("size.is_regression else size.repeated, n", "size.is_regression else size, n"),
        ("is_affordable(size.repeated, resolved", "is_affordable(size, resolved"),
        (
            "cost = gauss_newton_size_and_cost(size.repeated,",
            "cost = gauss_newton_size_and_cost(size,",
        ),
        ('    elif solver != "lm" and (n_matrix', '    elif solver == "lbfgs" and (n_matrix'),
        ("EARLY_STOPPING_SHARE = 0.1", "EARLY_STOPPING_SHARE = 1.0"),
        (
            "    if resolved.n_members > 1:\n        return replace(resolved, n_h",
            "    if True:\n        return replace(resolved, n_h",
        ),
        (
            " and finds_by_evidence(resolved, size):\n        n_members =",
            ":\n        n_members =",
        ),
        (
            'if resolved.alpha != "auto" or n_hidden >= resolved.n_hidden:',
            "if n_hidden >= resolved.n_hidden:",
        ),
        (
            'if resolved.alpha != "auto" or n_hidden >= resolved.n_hidden:',
            'if resolved.alpha != "auto":',
        ),
        ("leaves_residuals(size) and by_lm.n_hidden <= choose_narrow_width(size)", "True"),
        ("UNITS * np.sqrt(S", "np.sqrt(S"),
        ("size.n_rows * size.n_outputs))", "size.n_counted * size.n_outputs))"),
        (
            "RESIDUALS_OF_A_WEIGHT, FEWEST_HIDDEN = 2, 3",
            "RESIDUALS_OF_A_WEIGHT, FEWEST_HIDDEN = 1, 3",
        ),
        ("max(size.n_outputs - size.n_constant, 1)", "size.n_outputs"),
        ("max(size.n_outputs - size.n_constant, 1)", "(size.n_outputs - size.n_constant)"),
        ("n_hidden > MIN_HIDDEN or is_small(size)", "n_hidden > MIN_HIDDEN"),
        ("n_hidden > MIN_HIDDEN or is_small(size)", "is_small(size)"),
        ("min(round(k), size.n_features))", "0)"),
        ("min(round(k), size.n_features))", "round(k))"),
        ("int((most_weights - k)", "int((most_weights + k)"),
    ),
    "_fit/parameters.py": (
        "_fit/test_parameters.py _fit/test_auto.py test_parameters.py "
        "test_dask.py::test_partial_fit_takes_arrays",
        ("        if not is_valid(value):", "        if False:"),
        ("RULES | RULES_OF_CLASSES if is_of_classes else", "RULES if is_of_classes else"),
        ("= float(value) if name in REAL and", "= value if name in REAL and"),
        ("number = float(value) if kind is Real else value", "number = value"),
        ("partial(_is_number, low=1, high=TOO_MANY, kind", "partial(_is_number, low=1, kind"),
        ("{name}={_shown(value)} is ignored", "{name}={value!r} is ignored"),
        ("            value = _plain(value)\n", "            pass\n"),
        ("partial(NOT_NEGATIVE, high=1e30)", "NOT_NEGATIVE"),
        ("if settings.early_stopping:\n        raise", "if False:\n        raise"),
        ("    if of_collections:", "    if False:"),
    ),
    "_fit/run.py": (
        "_fit/test_weights.py _fit/test_run.py _fit/test_training.py test_committee.py "
        "test_scales.py test_stopping.py "
        "test_gradient_descent.py test_choose_penalty.py test_invariance.py test_partial_fit.py "
        "test_defaults.py test_parameters.py test_data_kinds.py test_refusals.py",
        ("    if network.n_params > MOST_WEIGHTS:", "    if False:"),
        ("(MOST_WEIGHTS - k) // (f + 1 + k)", "MOST_WEIGHTS // (f + 1)"),
        ("table=self.table.part(n_rows, strata=strata)", "table=self.table.part(n_rows)"),
        ("size = replace(size, copies=problem.of_rows(table).copies)", "pass"),
        ('len(found.scale) == 1 and title == "y"', "False"),
        ('len(found.scale) == 1 and title == "y"', 'title == "y"'),
        ("return min(self.constant_loss, 1.0) or 1.0", "return self.constant_loss or 1.0"),
        ("return min(self.constant_loss, 1.0) or 1.0", "return min(self.constant_loss, 1.0)"),
        ("gradient_scale=problem.gradient_scale", "gradient_scale=1.0"),
        ("independence=independence_of_targets(table)", "independence=1.0"),
        ("sum(self.targets.is_constant) if is_regression else 0", "0"),
        ("    if settings.n_members > 1 and settings.warm_start:", "    if False:"),
        (
            '    if settings.n_members > 1 and settings.output_activation == "logistic":',
            "    if False:",
        ),
        ("            training.monitor.interrupt()\n", "            pass\n"),
        ("            watch.deadline.interrupt()\n", "            pass\n"),
        ("training is not None and fit is None", "training is not None"),
        ("                return Fit(ending=watch.deadline.reason)\n", "                pass\n"),
        ("            if is_late:  #", "            if False:  #"),
        ("n_jobs if n_jobs is None else min(n_jobs, settings.n_members)", "n_jobs"),
        ('if "X" in self.moments else ()', "if False else ()"),
        ("((), ()) if says_little else", "((), ()) if False else"),
        ("settings.is_stream or not isinstance(settings.alpha, str)", "True"),
        ('settings.solver == "gd" or settings.is_stream or', "settings.is_stream or"),
        ('settings.solver == "gd" or settings.is_stream or', 'settings.solver == "gd" or'),
        ("settings.is_stream or not isinstance(settings.alpha, str)", "settings.is_stream"),
        ("(settings.standardize or not stays)", "True"),
        (
            'targets = targets.in_units(moments_of(table, "encoded"))',
            'targets.in_units(moments_of(table, "encoded"))',
        ),
    ),
    "_bayes/copies.py": (
        "_bayes/test_copies.py",
        ("    if do_meet and (rows.meet_by_chance", "    if (rows.meet_by_chance"),
        ("n_before + n_levels - 1", "n_before + n_levels"),
        ("is_new[1:] = (np.diff(labels[order]) != 0) | (np.diff(inputs[order]) != 0)", "pass"),
        ("(n_labels > 1).sum() > CONTESTED *", "(n_labels > 1).sum() > 0 *"),
        ("if frequency.sum() <= 2 * n_inputs:", "if False:"),
        ("n_before + n_levels - 1", "n_before"),
        ("if n_values == n_inputs or n_cells", "if n_cells"),
        ("fold[np.lexsort((at_random, label))]", "fold[at_random]"),
        ("RandomState(0).permutation(n_units)", "RandomState(0).permutation(n_units) * 0"),
        ("max(float(weight.sum() / table.n_rows), 1.0)", "weight.sum() / table.n_rows"),
        (
            "if do_meet and (rows.meet_by_chance(weight) or rows.fill_a_table(table.X, weight)):",
            "if False:",
        ),
        (
            "rows.meet_by_chance(weight) or rows.fill_a_table(table.X, weight)",
            "rows.fill_a_table(table.X, weight)",
        ),
        (" or rows.fill_a_table(table.X, weight)", ""),
        ("are_labels and (rows", "(rows"),
        ("    elif are_few and rows", "    elif rows"),
        ("rows.deal_distinct(are_only_ones(y, rows.is_first))", "rows.deal_distinct()"),
        ("are_only_ones(y, rows.is_first)", "are_only_ones(y, frequency)"),
        ("np.where(are_only_ones(y, frequency), 0, frequency)", "frequency"),
        ("np.clip(round(ends[-1]), 1, MOST_UNITS)", "np.clip(round(ends[-1]), 0, MOST_UNITS)"),
        ("is_several = N_FOLDS <= self.n", "is_several = 0 <= self.n"),
        (" and len(self.numbers(X)) > 0", ""),
        ("            is_between[self.inputs[is_end]] = False", "            pass"),
        ("        if is_between.sum() < MIN_BETWEEN:", "        if False:"),
        ("(X) and 2 * rows.n_inputs <=", "(X) and rows.n_inputs <="),
        ("return rows.are_replicates(X) and 2", "return 2"),
    ),
    "_fit/training.py": (
        "_fit/test_training.py test_train.py test_compared_penalties.py test_defaults.py "
        "test_faults.py",
        ('    if get_config()["assume_finite"]:', "    if False:"),
        ("tol), settings.gradient_scale * tol", "tol), tol"),
        ("if fit.loss < MARGIN * least.loss:", "if fit.loss > least.loss:"),
        ("least = min(settings.compared", "least = max(settings.compared"),
        ("        if settings.compared:", "        if False:"),
        ("        if not found.nit:", "        if False:"),
        ("            if not np.isfinite(value):", "            if False:"),
        ("fit.left_out_share < MARGIN * best", "fit.left_out_share < best"),
        (
            "                search = replace(search, minimize=beside",
            "                replace(search, minimize=beside",
        ),
        (
            "return params, replace(state, params=params, average=params, progress=0.0)",
            "return params, state",
        ),
        (
            "return params, replace(state, params=params, average=params, progress=0.0)",
            "return params, StochasticState(params, params)",
        ),
        ("params=params, average=params, progress=0.0)", "params=params, average=params)"),
        ("return params, replace(state, progress=0.0)", "return params, state"),
        ("max(settings.max_iter // 2, 1)", "settings.max_iter"),
        ("BENDING_SHARE * self.mean_loss", "0 * self.mean_loss"),
    ),
    "_fit/weights.py": (
        "_fit/test_weights.py test_committee.py test_refit.py test_partial_fit.py "
        "_fit/test_foreign_start.py",
        ("TanhForm(network).invert(params) if", "params if"),
        ("b1 = steepness * random_state", "b1 = random_state"),
        ("W1[inputs], W2[:, outputs] = 0, 0", "W2[:, outputs] = 0"),
        ("        if W1.shape != (f, h) or W2.shape != (h, k):", "        if False:"),
        ("        check_shapes(coefs, intercepts)\n        if", "        if"),
        (
            "        if not np.isfinite(np.concatenate(coefs",
            "        if False and (np.concatenate(coefs",
        ),
        ('a if a.dtype.char in "fd" else', "a if True else"),
        ("not learned.is_of(coefs, intercepts)", "learned.checksum is None"),
        ("start.is_assigned or", ""),
        (" or settings.is_stream:", ":"),
        ("deepcopy(random_state), settings", "random_state, settings"),
        (") or not usual:", "):"),
        ("if lost > ABSURD * usual:", "if True:"),
        ("most = FOREIGN * usual if", "most = 1e4 * usual if"),
        ("else ABSURD * usual\n", "else FOREIGN * usual\n"),
        ("if TELLING * mean_loss", "if mean_loss"),
        ("[-1] * problem.scale.y_scale", "[-1]"),
        (
            "intercepts=[start.intercepts[0], b2], resume=None",
            "intercepts=[start.intercepts[0], b2]",
        ),
        ("= -len(db2) / 2 * db2", "= -db2 / 2"),
    ),
    "_fit/monitor.py": (
        "_fit/test_monitor.py test_early_stopping.py test_scorers.py",
        ("gains[0] > tol or", "gains[0] > 0 or"),
        ("or gains[1] > tol * abs(self._least)", ""),
        ("tol * abs(self._least)", "tol"),
        ("(score, -loss) > self._best", "score > self._best[0]"),
        ("(scores[step], -losses[step])", "scores[step]"),
        ("self.best_params = params.copy()", "self.best_params = params"),
        ("            if not np.isfinite(score):", "            if False:"),
        ("share * (self._end", "(self._end"),
        ("    if not table.is_in_memory:", "    if False:"),
        ('    if np.ndim(score) or np.asarray(score).dtype.kind not in "biuf":', "    if False:"),
        ("except (ValueError, TypeError, AttributeError) as", "except ValueError as"),
        ("TypeError if isinstance(error, TypeError) else ValueError", "ValueError"),
        ('        if "pos_label" in str(error):', "        if False:"),
        ('str(error).removesuffix(".")', "str(error)"),
        (" or type(error).__name__", ""),
        ('        if "sample_weight" not in str(error):', "        if False:"),
    ),
    "_fit/results.py": (
        "_fit/test_weights.py _fit/test_results.py test_committee.py "
        "test_error_bars_of_any_fit.py test_relevance.py "
        "_fit/test_training.py test_stopping.py test_gradient_descent.py test_faults.py "
        "test_scorers.py",
        ("np.vstack(W2) / len(W2)", "np.vstack(W2)"),
        ("    if asked and taken is not None and asked > MANY_TIMES * taken:", "    if False:"),
        ("    if not swings or settings.early_stopping:", "    if True:"),
        ("    if not swings or settings.early_stopping:", "    if not swings:"),
        ("    if endings:\n", "    if False:\n"),
        ("endings, how_far), *found]", "endings, how_far)]"),
        ("return found or [out_of_iterations]", "return found"),
        ("len(fit.steps) >= limit for fit in members", "False for fit in members"),
        (
            "    if not are_numbers or problem.scale.y_scale.min() < np.finfo(dtype).tiny:",
            "    if False:",
        ),
        ("best, dtype = min(members, key", "best, dtype = max(members, key"),
        ("times = 1 + (n - M) / (n - 1)", "times = 1.0"),
        ("times = 1 + (n - M) / (n - 1)", "times = n / M"),
        ("n, M, posteriors = len(uncut)", "n, M, posteriors = len(fits)"),
        ("precision = beta / y_scale / y_scale", "precision = beta / y_scale"),
        ("beta / np.mean(beta / of", "beta / np.max(beta / of"),
        ("posterior.log_marginal_likelihood - shift", "posterior.log_marginal_likelihood"),
        ("    if p > MAX_WEIGHTS:\n        return 0", "    if False:\n        return 0"),
        ("max(int(MAX_COST / cost_of_row), -(-2 * p // k))", "int(MAX_COST / cost_of_row)"),
        ("if n_rows == size.n_rows else over(", "if True else over("),
        ("        W2 = W2 - W2.mean(axis=1, keepdims=True)\n", "        pass\n"),
        ("W1 * spread[:, None], W2 / problem.scale.y_scale", "W1 * spread[:, None], W2"),
        ("relevances / total if total > 0 else", "relevances / total if True else"),
    ),
    "_fit/span.py": (
        "_fit/test_span.py",
        ("return self.basis.T @ W1", "return self.basis.T @ W1 * 2"),
        ("fold(self.basis @ W1, b1", "fold(-self.basis @ W1, b1"),
        ("problem.scale).inputs  # of its distinct row", "problem.scale).order"),
        ("size > ROUNDING * size[0]", "size >= 0"),
        ("problem = problem.in_columns or problem", "pass"),
        ('settings.solver in ("lbfgs", "lm") and', ""),
        (' and settings.alpha != "ard"', ""),
        ("is_wide = f >= COLUMNS_OF_A_ROW * n and", "is_wide ="),
        (" and f * n_hidden >= MANY_WEIGHTS", ""),
        ("lambda rows: rows @ basis", "lambda rows: -rows @ basis"),
        ("problem.scale.basis @ W1, W2], [b1, b2]", "problem.scale.basis @ W1, W2], [-b1, b2]"),
        ("scale=problem.scale.of_user, noise", "scale=problem.scale, noise"),
    ),
    "_fit/left_out.py": (
        "_fit/test_left_out.py _fit/test_compare.py test_choose_penalty.py "
        "test_compared_penalties.py",
        ("mean_target(table.encoded, table.frequency,", "mean_target(table.encoded, table.weight,"),
        ("        return 0.0\n    shares", "        pass\n    shares"),
        ("penalty.strengths / S", "penalty.strengths"),
        ("monitor = Monitor(", "monitor = None and Monitor("),
        ("    if fit.loss > LEARNED_SHARE * start:", "    if False:"),
        ("max_iter=END * self", "max_iter=self"),
        ("flat=Flat.once_learned(settings.tol))", "flat=None)"),
        ("for penalty in candidates[1:]]", "for penalty in candidates]"),
        ("n_iterations, constant)", "n_iterations)"),
        ("partial(_to_learn, penalty=candidates[0])", "partial(_under, penalty=candidates[0])"),
        ("else weight * part).any()", "else part).any()"),
        ("> MANY_COPIES * n_distinct", "> 3 * n_distinct"),
        ("lost / left_out_weight if left_out_weight else None", "lost / left_out_weight"),
        (
            "strength / training.mean_loss.distinct_weight",
            "strength / training.mean_loss.rows.total_weight",
        ),
        ("if is_even else S", "if False else S"),
        ("if is_even else S", "if True else S"),
    ),
    "_fit/compare.py": (
        "_fit/test_compare.py _fit/test_inputs.py _fit/test_choice.py test_choose_penalty.py "
        "test_compared_penalties.py _bayes/test_copies.py",
        ("self.sum_lost(pair) / self._told_weight", "self.sum_lost(pair)"),
        ('if solver == "adam":  # whose', "if False:  # whose"),
        ("strength / times**0.25", "strength"),
        ("ratio * times**1.5", "ratio * times"),
        ("return last if is_better else pair", "return last"),
        ("LARGE_MARGIN * self.mean_lost(pair):", "MARGIN * self.mean_lost(pair):"),
        ("in (pair, *self._next_stronger(pair)):", "in (pair,):"),
        ("end = self._at_the_end(last)", "end = last"),
        ("set.intersection(*map(set, self.told))", "set(self.told[0])"),
        ("strength * unit, ratio, of_inputs)", "strength * unit, ratio)"),
        ("if each[0] < strength and each[0] <= 1)", "if each[0] < strength)"),
        ("if each[0] < strength and each[0] <= 1)", "if each[0] <= 1)"),
        ("self._told_by_all(pair[1]) if each[0] > pair[0])", "self._told_by_all(pair[1]))"),
        ("[pair for pair in told if pair[1] == ratio]", "list(told)"),
        ("            fold[pair] = end\n", "            pass\n"),
        ("TIMES_MORE = 10**0.5, 10.0", "TIMES_MORE = (10**0.5,)"),
        ("            pair = candidate\n", "            pass\n"),
        ("min(settings.max_iter, LEARNING_STEPS)", "settings.max_iter"),
        ("deadline.share(COMPARING_SHARE)", "deadline"),
        ("if len(found) == len(pairs):", "if True:"),
        ("problem.size), problem.table.frequency", "problem.size), problem.table.weight"),
        ("return out.sum() if weight is None else weight @ out", "return out.sum()"),
        (">= MARGIN * lost:", ">= lost:"),
        (
            "is_better = self.mean_lost(last) < LARGE_MARGIN",
            "is_better = self.mean_lost(last) < MARGIN",
        ),
        ("is_raced and number == 0 and found[0][0] >= before > 0", "False"),
        (">= before > 0", ">= before"),
        ("is_raced=True", "is_raced=False"),
        ("            if total >= most:\n", "            if False:\n"),
        ("total, most = 0.0, MARGIN * ", "total, most = 0.0, "),
        ("if min(lost.values()) >= before:", "if False:"),
        ("if not lost or min(", "if min("),
        ("if min(lost.values()) >= before:", "if max(lost.values()) >= before:"),
        ("Grid((1.0, strength), 0).least(lost)", "strength"),
        (">= LARGE_MARGIN * before", ">= MARGIN * before"),
        ("if len(wider.told) == number:", "if False:"),
        ("(number, (1 / LEARNING_TIMES_LESS,", "(number, (strength / LEARNING_TIMES_LESS,"),
        ("start=start, told=[]),", "told=[]),"),
        ('solver, max_iter = "lbfgs", LEARNING_STEPS', 'solver = "lbfgs"'),
        ("if strength != grid.strengths[-1]:", "if True:"),
        ("if not found or", "if"),
    ),
    "_fit/inputs.py": (
        "_fit/test_inputs.py test_compared_penalties.py",
        ("    if best.lost >= LARGE_MARGIN * lost:", "    if best.lost >= lost:"),
        ("        fold[best.pair] = fit\n", "        pass\n"),
        ("if best.lost < LARGE_MARGIN * lost or strength > 1:", "if strength > 1:"),
        (
            "if best.lost < LARGE_MARGIN * lost or strength > 1:",
            "if best.lost < LARGE_MARGIN * lost:",
        ),
        ("if comparison.sum_lost(weaker) < HOPELESS * lost:", "if True:"),
        ("other.lost < MARGIN * best.lost", "other.lost < best.lost"),
        ("is_raced=not kept", "is_raced=False"),
        ("for loss, _ in found) >= MARGIN * lost:", "for loss, _ in found) >= lost:"),
        (" and problem.network.n_features > 1", ""),
        (
            "return is_told and rows_told(comparison.n_dealt, comparison.bits) >= MIN_TOLD",
            "return is_told",
        ),
        ("is_better = other.times and other", "is_better = other"),
        ("columns.n_hidden > MAX_COST_OF_COLUMNS", "columns.n_hidden > np.inf"),
        ("squares[squares > 0].mean()", "squares.mean()"),
        ("    if not squares.any():", "    if False:"),
        ("np.maximum(squares, mean / MOST_OF_INPUT)", "np.maximum(squares, 1e-300)"),
        ("tuple(10 ** (half_decades / 2))", "tuple(10**half_decades)"),
        ("MAX_ROUNDS = 1000.0, 10", "MAX_ROUNDS = 1000.0, 1"),
        ("    comparison = in_columns(comparison, [found.pair, *next_weaker])\n", ""),
        ("        problem = problem_in_columns(problem)\n", "        pass\n"),
    ),
    "_fit/choice.py": (
        "_fit/test_choice.py _fit/test_noise_of_targets.py test_choose_penalty.py "
        "test_compared_penalties.py _bayes/test_copies.py",
        ("if change.max() < SAME_NOISE * change.min():", "if False:"),
        ("        noise = np.maximum(noise, LEAST_NOISE * noise.max())\n", ""),
        ("noise = (before / unit * fit", "noise = (fit"),
        (
            'np.flatnonzero(~moments_of(table, "encoded").is_constant)',
            "np.arange(len(unit))",
        ),
        ("        y_scale[varies] *= noise / mean\n", "        pass\n"),
        ("asks_evidence and not replicates_tell_noise(*rows)", "asks_evidence"),
        ("alpha / LEARNING_TIMES_LESS if learns_first else None", "None"),
        (
            'found.problem.start is None and settings.solver != "adam"',
            "found.problem.start is None",
        ),
        ("found.problem.start is None and settings", "settings"),
        ("Comparison.of(part, settings", "Comparison.of(problem, settings"),
        ("strength_of_all *= (size", "strength_of_all += 0 * (size"),
        ("pair=comparison.with_cheaper_bends(found.pair))", "pair=found.pair)"),
        ("with_penalties_of_inputs(with_bends, strength=found.pair[0])", "with_bends"),
        ("if n_told >= grid_of(problem.size).min_told_of_bends:", "if True:"),
        ("rows_told(comparison.n_dealt, comparison.bits)", "comparison.n_dealt"),
        ("    if asks_evidence and not repl", "    if False and not repl"),
        ("if settings is None or not found.comparison.told:", "if settings is None:"),
        ("return problem.of_width(settings.by_evidence.n_hidden),", "return problem,"),
        (
            "rival, deadline = found.problem.of_width(settings.n_hidden),",
            "rival, deadline = found.problem,",
        ),
        ("().left_out_share < MARGIN * lost", "().left_out_share < lost"),
        ("comparison, (strength, 1.0))", "comparison, found.pair)"),
        ("n_hidden < k * (k - 1) / 2", "n_hidden < k * (k - 1)"),
        ("is_narrow = has_pairs and ", "is_narrow = "),
        ("(strength >= 1 or n_hidden <= k)", "True"),
        ("strength >= 1 or n_hidden <= k", "strength >= 1"),
        ("strength >= 1 or n_hidden <= k", "n_hidden <= k"),
        ("n_hidden <= k) and settings.n_members == 1", "n_hidden <= k)"),
        (" and is_gradient_cheap(size, n_wide)", ""),
        ("LEAST_TIMES_WIDER = 1.5", "LEAST_TIMES_WIDER = 1.0"),
        ("n_wide = settings.most_hidden", "n_wide = 100"),
        ("(MAX_WEIGHTS - k) // (", "MAX_WEIGHTS // ("),
        ("if n_params(size, n_hidden) <= MAX_WEIGHTS:", "if True:"),
        ("Compared(problem, replace(", "Compared(found.problem, replace("),
        ("    with suppress(Stop):\n        for state", "    if True:\n        for state"),
        ("lost, settings = found.lost, ", "settings = "),
        ("    if comparison.told:\n        S_part", "    if True:\n        S_part"),
        ("comparison.networks_under(found.pair) if goes_on else ()", "()"),
        ("networks_under(found.pair) if goes_on else ()", "networks_under(found.pair)"),
        ("comparison.told and finds_by_evidence(", "finds_by_evidence("),
        ("(found.pair) if asks_evidence else np.inf", "(found.pair) if False else np.inf"),
    ),
    "_learned.py": (
        "test_base.py test_explain.py test_posterior.py test_copies.py test_scorers.py "
        "_bayes/test_posterior.py _bayes/test_averages.py test_underflow.py test_scales.py",
        ("            A2[bad] = np.nan  #", "            #"),
        ("        return finite_answers(answers, coefs, intercepts)", "        return answers"),
        ("            return finite_answers(Z2, coefs, intercepts)", "            return Z2"),
        ("        return finite_answers(A1, coefs, intercepts)", "        return A1"),
        ('    @np.errstate(under="ignore")\n', ""),
        ("        if not are_equal(fitted, (coefs, intercepts)):", "        if False:"),
        ("/ len(means) + between", "/ len(means)"),
        ("    if len(posteriors) == 1:", "    if len(posteriors) >= 1:"),
        (
            "        if not self.posteriors:\n            raise",
            "        if False:\n            raise",
        ),
        ("slope[:, :, None] * (d1 @ W1.T)", "(d1 @ W1.T)"),
        ("if self.keeps_matrix or size <= MOST_PICKLED:", "if True:"),
        ("no_error_bars: str = DURING_THE_FIT", 'no_error_bars: str = ""'),
        ("replace(self, resume=None, keeps_matrix=True)", "replace(self, resume=None)"),
        ("ANSWER_BYTES // row, MIN_ROWS)", "ANSWER_BYTES // row, 1)"),
        ("slope(Z2) ** 2 *", "slope(Z2) *"),
        ("axis1=1, axis2=2) + noise)", "axis1=1, axis2=2))"),
    ),
    "_callbacks.py": (
        "test_callbacks.py",
        ("= deepcopy(weights())", "= weights()"),
    ),
    "_base.py": (
        "test_base.py test_gradients.py test_validation.py test_partial_fit.py test_explain.py "
        "test_committee.py test_refit.py test_frames.py test_underflow.py test_blame.py "
        "_fit/test_noise_of_targets.py _fit/test_span.py",
        ('    @np.errstate(under="ignore")  # what', "    #"),
        ('    @np.errstate(under="ignore")\n', ""),
        ('invalid="ignore", under="ignore")', 'invalid="ignore")'),
        ("return [*of_start, *why_unfinished", "return [*why_unfinished"),
        ("        if problem.start is None and problem.table.n", "        if problem.table.n"),
        ("        if isinstance(settings.alpha, str) and problem.t", "        if problem.t"),
        ("settings.warm_start and learned is not None", "False"),
        ("settings.warm_start and learned is not None", "learned is not None"),
        ("loss + penalty.value(params), gradient + penalty", "loss, gradient + penalty"),
        ("        if not learned.is_committee:", "        if True:"),
        ('("_learned_", *learned.published)', '("_learned_",)'),
        ("return gradients[:, 0] if self.n_outputs_ == 1 else gradients", "return gradients"),
    ),
    "_mlp.py": (
        "test_to_sklearn_mlp.py",
        ("        if len(classes) == 1:", "        if False:"),
    ),
    "_version.py": (
        "test_copies.py",
        ("    if version != __version__:", "    if False:"),
        ('"copyreg", "pickle", ', '"pickle", '),
        ('"joblib", "skops", "functools")', '"joblib")'),
    ),
    "_regressor.py": (
        "test_regressor.py test_posterior.py test_error_bars_of_any_fit.py",
        ("        std *= self._learned_.scale.y_scale\n", ""),
    ),
    "_classifier.py": (
        "test_classifier.py test_base.py",
        (
            "  inputs = validated(self, X, np.float64)  # which checks that there is a fit\n"
            "            A2 = self._learned_.moderated_probability(*inputs)",
            "  learned = self._learned_\n"
            "            A2 = learned.moderated_probability(*validated(self, X, np.float64))",
        ),
    ),
    "onnx.py": (
        "test_onnx.py",
        ("    check_is_fitted(model)\n", ""),
        ("is_number and all(least <= int(label) <= greatest for label in classes)", "is_number"),
        ('        "raw_scores": either,\n', ""),
        ("A2 = Z2 if is_raw else graph(", "A2 = graph("),
        ("return _last_step(model.steps[-1][1])", "return model.steps[-1][1]"),
        ("    if not (is_named or is_alone or", "    if not (True or"),
        ("        if not issubclass(kind, BaseTwoLayer):", "        if False:"),
        ("        if not isinstance(kind, type):", "        if False:"),
        ("of_regressors if is_regressor else of_classifiers", "of_regressors"),
        ("    if not (is_named or is_alone or", "    if not (is_alone or"),
        ("    if not (is_named or is_alone or", "    if not (is_named or"),
    ),
}


def copy_of_the_repository(folder):
    """What the tests need, compiled, and without what they have left behind."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist")
    shutil.copytree(ROOT, folder, ignore=ignored)
    compileall.compile_dir(folder, quiet=1)


def pytest_passes(folder, arguments):
    """Whether the tests of a folder pass, and what they print; in a process of its own.

    A fork, so that NumPy and the others need not be imported again and again.
    """
    output = folder / "output"
    process = os.fork()
    if not process:
        code = pytest.ExitCode.INTERNAL_ERROR
        try:
            with output.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            os.chdir(folder)
            sys.path.insert(0, str(folder))
            os.environ["PYTHONPATH"] = str(folder)  # of the processes that tests start
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *arguments])
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code not in (0, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
        raise RuntimeError(f"pytest ended with {code}: {output.read_text(encoding='utf-8')}")
    return code == 0, output.read_text(encoding="utf-8")


def outcome(folder, file, old, new, tests):
    """CAUGHT, and by which test; SURVIVED; or GONE where the package no longer has the text."""
    path = folder / "sklearn_twolayer" / file
    source = path.read_text(encoding="utf-8")
    if old not in source:
        return "GONE", ""
    path.write_text(source.replace(old, new, 1), encoding="utf-8")
    first = [f"tests/{test}" for test in tests.split()]
    try:
        for arguments in (first, ["tests"], ["-m", "slow", "tests"])[: 1 if ONLY_FIRST else 3]:
            passed, output = pytest_passes(folder, arguments)
            if not passed:
                found = re.search("^(?:FAILED|ERROR) (.*)", output, re.MULTILINE)
                return "CAUGHT", found[1].split(" - ")[0] if found else output[-200:]
        return "SURVIVED", ""
    finally:
        path.write_text(source, encoding="utf-8")


def main(names):
    """Print what becomes of each mutation; 1 if the tests let one pass."""
    counts = {"CAUGHT": 0, "SURVIVED": 0, "GONE": 0}
    with tempfile.TemporaryDirectory() as workspace:
        folder = Path(workspace) / "repository"
        copy_of_the_repository(folder)
        for file, (tests, *replacements) in MUTATIONS.items():
            for old, new in replacements:
                if names and not any(name in file or name in old for name in names):
                    continue
                what, how = outcome(folder, file, old, new, tests)
                counts[what] += 1
                print(f"{what:8}  {file}  {old.strip()[:70]!r}  {how}", flush=True)
    print(counts)
    return int(counts["SURVIVED"] + counts["GONE"] > 0)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    for name in ("scipy.optimize", "sklearn.ensemble", "sklearn.neural_network"):
        importlib.import_module(name)
    ONLY_FIRST = "--quick" in sys.argv
    sys.exit(main([name for name in sys.argv[1:] if name != "--quick"]))
