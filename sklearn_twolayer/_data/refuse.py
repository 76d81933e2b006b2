"""Values of y that have no meaning, refused with what to do about them."""

import numpy as np


def refuse_missing(y):
    """Refuse None and nan, which an array of objects smuggles past scikit-learn's own check."""
    if y.dtype.kind not in "fO":
        return
    is_missing = np.isnan(y) if y.dtype.kind == "f" else _are_missing(y).astype(bool)
    if is_missing.any():
        rows = np.unique(np.nonzero(is_missing)[0])
        raise ValueError(
            f"y has missing values (None or nan) in {len(rows)} row(s), the first of them row "
            f"{rows[0]}. Drop these rows from X and y, or fill them in."
        )


def refuse_codes(labels):
    """Refuse labels (m,) of a multilabel indicator that are not 0 and 1."""
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"A multilabel y must be coded 0 and 1, but y holds {np.unique(labels).tolist()}. "
            "Pass (y == the code of a label that is there).astype(int)."
        )


def _is_missing(value):
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


_are_missing = np.frompyfunc(_is_missing, 1, 1)
