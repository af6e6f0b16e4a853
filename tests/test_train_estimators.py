"""KadamClassifier and KadamRegressor among scikit-learn's tools; and what their settings depend on."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from kadam.recording import counts, tiers
from kadam.train.tabular.fitting import settings_for

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from kadam.train import KadamClassifier, KadamRegressor

DRAW = np.random.default_rng(5)
X = DRAW.standard_normal((120, 3))
RING = np.square(X[:, :2]).sum(1) > 1.4  # which no line tells apart


def test_a_search_chooses_a_setting_and_a_clone_is_unfitted():
    search = GridSearchCV(KadamClassifier(random_state=0, members=2), {"epochs": [1, 40]}, cv=2).fit(X, RING)
    assert search.best_params_ == {"epochs": 40}
    again = clone(search.best_estimator_)
    assert again.get_params() == search.best_estimator_.get_params()
    assert not hasattr(again, "fitted_")


@pytest.mark.parametrize("pack", ["pickle", "joblib"])
def test_a_fitted_estimator_predicts_the_same_in_another_process(pack, tmp_path):
    model = KadamRegressor(random_state=0, epochs=5).fit(X, X[:, 0])
    path, out = tmp_path / "model", tmp_path / "out.npy"
    if pack == "pickle":
        path.write_bytes(pickle.dumps(model))
        load = f"__import__('pickle').load(open({str(path)!r}, 'rb'))"
    else:
        pytest.importorskip("joblib").dump(model, path)
        load = f"__import__('joblib').load({str(path)!r})"
    np.save(tmp_path / "x.npy", X)
    program = f"import numpy as np; np.save({str(out)!r}, {load}.predict(np.load({str(tmp_path / 'x.npy')!r})))"
    subprocess.run([sys.executable, "-c", program], check=True)
    np.testing.assert_array_equal(np.load(out), model.predict(X))


def test_splits_on_two_processes_score_as_on_one():
    model = KadamRegressor(random_state=0, epochs=10, members=2)
    scores = [cross_val_score(model, X, X[:, 0] * X[:, 1], cv=3, n_jobs=jobs) for jobs in (None, 2)]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_keep_their_names_and_pass_a_pipeline(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"width": X[:, 0], "height": X[:, 1], "town": list("abc" * 40)})
    numbers = frame[["width", "height"]]
    model = KadamClassifier(random_state=0).fit(numbers, RING)
    assert model.feature_names_in_.tolist() == ["width", "height"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(numbers[["height", "width"]])
    encode = make_column_transformer((StandardScaler(), ["width", "height"]), (OneHotEncoder(), ["town"]))
    piped = make_pipeline(encode, KadamClassifier(random_state=0)).fit(frame, np.where(RING, "out", "in"))
    assert piped.score(frame, np.where(RING, "out", "in")) > 0.9
    assert set(piped.predict(frame)) <= {"in", "out"}


def test_settings_follow_the_size_of_the_table():
    few, some, many = (settings_for(rows, 20) for rows in (200, 3_000, 10**6))
    assert few.members > some.members > many.members
    assert few.dropout > some.dropout > many.dropout
    assert some.epochs > settings_for(10_000, 20).epochs > many.epochs
    assert settings_for(3_000, 8).epochs < some.epochs  # few columns are learned sooner


@pytest.mark.parametrize("rows", [100, 1_000, 5_000])
def test_thousands_of_columns_cost_members_before_units_and_neither_is_lost(rows):
    usual = settings_for(rows, 20)
    assert settings_for(rows, 2_000) == settings_for(rows, 100)
    columns = [5_000, 10_000, 20_000, 100_000]
    for one, width in [(settings_for(rows, width), width) for width in columns]:
        assert one.hidden * one.members * width <= max(6_000_000, 4 * 16 * width)
        assert one.members >= 4
        assert one.hidden >= 16
        assert one.hidden == usual.hidden or one.members == min(4, usual.members)  # members are given up first
    categories = settings_for(rows, 0, 5_000)  # each is several numbers
    assert categories.hidden * categories.members * 5_000 * 8 <= 6_000_000


def test_a_table_is_learned_without_compiling_what_python_would_do_between_steps(monkeypatch):
    asked = []
    monkeypatch.setattr(tiers.native, "compile_own", lambda: asked.append(tiers.at_once[0]))
    KadamRegressor(random_state=0).fit(X, X[:, 0] ** 2)
    assert asked == []
    with counts.native_at_once():
        assert tiers.at_once[0]
    assert not tiers.at_once[0]


def test_several_values_of_a_row_are_learned_together():
    draw = np.random.default_rng(0)
    X = draw.standard_normal((400, 5))
    y = np.c_[X @ [1.0, 2, 0, 0, 0], 1000 + 300 * X[:, 2] * X[:, 3], 0.01 * np.abs(X[:, 4])]
    model = KadamRegressor(random_state=0).fit(X[:300], y[:300])
    assert model.predict(X).shape == y.shape
    found = r2_score(y[300:], model.predict(X[300:]), multioutput="raw_values")
    assert (found > [0.98, 0.8, 0.9]).all()
    assert model.score(X[300:], y[300:]) == pytest.approx(found.mean())
    assert KadamRegressor(epochs=2).partial_fit(X, y).partial_fit(X, y).predict(X).shape == y.shape
    with pytest.raises(ValueError, match="3 values of a row were learned"):
        model.set_params(warm_start=True).fit(X, y[:, 0])


def test_texts_in_a_frame_are_told_what_to_do_with():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0] * 10, "colour": ["red", "green"] * 10})
    with pytest.raises(ValueError, match="categorical_features='from_dtype'"):
        KadamClassifier().fit(frame, [0, 1] * 10)
