"""Parameters that a user has set and that a fit does not look at."""

#: Parameter -> the solvers that read it; the others do not.
READERS = {
    "learning_rate": ("gd", "sgd", "adam"),
    "learning_rate_schedule": ("sgd", "adam"),
    "momentum": ("sgd",),
    "nesterovs_momentum": ("sgd",),
    "batch_size": ("sgd", "adam"),
    "shuffle": ("sgd", "adam"),
}


def ignored(settings, chosen, own_rows):
    """A sentence for each ignored one of the ``chosen`` parameters {name: value}.

    Parameters
    ----------
    settings : Settings
        Without "auto".
    chosen : dict
    own_rows : bool
        Whether the user has validation rows.
    """
    stops = settings.early_stopping
    waits = stops or settings.solver in ("sgd", "adam")
    reasons = {
        name: None if settings.solver in solvers else f"solver={settings.solver!r} does not read it"
        for name, solvers in READERS.items()
    }
    reasons["n_iter_no_change"] = None if waits else "early_stopping=False"
    reasons["scoring"] = None if stops or own_rows else "there are no validation rows"
    reasons["validation_fraction"] = (
        "there is X_val" if own_rows else None if stops else "early_stopping=False"
    )
    reasons["n_jobs"] = None if settings.n_members > 1 else "n_members=1"
    return [
        f"{name}={value!r} is ignored: {reasons[name]}."
        for name, value in chosen.items()
        if reasons.get(name)
    ]
