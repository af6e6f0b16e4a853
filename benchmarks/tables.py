"""Tables: KadamClassifier and KadamRegressor beside scikit-learn, on the same splits; test scores and times of `fit`.

python benchmarks/tables.py                     scikit-learn's own sets and made ones, 20 splits each
python benchmarks/tables.py --seeds 3 iris wine covertype
python benchmarks/tables.py --out others.json; python benchmarks/tables.py --beside others.json --only-kadam
python benchmarks/tables.py --keras --out results.json

What Kadam chooses by default was chosen on other splits: with `--first 1000`, never with the seeds from 2000 on, which
are reported; made sets are made anew for each seed, and `houses` was not looked at before the settings stood. Everyone
gets standardised numbers and one column per category, in a pipeline that learns them from the training rows; Kadam and
gradient boosting are told which columns are categories instead. `raw` is the default MLP whose numbers are not
standardised. Tuned MLP: the best of four in three-fold cross validation, on the first few splits only (`--tuned`), for
it takes thirteen fits. Keras (if installed, with `--keras`): scikit-learn's default network, and as many epochs as that
took. Scores are accuracy or R2 on a quarter of the rows, means over the splits; differences are means over the splits
that both have done, "+-" is the standard error of the difference to the MLP. Log losses follow in a second table.
"first s" is the first fit of a set in this process, compiling included, "fit s" the median of the later ones; "ratio"
is the default MLP's time over the latter, "cpu" the same of processor time, which tells more where other processes are
at work. Who is first changes from split to split.
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
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from kadam.train import KadamClassifier, KadamRegressor

FIRST_SEED = 2_000
WHO = ("kadam", "mlp", "raw", "tuned", "linear", "boosting", "keras")
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


def houses(seed: int, rows: int = 12_000) -> Table:
    """Prices by place, size and income, as of California: skewed numbers, two of them coordinates of a place."""
    draw, fixed = np.random.default_rng(seed), np.random.default_rng(11)
    x = draw.uniform(-1, 1, (rows, 2))
    income, age, people = draw.lognormal(1.2, 0.5, rows), draw.integers(1, 53, rows), draw.lognormal(7, 0.8, rows)
    rooms, crowd = draw.lognormal(1.6, 0.3, rows), draw.lognormal(1.0, 0.4, rows)
    towns, fame = fixed.uniform(-1, 1, (12, 2)), fixed.uniform(0.2, 1.5, 12)
    near = np.exp(-np.square(x[:, None] - towns).sum(2) / 0.05) @ fame
    value = 0.45 * income * np.exp(-0.3 * crowd / 2.7) + near * (1 + 0.1 * income) + 0.005 * age + 0.1 * np.log(rooms)
    value = np.minimum(value * np.exp(0.2 * draw.standard_normal(rows)), 5.0)
    return np.c_[income, age, rooms, rooms / 5 * 1.1, people, crowd, x], value, []


def survey(seed: int, rows: int = 3_000) -> Table:
    """Skewed and counted numbers beside six categories of 2 to 30 values, a third of it noise; two classes, 1 to 3."""
    draw, fixed = np.random.default_rng(seed), np.random.default_rng(13)
    sizes = (2, 3, 5, 8, 14, 30)
    codes = np.stack([np.minimum(draw.geometric(2 / (size + 1), rows) - 1, size - 1) for size in sizes], 1)
    x = np.c_[draw.lognormal(0, 1, rows), draw.poisson(3, rows), draw.uniform(17, 90, rows), draw.standard_normal(rows)]
    logit = sum(fixed.standard_normal(size)[codes[:, place]] * 0.6 for place, size in enumerate(sizes))
    logit = logit + 0.8 * np.log(x[:, 0]) - np.square((x[:, 2] - 48) / 20) + 0.4 * (x[:, 1] > 3) * (codes[:, 1] == 0)
    target = (1.3 * logit + draw.logistic(size=rows) > np.quantile(1.3 * logit, 0.75)).astype(int)
    return np.c_[x, codes], target, list(range(4, 10))


def outliers(seed: int, rows: int = 2_000) -> Table:
    """A smooth function of six numbers; one target in fifty lies ten times the spread away."""
    X, y = made.make_friedman1(rows, 10, noise=1.0, random_state=seed)
    draw = np.random.default_rng(seed)
    far = draw.random(rows) < 0.02
    return X, y + far * draw.standard_normal(rows) * 10 * y.std(), []


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
    "imbalanced": _plain(
        made.make_classification, n_samples=4_000, n_features=20, n_informative=6, weights=[0.95], random_state=None
    ),
    "wide_and_few": _plain(
        made.make_classification, n_samples=200, n_features=30, n_informative=6, flip_y=0.05, random_state=None
    ),
    "noisy": _plain(
        made.make_classification, n_samples=1_500, n_features=20, n_informative=5, flip_y=0.2, random_state=None
    ),
    "survey": survey,
    "regression": _plain(made.make_regression, n_samples=4_000, n_features=30, noise=30.0, random_state=None),
    "friedman1": _plain(made.make_friedman1, n_samples=6_000, noise=1.0, random_state=None),
    "friedman2": _plain(made.make_friedman2, n_samples=1_000, noise=50.0, random_state=None),
    "friedman3": _plain(made.make_friedman3, n_samples=4_000, noise=0.1, random_state=None),
    "hundred_rows": _plain(made.make_friedman1, n_samples=140, noise=1.0, random_state=None),
    "outliers": outliers,
    "houses": houses,
}


class KerasMLP:
    """scikit-learn's default network as a Keras program; `epochs` are to be set."""

    epochs = 200

    def __init__(self, encode: Any, seed: int, is_classes: bool) -> None:
        self.encode, self.seed, self.is_classes = encode, seed, is_classes

    def fit(self, X: np.ndarray, y: np.ndarray) -> KerasMLP:
        import keras

        keras.utils.set_random_seed(self.seed)
        outputs = int(y.max()) + 1 if self.is_classes else 1
        self.net = keras.Sequential([
            keras.layers.Dense(100, activation="relu", kernel_regularizer=keras.regularizers.L2(0.5e-4)),
            keras.layers.Dense(outputs, activation="softmax" if self.is_classes else None),
        ])  # fmt: skip
        loss = "sparse_categorical_crossentropy" if self.is_classes else "mse"
        self.net.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
        self.net.fit(self.encode.fit_transform(X), y, batch_size=min(200, len(X)), epochs=self.epochs, verbose=0)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        found = self.net.predict(self.encode.transform(X), verbose=0).astype(np.float64)
        return found / found.sum(1, keepdims=True)

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        if self.is_classes:
            return float((self.predict_proba(X).argmax(1) == y).mean())
        return float(r2_score(y, self.net.predict(self.encode.transform(X), verbose=0)[:, 0]))


