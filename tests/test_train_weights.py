"""How much rows count: weights, classes' weights, copies; learning on from what was learned, and piece by piece."""

import copy
import pickle

import numpy as np
import pytest

from kadam.train.tabular.distinct import distinct

pytest.importorskip("sklearn")

from kadam.train import KadamClassifier, KadamRegressor

DRAW = np.random.default_rng(3)
X = DRAW.standard_normal((160, 3))
Y = X[:, 0] - X[:, 1]
RIGHT = (X[:, 0] > 0).astype(int)


def test_copies_are_one_row_that_counts_as_often_and_order_is_of_no_account():
    counts = DRAW.integers(0, 4, len(X))
    rows, weights = distinct(X, Y, counts)
    copies = DRAW.permutation(np.repeat(np.arange(len(X)), counts))
    again, of_copies = distinct(X[copies], Y[copies], None)
    np.testing.assert_array_equal(X[rows], X[copies[again]])
    np.testing.assert_allclose(weights, counts[rows] / counts[rows].mean(), rtol=1e-6)
    np.testing.assert_array_equal(weights, of_copies)


def test_rows_that_are_alike_but_for_the_target_are_two():
    rows, weights = distinct(np.zeros((3, 2)), np.array([0, 1, 1]), None)
    assert sorted(np.array([0, 1, 1])[rows]) == [0, 1]
    assert sorted(weights) == pytest.approx([2 / 3, 4 / 3])


def test_missing_cells_are_alike_and_so_are_both_zeros():
    rows, _ = distinct(np.array([[np.nan, 0.0], [np.nan, -0.0], [1.0, 0.0]]), np.zeros(3), None)
    assert len(rows) == 2


@pytest.mark.parametrize("kind", [KadamClassifier, KadamRegressor])
def test_a_whole_weight_is_so_many_copies(kind):
    target = RIGHT if kind is KadamClassifier else Y
    counts = DRAW.integers(0, 3, len(X))
    weighed = kind(random_state=0, epochs=6, members=2).fit(X, target, sample_weight=counts)
    copied = kind(random_state=0, epochs=6, members=2).fit(X.repeat(counts, 0), target.repeat(counts))
    np.testing.assert_array_equal(weighed.predict(X), copied.predict(X))


def test_a_class_that_weighs_much_is_predicted_more_often():
    noise = DRAW.integers(0, 2, len(X))
    shares = [
        KadamClassifier(random_state=0, epochs=20, members=2, class_weight=weight).fit(X, noise).predict(X).mean()
        for weight in ({0: 20.0, 1: 1.0}, {0: 1.0, 1: 20.0})
    ]
    assert shares[0] < 0.2
    assert shares[1] > 0.8


@pytest.mark.parametrize(
    ("weights", "told"),
    [(np.ones(3), "has the shape"), (np.zeros(160), "every weight is zero"), (-np.ones(160), "negative")],
)
def test_weights_that_make_no_sense_are_refused(weights, told):
    with pytest.raises(ValueError, match=told):
        KadamRegressor().fit(X, Y, sample_weight=weights)


def test_a_warm_start_goes_on_from_what_was_learned():
    warm = KadamRegressor(random_state=0, epochs=12, members=2, warm_start=True)
    cold = KadamRegressor(random_state=0, epochs=12, members=2)
    losses = [[model.fit(X, Y).history_.rows[0]["loss"] for _ in range(2)] for model in (warm, cold)]
    assert losses[0][1] < 0.5 * losses[0][0]
    assert losses[1][1] == losses[1][0]
    with pytest.raises(ValueError, match="features"):
        warm.fit(X[:, :2], Y)
    with pytest.raises(ValueError, match="the same classes"):
        KadamClassifier(epochs=1, warm_start=True).fit(X, RIGHT).fit(X, RIGHT + 1)


def test_pieces_are_learned_one_after_the_other_also_in_a_copy():
    model = KadamClassifier(random_state=0)
    with pytest.raises(ValueError, match="needs all classes"):
        model.partial_fit(X, RIGHT)
    model.partial_fit(X[:40], RIGHT[:40], classes=[0, 1, 2])
    twin = pickle.loads(pickle.dumps(model))
    for one in (model, twin):
        for _ in range(25):
            one.partial_fit(X, RIGHT)
    assert model.n_iter_ == 26
    assert model.predict_proba(X).shape == (160, 3)
    assert model.score(X, RIGHT) > 0.9
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))
    with pytest.raises(ValueError, match="none of"):
        model.partial_fit(X, RIGHT + 2)


def test_a_piece_after_a_whole_table_changes_little():
    model = KadamRegressor(random_state=0).fit(X, Y)
    before = copy.deepcopy(model).predict(X)
    after = model.partial_fit(X[:32], Y[:32]).predict(X)
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, before, atol=1.0)
    assert model.score(X, Y) > 0.9


def test_missing_cells_and_categories_among_numbers_are_learned():
    cells = X.copy()
    cells[::3, 0] = np.nan
    cells[:, 2] = DRAW.integers(0, 3, len(X))
    gone = np.isnan(cells[:, 0])
    model = KadamClassifier(random_state=0, categorical_features=[2], epochs=40, members=2).fit(cells, gone)
    assert model.score(cells, gone) == 1.0
    with pytest.raises(ValueError, match="no column 7"):
        KadamClassifier(categorical_features=[7]).fit(X, RIGHT)


def test_categories_of_frames_are_named_or_found():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": X[:, 0], "town": DRAW.choice(list("pqr"), len(X))})
    for asked in (["town"], "from_dtype"):
        model = KadamClassifier(random_state=0, categorical_features=asked, epochs=40, members=2)
        model.fit(frame, frame.town == "q")
        assert model.score(frame, frame.town == "q") == 1.0
        assert model.predict(frame.assign(town="elsewhere")).shape == (160,)
        assert model.feature_names_in_.tolist() == ["x", "town"]
    with pytest.raises(ValueError, match="no column 'city'"):
        KadamClassifier(categorical_features=["city"]).fit(frame, frame.town)
