"""What differs between versions of scikit-learn; no other file asks for a version."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9 there are no callbacks

    class CallbackSupportMixin:
        """Nothing to support."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


#: Attribute that holds the callbacks of an estimator; only a private name tells.
CALLBACKS = "_skl_callbacks"


def has_callbacks(estimator):
    """Whether any are set. A fit without them should pay nothing."""
    return bool(getattr(estimator, CALLBACKS, ()))


__all__ = ["CALLBACKS", "CallbackSupportMixin", "has_callbacks", "with_callbacks"]