def models(seed: int, categories: list[int], columns: int, is_classes: bool) -> dict[str, Any]:
    """Everyone who is compared."""
    numbers = [one for one in range(columns) if one not in categories]

    def encoder(of_numbers: Any = None) -> Any:
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        return make_column_transformer((of_numbers or StandardScaler(), numbers), (one_hot, categories))

    def piped(model: Any, of_numbers: Any = None) -> Any:
        return make_pipeline(encoder(of_numbers), model)

    network = MLPClassifier if is_classes else MLPRegressor
    boosting = HistGradientBoostingClassifier if is_classes else HistGradientBoostingRegressor
    own = KadamClassifier if is_classes else KadamRegressor
    return {
        "kadam": own(random_state=seed, categorical_features=categories or None),
        "mlp": piped(network(random_state=seed)),
        "raw": piped(network(random_state=seed), "passthrough"),
        "tuned": piped(GridSearchCV(network(random_state=seed), GRID, cv=3)),
        "linear": piped(LogisticRegression(max_iter=1_000) if is_classes else RidgeCV(np.logspace(-3, 3, 7))),
        "boosting": boosting(random_state=seed, categorical_features=categories or None),
        "keras": KerasMLP(encoder(), seed, is_classes),
    }


Found = dict[str, dict[str, list[float]]]


