"""What `Trainer` was asked for, and what it makes of it: arguments, forms of targets, metrics, a loss that is lost."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import kadam
from kadam import nn
from kadam.errors import OperandError, ShapeError
from kadam.optim import SGD
from kadam.optim.lr_scheduler import ReduceLROnPlateau
from kadam.train import Callback, NonFiniteLoss, Trainer
from kadam.utils.data import DataLoader, Dataset

ROWS = 120
X = np.random.default_rng(0).standard_normal((ROWS, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def _trainer(model: nn.Module | None = None, loss: Any = None, **options: Any) -> Trainer:
    kadam.manual_seed(0)
    return Trainer(model or nn.Linear(4, 2), loss or nn.CrossEntropyLoss(), **options)


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"epochs": 2.5}, ValueError, "epochs must be an int from 0 on, not 2.5"),
        ({"epochs": -1}, ValueError, "epochs must be"),
        ({"max_steps": 0}, ValueError, "max_steps must be an int from 1 on"),
        ({"validate_every": 0}, ValueError, "validate_every must be"),
        ({"patience": 0}, ValueError, "patience must be"),
        ({"save_every_steps": 0}, ValueError, "save_every_steps must be"),
        ({"until": 0.97}, TypeError, "until={'val_accuracy': 0.97}"),
        ({"validation": 1}, OperandError, "a number between 0 and 1"),
    ],
)
def test_fit_refuses_what_it_cannot_do(options: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as refused:
        _trainer().fit(X, Y, **options)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"optimizer": "adam"}, "optimizer='adam' cannot be called"),
        ({"loss": "mse"}, "loss='mse' cannot be called"),
        ({"callbacks": [print]}, "is no callback"),
        ({"scheduler": ReduceLROnPlateau, "scheduler_each": "step"}, "scheduler_each='epoch'"),
    ],
)
def test_a_trainer_refuses_what_it_cannot_use(options: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        Trainer(nn.Linear(4, 2), **{"loss": nn.CrossEntropyLoss(), **options})
    assert told in str(refused.value)


def test_data_without_a_target_is_told_of() -> None:
    with pytest.raises(OperandError, match=r"has one entry only. Fix: fit\(inputs, target\)"):
        _trainer().fit(X)


def test_metrics_say_what_they_lack() -> None:
    def loss_alone(model: nn.Module, batch: Any) -> Any:
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    def of_dict(model: nn.Module, batch: Any) -> Any:
        output = model(batch["x"])
        return output.sum(), output

    kadam.manual_seed(0)
    with pytest.raises(OperandError, match="Fix: return loss, output"):
        Trainer(nn.Linear(4, 2), step=loss_alone, metrics=["accuracy"]).fit(X, Y)
    with pytest.raises(OperandError, match="a batch is a dict"):
        Trainer(nn.Linear(4, 2), step=of_dict, metrics=["accuracy"]).fit([{"x": kadam.ones(3, 4)}])


@pytest.mark.parametrize("dtype", ["i1", "i4", "u2", "u1"])
def test_classes_may_be_whole_numbers_of_any_type(dtype: str) -> None:
    wide, narrow = (_trainer().fit(X, target, epochs=1)["loss"] for target in (Y, Y.astype(dtype)))
    assert wide == pytest.approx(narrow, rel=1e-6)


def test_accuracy_of_probabilities_is_parted_at_a_half() -> None:
    model = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid(), nn.Flatten(0))
    trainer = _trainer(model, nn.BCELoss(), metrics=["accuracy"])
    found = trainer.evaluate(X, Y.astype(np.float32))
    said = trainer.predict(X).numpy()
    assert 0 < (said > 0.5).sum() < ROWS
    assert found["accuracy"] == pytest.approx(((said > 0.5) == Y).mean())


def test_classes_may_be_told_by_ones_and_zeros() -> None:
    scores = pytest.importorskip("sklearn.metrics")
    three = np.digitize(X[:, 0], [-0.5, 0.5])
    trainer = _trainer(nn.Linear(4, 3), metrics=["accuracy", "f1", "auc"])
    found = trainer.evaluate(X, np.eye(3, dtype=np.float32)[three], batch_size=50)
    assert found == pytest.approx(trainer.evaluate(X, three), rel=1e-5)
    said = trainer.predict(X).numpy()
    assert found["accuracy"] == pytest.approx(scores.accuracy_score(three, said.argmax(1)))


@pytest.mark.parametrize("of_probabilities", [False, True])
def test_several_questions_of_a_row_are_judged_each(of_probabilities: bool) -> None:
    scores = pytest.importorskip("sklearn.metrics")
    answers = (X[:, :3] > [0, 0.5, -0.5]).astype(np.float32)
    layers = [nn.Linear(4, 3), nn.Sigmoid()] if of_probabilities else [nn.Linear(4, 3)]
    loss = nn.BCELoss() if of_probabilities else nn.BCEWithLogitsLoss()
    trainer = _trainer(nn.Sequential(*layers), loss, metrics=["accuracy", "auc"])
    found = trainer.evaluate(X, answers, batch_size=50)
    said = trainer.predict(X).numpy()
    assert found["accuracy"] == pytest.approx(((said > (0.5 if of_probabilities else 0)) == answers).mean())
    assert found["auc"] == pytest.approx(scores.roc_auc_score(answers, said, average="macro"))


def test_r2_of_several_values_is_the_mean_over_them() -> None:
    scores = pytest.importorskip("sklearn.metrics")
    targets = np.c_[X[:, 0], 100 + 5 * X[:, 1], X[:, 2]].astype(np.float32)
    trainer = _trainer(nn.Linear(4, 3), nn.MSELoss(), metrics=["r2", "mae"])
    found = trainer.evaluate(X, targets, batch_size=32)
    said = trainer.predict(X).numpy()
    assert found["r2"] == pytest.approx(scores.r2_score(targets, said), rel=1e-4)
    assert found["mae"] == pytest.approx(scores.mean_absolute_error(targets, said), rel=1e-5)


def test_f1_without_rows_of_class_1_is_zero() -> None:
    trainer = _trainer(metrics=["f1"])
    with kadam.no_grad():
        trainer.model.bias.copy_(kadam.tensor([100.0, -100.0]))
    assert trainer.evaluate(X, np.zeros(ROWS, np.int64))["f1"] == 0.0


def test_a_plateau_is_judged_where_validation_was_looked_at() -> None:
    def plateau(optimizer: Any) -> ReduceLROnPlateau:
        return ReduceLROnPlateau(optimizer, patience=0, threshold=1e9, threshold_mode="abs")

    trainer = _trainer(optimizer=lambda params: SGD(params, lr=1.0), scheduler=plateau)
    history = trainer.fit(X, Y, epochs=7, validation=0.25, validate_every=2)
    assert history["lr"] == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01])


class Explode(Callback):
    """Raises the learning rate beyond all bounds at a step."""

    def on_step(self, trainer: Trainer, step: int, loss: float) -> None:
        if step == 6:
            trainer.optimizer.param_groups[0]["lr"] = 1e38


def test_a_loss_lost_within_the_first_seconds_is_traced(tmp_path: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    trainer = _trainer(model, optimizer=lambda params: SGD(params, lr=0.1), callbacks=[Explode()])
    with pytest.raises(NonFiniteLoss) as lost:
        trainer.fit(X, Y, epochs=5, folder=tmp_path / "run")
    assert lost.value.module in ("0", "1")
    assert str(lost.value.checkpoint).endswith("step-000000000000.pt")
    assert all(np.isfinite(one.detach().numpy()).all() for one in model.parameters())


class Named(nn.Module):
    """Adds what stands under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, given):
        return self.linear(given["a"] + given["b"])


