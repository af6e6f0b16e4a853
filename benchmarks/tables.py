"""Tables: KadamClassifier and KadamRegressor beside scikit-learn, on the same splits; test scores and times of `fit`.

python benchmarks/tables.py                     scikit-learn's own sets and larger made ones, 5 seeds
python benchmarks/tables.py --seeds 3 iris wine covertype
python benchmarks/tables.py --out results.json

What Kadam chooses by default was chosen on other splits (seeds below 100) and, of the made sets, on others. Everyone
gets standardised numbers and one column per category, in a pipeline that learns them from the training rows; Kadam and
gradient boosting are told which columns are categories instead. Tuned MLP: the best of four in three-fold cross
validation. Scores are accuracy or R2 on a quarter of the rows. "first s" is the first fit of a set in this process,
compiling included, "fit s" the median of the later ones; "ratio" is the default MLP's time over the latter, "cpu" the
same of processor time, which tells more where other processes are at work.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from sklearn import datasets as made
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from kadam.train import KadamClassifier, KadamRegressor

FIRST_SEED = 100
WHO = ("kadam", "mlp", "tuned", "linear", "boosting")
Table = tuple[np.ndarray, np.ndarray, list[int]]  # rows, target, which columns are categories
GRID = {"alpha": [1e-4, 1e-1], "hidden_layer_sizes": [(100,), (128, 64)]}


def covertype(seed: int, rows: int = 10_000) -> Table:
    """Steps, products and waves of eight numbers, three columns of categories with effects of their own; 4 classes."""
    draw, fixed = np.random.default_rng(seed), np.random.default_rng(7)
    x, codes = draw.standard_normal((rows, 8)), draw.integers(0, 15, (rows, 3))
    effects, tilt = fixed.standard_normal((3, 15, 4)), fixed.standard_normal((8, 4)) * 0.4
    logits = x @ tilt + sum(effects[column, codes[:, column]] for column in range(3))
    logits[:, 0] += 2.0 * (x[:, 0] > 0.5) + (x[:, 1] < 0) * (x[:, 2] > 0.2)
    logits[:, 1] += x[:, 3] * x[:, 4]
    logits[:, 2] += np.sin(2 * x[:, 5]) + (x[:, 6] > 1) * 2.0
    target = (1.5 * logits + draw.gumbel(size=logits.shape)).argmax(1)
    return np.c_[x, codes], target, [8, 9, 10]


def _plain(load: Callable[..., Any], **options: Any) -> Callable[[int], Table]:
    def table(seed: int) -> Table:
        seeded = {"random_state": seed} if options.get("random_state", 0) is None else {}
        X, y = load(**{**options, **seeded}) if options else load(return_X_y=True)
        return X, y, []

    return table


SETS: dict[str, Callable[[int], Table]] = {
    "iris": _plain(made.load_iris),
    "wine": _plain(made.load_wine),
    "breast_cancer": _plain(made.load_breast_cancer),
    "digits": _plain(made.load_digits),
    "diabetes": _plain(made.load_diabetes),
    "classification": _plain(
        made.make_classification, n_samples=8_000, n_features=30, n_informative=10, n_redundant=8, random_state=None
    ),
    "four_classes": _plain(
        made.make_classification, n_samples=5_000, n_features=16, n_informative=8, n_classes=4, random_state=None
    ),
    "moons": _plain(made.make_moons, n_samples=3_000, noise=0.3, random_state=None),
    "circles": _plain(made.make_circles, n_samples=2_000, noise=0.15, factor=0.6, random_state=None),
    "covertype": covertype,
    "regression": _plain(made.make_regression, n_samples=4_000, n_features=30, noise=30.0, random_state=None),
    "friedman1": _plain(made.make_friedman1, n_samples=6_000, noise=1.0, random_state=None),
    "friedman3": _plain(made.make_friedman3, n_samples=4_000, noise=0.1, random_state=None),
    "hundred_rows": _plain(made.make_friedman1, n_samples=140, noise=1.0, random_state=None),
}


def models(seed: int, categories: list[int], columns: int, is_classes: bool) -> dict[str, Any]:
    """Everyone who is compared."""
    numbers = [one for one in range(columns) if one not in categories]

    def piped(model: Any) -> Any:
        encode = make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories)
        )
        return make_pipeline(encode, model)

    network = MLPClassifier if is_classes else MLPRegressor
    boosting = HistGradientBoostingClassifier if is_classes else HistGradientBoostingRegressor
    own = KadamClassifier if is_classes else KadamRegressor
    return {
        "kadam": own(random_state=seed, categorical_features=categories or None),
        "mlp": piped(network(random_state=seed)),
        "tuned": piped(GridSearchCV(network(random_state=seed), GRID, cv=3)),
        "linear": piped(LogisticRegression(max_iter=1_000) if is_classes else RidgeCV(np.logspace(-3, 3, 7))),
        "boosting": boosting(random_state=seed, categorical_features=categories or None),
    }


def measure(name: str, seeds: int, without: list[str]) -> dict[str, dict[str, list[float]]]:
    """Scores and times of everyone on one set, seed by seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        X, y, categories = SETS[name](seed)
        is_classes = y.dtype.kind in "iu"
        X, X_test, y, y_test = train_test_split(
            X, y, test_size=0.25, random_state=seed, stratify=y if is_classes else None
        )
        for who, model in models(seed, categories, X.shape[1], is_classes).items():
            if who in without:
                continue
            start_s, start_cpu_s = time.perf_counter(), time.process_time()
            model.fit(X, y)
            fit_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
            one = found.setdefault(who, {"score": [], "seconds": [], "cpu": []})
            one["cpu"].append(cpu_s)
            one["score"].append(float(model.score(X_test, y_test)))
            one["seconds"].append(fit_s)
    return found


def line(name: str, found: dict[str, dict[str, list[float]]]) -> str:
    """A set's row of the table: mean scores; Kadam against the MLP and the best of all; times."""
    score = {who: mean(one["score"]) for who, one in found.items()}
    best = max((value, who) for who, value in score.items() if who != "kadam")
    first, *later = found["kadam"]["seconds"]
    mlp = median(found["mlp"]["seconds"])
    cpu = median(found["mlp"]["cpu"]) / median(found["kadam"]["cpu"][1:] or found["kadam"]["cpu"])
    fit = median(later or [first])
    shown = " ".join(f"{score.get(who, float('nan')):8.4f}" for who in WHO)
    return (
        f"{name:<15}{shown}  {100 * (score['kadam'] - score['mlp']):+7.2f} {100 * (score['kadam'] - best[0]):+7.2f} "
        f"({best[1]:<8}) {first:7.2f} {fit:7.2f} {mlp:7.2f} {mlp / fit:6.2f} {cpu:6.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; all of them unless given")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--without", nargs="+", default=[], choices=WHO[1:], help="leave someone out")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(f"{'':<15}{'kadam':>8} {'mlp':>8} {'tuned':>8} {'linear':>8} {'boosting':>8}  {'-mlp':>7} {'-best':>7} "
          f"{'':10} {'first s':>7} {'fit s':>7} {'mlp s':>7} {'ratio':>6} {'cpu':>6}")  # fmt: skip
    results = {}
    for name in given.sets or SETS:
        results[name] = measure(name, given.seeds, given.without)
        print(line(name, results[name]), flush=True)
    if given.out:
        given.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
