"""Texts as sparse tables: the default classifier beside logistic regression.

    python benchmarks/bench_text.py

Each text is a bag of some 60 words, drawn from Zipf's law (the r-th word is 1 / r as frequent as
the first) and, for a third, from a law of its topic in which every word is more or less frequent
than that, by a factor of the gamma law of shape 1/2. Words of more than one training text are
weighed by ``TfidfTransformer``, fitted to the training texts. The topic is to be told, of 1,000
texts that were not seen.
"""

import time
import warnings

import numpy as np
from _report import argument_parser, environment, print_table, save_tables, with_error
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_twolayer import TwoLayerClassifier

N_NEW, MEAN_LENGTH, SHARE_OF_TOPIC, N_DRAWS = 1000, 60, 0.35, 3
#: Training texts, words, topics.
SIZES = (500, 2000, 2), (2000, 5000, 3), (3000, 10_000, 5)
MODELS = {
    "**TwoLayerClassifier()**": lambda: TwoLayerClassifier(random_state=0),
    "LogisticRegression()": LogisticRegression,
    "LogisticRegression(C=10)": lambda: LogisticRegression(C=10),
    "LogisticRegression(), X scaled": lambda: make_pipeline(
        StandardScaler(with_mean=False), LogisticRegression(max_iter=1000)
    ),
}


def texts(n_training, n_words, n_topics, seed):
    """Weighed word counts (n, number of words) in CSR form, and topics (n,)."""
    random = np.random.default_rng(seed)
    zipf = 1 / np.arange(1, n_words + 1)
    topics = zipf * random.gamma(0.5, 1, (n_topics, n_words))
    laws = SHARE_OF_TOPIC * topics / topics.sum(axis=1, keepdims=True)
    laws += (1 - SHARE_OF_TOPIC) * zipf / zipf.sum()
    y = random.integers(0, n_topics, n_training + N_NEW)
    lengths = 5 + random.poisson(MEAN_LENGTH, len(y))
    counts = sparse.vstack(
        [sparse.csr_array(random.multinomial(*text)[None]) for text in zip(lengths, laws[y])]
    ).astype(float)
    is_known = (counts[:n_training] > 0).sum(axis=0) > 1
    counts = counts[:, np.flatnonzero(is_known)].tocsr()
    return TfidfTransformer().fit(counts[:n_training]).transform(counts), y


def measure(make, X, y, n_training):
    """Accuracy in percent, log loss and CPU seconds of one fit."""
    model, start = make(), time.process_time()
    model.fit(X[:n_training], y[:n_training])
    seconds = time.process_time() - start
    X, y = X[n_training:], y[n_training:]
    return 100 * model.score(X, y), log_loss(y, model.predict_proba(X)), seconds


def main():
    """Print a table for each size."""
    options = argument_parser(__doc__).parse_args()
    print(environment())
    for size in SIZES:
        found = {name: [] for name in MODELS}
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for seed in range(N_DRAWS):
                X, y = texts(*size, seed)
                for name, make in MODELS.items():
                    found[name].append(measure(make, X, y, size[0]))
        rows = []
        for name, values in found.items():
            (accuracy, loss, seconds), error = np.mean(values, axis=0), np.std(values, 0, ddof=1)
            error /= np.sqrt(N_DRAWS)
            cells = with_error(accuracy, error[0], 1), with_error(loss, error[1], 3)
            rows.append([name, *cells, f"{seconds:.1f}"])
        title = "{:,} texts, {:,} words, {} topics".format(*size)
        print_table(title, ["method", "accuracy %", "log loss", "fit s"], rows)
    if options.save:
        save_tables(options.save)


if __name__ == "__main__":
    main()