def measure(name: str, seeds: range, most: dict[str, int]) -> Found:
    """Scores, log losses and times of everyone on one set, split by split; `most` splits of some."""
    found: Found = {who: {"score": [], "log_loss": [], "seconds": [], "cpu": []} for who in WHO}
    for seed in seeds:
        X, y, categories = SETS[name](seed)
        is_classes = y.dtype.kind in "iu"
        X, X_test, y, y_test = train_test_split(
            X, y, test_size=0.25, random_state=seed, stratify=y if is_classes else None
        )
        everyone = list(models(seed, categories, X.shape[1], is_classes).items())
        for who, model in everyone if seed % 2 else [everyone[1], everyone[0], *everyone[2:]]:
            one = found[who]
            if len(one["score"]) >= most.get(who, len(seeds)):
                continue
            if who == "keras":
                model.epochs = dict(everyone)["mlp"][-1].n_iter_
            start_s, start_cpu_s = time.perf_counter(), time.process_time()
            model.fit(X, y)
            one["seconds"].append(time.perf_counter() - start_s)
            one["cpu"].append(time.process_time() - start_cpu_s)
            one["score"].append(float(model.score(X_test, y_test)))
            if is_classes:
                one["log_loss"].append(float(log_loss(y_test, model.predict_proba(X_test))))
    return {who: one for who, one in found.items() if one["score"]}


def difference(found: Found, other: str, what: str = "score") -> np.ndarray:
    """Kadam's figure less the other's, on the splits that both have done."""
    own, others = found["kadam"][what], found[other][what]
    return np.array([one - two for one, two in zip(own, others, strict=False)])


def line(name: str, found: Found) -> str:
    """A set's row of the table: mean scores; Kadam against the MLP and the best of all; times."""
    shown = " ".join(f"{mean(found[who]['score']) if who in found else float('nan'):8.4f}" for who in WHO)
    least, best = min((float(difference(found, who).mean()), who) for who in found if who not in ("kadam", "raw"))
    of_mlp = difference(found, "mlp")
    error = of_mlp.std(ddof=1) / np.sqrt(len(of_mlp)) if len(of_mlp) > 1 else float("nan")
    first, *later = found["kadam"]["seconds"]
    fit, mlp = median(later or [first]), median(found["mlp"]["seconds"])
    cpu = median(found["mlp"]["cpu"]) / median(found["kadam"]["cpu"][1:] or found["kadam"]["cpu"])
    keras = f" {median(found['keras']['seconds']):7.2f}" if "keras" in found else ""
    return (
        f"{name:<15}{shown}  {100 * of_mlp.mean():+7.2f} {100 * error:5.2f} {100 * least:+7.2f} ({best:<8}) "
        f"{first:7.2f} {fit:7.2f} {mlp:7.2f} {mlp / fit:6.2f} {cpu:6.2f}{keras}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; all of them unless given")
    parser.add_argument("--seeds", type=int, default=20, help="splits")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first one's seed; to choose settings, 1000")
    parser.add_argument("--tuned", type=int, default=3, help="splits on which an MLP is tuned")
    parser.add_argument("--keras", type=int, nargs="?", default=0, const=3, help="splits on which Keras runs")
    parser.add_argument("--without", nargs="+", default=[], choices=WHO[2:], help="leave someone out")
    parser.add_argument("--only-kadam", action="store_true", help="take the others' figures from --beside")
    parser.add_argument("--beside", type=Path, help="what --out has written for the same splits")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.only_kadam and not given.beside:
        parser.error("--only-kadam needs --beside")
    warnings.filterwarnings("ignore")
    absent = WHO[1:] if given.only_kadam else given.without
    most = {"tuned": given.tuned, "keras": given.keras} | dict.fromkeys(absent, 0)
    others = json.loads(given.beside.read_text()) if given.beside else {}
    seeds = range(given.first, given.first + given.seeds)
    times = ["first s", "fit s", "mlp s", "ratio", "cpu", *(["keras s"] if given.keras else [])]
    print(f"{'':<15}" + " ".join(f"{who:>8}" for who in WHO) + f"  {'-mlp':>7} {'+-':>5} {'-best':>7} {'':10} "
          + " ".join(f"{one:>{6 if one in ('ratio', 'cpu') else 7}}" for one in times))  # fmt: skip
    results = {}
    for name in given.sets or SETS:
        results[name] = others.get(name, {}) | measure(name, seeds, most)
        print(line(name, results[name]), flush=True)
    print("\nlog loss")
    for name, found in results.items():
        if found["kadam"]["log_loss"]:
            print(f"{name:<15}" + " ".join(f"{mean(one['log_loss']) if (one := found.get(who)) else float('nan'):8.4f}"
                                           for who in WHO))  # fmt: skip
    if given.out:
        given.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
