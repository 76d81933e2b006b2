"""The version of the package, which pickles remember."""

import warnings

__version__ = "0.1.0"


def check_version(name, version):
    """Warn of a pickle that another version has written."""
    if version != __version__:
        warnings.warn(
            f"This {name} was pickled by sklearn_twolayer {version}, and this is {__version__}: "
            "its predictions may be wrong, or fail. Fit it again, or load it with the version "
            "that wrote it.",
            UserWarning,
            stacklevel=3,
        )
