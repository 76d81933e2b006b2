"""What differs between versions of scikit-learn; no other file asks for a version."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9 there are no callbacks

    class CallbackSupportMixin:
        """Nothing to support."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


def has_callbacks(estimator):
    """Whether any are set; only a private name tells. A fit without them should pay nothing."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


__all__ = ["CallbackSupportMixin", "has_callbacks", "with_callbacks"]
