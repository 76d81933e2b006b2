"""The version of the package, which pickles remember, and where its documentation is."""

import warnings
from inspect import currentframe

__version__ = "0.1.0"
#: Where the site is: Documentation of ``project.urls`` in ``pyproject.toml``.
DOCUMENTATION = "https://sklearn-twolayer.readthedocs.io/en/stable"
#: Whose lines are between that of a user who stores an estimator and a warning of ours.
STORES = ("sklearn_twolayer", "copyreg", "pickle", "cloudpickle", "joblib", "skops", "functools")


def level_of_user():
    """The ``stacklevel`` at which a warning of the caller blames who stores an estimator."""
    frame, level = currentframe().f_back, 1
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] in STORES:
        frame, level = frame.f_back, level + 1
    return level


def check_version(name, version):
    """Warn of a pickle that another version has written."""
    if version != __version__:
        warnings.warn(
            f"This {name} was pickled by sklearn_twolayer {version}, and this is {__version__}: "
            "its predictions may be wrong, or fail. Fit it again, or load it with the version "
            "that wrote it.",
            UserWarning,
            stacklevel=level_of_user(),
        )