def test_inputs_in_a_dict_are_those_of_a_loader_that_gives_dicts():
    class Rows(Dataset):
        def __len__(self):
            return len(X)

        def __getitem__(self, index):
            return {"a": X[index], "b": X[index]}, Y[index]

    def fitted(*data, **more):
        kadam.manual_seed(0)
        trainer = Trainer(Named(), nn.CrossEntropyLoss(), lambda p: SGD(p, 0.1), metrics=["accuracy"])
        return trainer, trainer.fit(*data, epochs=3, **more)

    named = {"a": X, "b": kadam.tensor(X)}
    trainer, by_dict = fitted(named, Y, batch_size=8)
    other, by_loader = fitted(DataLoader(Rows(), 8, shuffle=True))
    assert by_dict["loss"] == pytest.approx(by_loader["loss"], rel=1e-6)
    assert trainer.evaluate(named, Y)["accuracy"] == other.evaluate(DataLoader(Rows(), 8))["accuracy"]
    assert trainer.predict(named).shape == (len(X), 2)
    assert "val_loss" in fitted(named, Y, validation=0.2)[1].columns
    assert "val_loss" in fitted((named, Y), validation=(named, Y))[1].columns
    with pytest.raises(ShapeError, match="as many rows as each other"):
        fitted({"a": X, "b": X[:3]}, Y)


def test_inputs_in_a_tuple_are_given_one_by_one():
    class Two(Named):
        def forward(self, a, b):
            return super().forward({"a": a, "b": b})

    trainer = Trainer(Two(), nn.CrossEntropyLoss())
    history = trainer.fit((X, X), Y, epochs=1, validation=((X, X), Y))
    assert "val_loss" in history.columns
    assert trainer.predict((X, X)).shape == (len(X), 2)


def test_a_step_may_tell_what_metrics_compare_with():
    def step(model, batch):
        output = model(batch)
        return nn.functional.cross_entropy(output, batch["y"]), output, batch["y"]

    trainer = Trainer(Named(), step=step, metrics=["accuracy"])
    data = {"a": X, "b": X, "y": Y}
    assert trainer.fit(data, epochs=1).columns[:4] == ["epoch", "step", "loss", "accuracy"]
    right = (trainer.predict(data).argmax(1).numpy() == Y).mean()
    assert trainer.evaluate(data)["accuracy"] == pytest.approx(right)


def test_what_is_not_finite_in_a_dict_is_named():
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(NonFiniteLoss, match="input 'b' of that batch is not finite in row 3"):
        Trainer(Named(), nn.CrossEntropyLoss()).fit({"a": X, "b": bad}, Y, shuffle=False)


def test_rows_sorted_by_class_are_told_of_where_the_last_are_held_out():
    order = np.argsort(Y, kind="stable")
    with pytest.warns(UserWarning, match=r"validation=0.2 takes the last rows, and these alone have class 1"):
        _trainer().fit(X[order][: (Y == 0).sum() + 5], np.sort(Y)[: (Y == 0).sum() + 5], epochs=1, validation=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _trainer().fit(X, Y, epochs=1, validation=0.2)
