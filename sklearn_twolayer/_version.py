"""The version of the package, which pickles remember, and where its documentation is."""

import warnings

__version__ = "0.1.0"
#: Where the site is: Documentation of ``project.urls`` in ``pyproject.toml``.
DOCUMENTATION = "https://sklearn-twolayer.readthedocs.io/en/stable"


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
