"""Trainer: the numbers of the plain loop, runs that survive, what ends them, and what is told of them."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import kadam
import survivor
from kadam import nn
from kadam.recording import counts
from kadam.recording.step import state
from kadam.train import Callback, CheckpointWarning, History, NonFiniteLoss, ResumeError, Trainer
from kadam.train.batches import ArrayBatches
from kadam.train.given import batches_of
from kadam.train.metrics import metrics_of
from kadam.utils.data import DataLoader, IterableDataset, TensorDataset

RNG = np.random.default_rng(0)
X = RNG.standard_normal((150, 6)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
VALUES = (X @ np.arange(6, dtype=np.float32))[:, None]


def net(outputs=2, dropout=0.1):
    kadam.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, outputs))


def fresh(act, *args, **options):
    """`act` on a trail of its own, as in a new process: which engine runs a step depends on what ran before."""
    with ThreadPoolExecutor(1) as one:
        return one.submit(act, *args, **options).result()


class Losses(Callback):
    def __init__(self):
        self.all = []

    def on_step(self, trainer, step, loss):
        self.all.append(loss)


def plain(epochs=3, accumulate=1, clip=None, step_each_epoch=None):
    """The loop as anyone writes it."""
    model = net()
    optimizer = kadam.optim.Adam(model.parameters(), lr=0.01)
    scheduler = step_each_epoch and step_each_epoch(optimizer)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(kadam.tensor(X), kadam.tensor(Y)), 32, shuffle=True)
    losses = []
    for _ in range(epochs):
        for index, (x, y) in enumerate(loader):
            if index % accumulate == 0:
                optimizer.zero_grad()
            loss = criterion(model(x), y)
            (loss if accumulate == 1 else loss / accumulate).backward()
            if (index + 1) % accumulate == 0 or index + 1 == len(loader):
                if clip:
                    nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
            losses.append(loss.item())
        if scheduler:
            scheduler.step()
    return losses, [one.detach().numpy().copy() for one in model.parameters()]


def fitted(data, epochs=3, accumulate=1, clip=None, step_each_epoch=None, **options):
    model, log = net(), Losses()
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), kadam.optim.Adam(model.parameters(), lr=0.01), accumulate=accumulate,
        clip_norm=clip, scheduler=step_each_epoch, callbacks=[log],
    )  # fmt: skip
    trainer.fit(data, epochs=epochs, **options)
    return log.all, [one.detach().numpy().copy() for one in model.parameters()]


def same(one, other):
    return one[0] == other[0] and all(np.array_equal(a, b) for a, b in zip(one[1], other[1], strict=True))


def decay(optimizer):
    return kadam.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)


@pytest.mark.parametrize(
    "options",
    [{}, {"accumulate": 2}, {"clip": 0.1}, {"step_each_epoch": decay}],
    ids=["plain", "accumulate", "clip", "lr"],
)
def test_fit_gives_the_numbers_of_the_plain_loop_bit_for_bit(options):
    expected = fresh(plain, **options)
    assert same(fresh(fitted, (X, Y), **options), expected)
    loader = DataLoader(TensorDataset(kadam.tensor(X), kadam.tensor(Y)), 32, shuffle=True)
    assert same(fresh(fitted, loader, **options), expected)
    assert same(fresh(fitted, (X, Y), validation=(X, Y), **options), expected)


def test_a_resumed_run_goes_on_bit_for_bit(tmp_path):
    expected = fresh(fitted, (X, Y), epochs=4)
    first = fresh(fitted, (X, Y), epochs=4, max_steps=7, folder=tmp_path)
    assert first[0] == expected[0][:7]
    second = fresh(fitted, (X, Y), epochs=4, folder=tmp_path, resume=True)
    assert second[0] == expected[0][7:]
    assert all(np.array_equal(a, b) for a, b in zip(second[1], expected[1], strict=True))


def test_metrics_of_training_batches_go_on_within_an_epoch(tmp_path):
    def run(**options):
        model = net()
        optimizer = kadam.optim.Adam(model.parameters(), lr=0.01)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=["accuracy", "auc", "f1"])
        history = trainer.fit((X, Y), epochs=3, **options)
        return [[row[name] for name in ("loss", "accuracy", "auc", "f1")] for row in history]

    expected = fresh(run)
    fresh(run, max_steps=7, folder=tmp_path)
    assert fresh(run, folder=tmp_path, resume=True) == expected


def test_a_finished_run_is_not_run_again_and_can_be_made_longer(tmp_path):
    expected = fresh(fitted, (X, Y), epochs=3)
    fresh(fitted, (X, Y), epochs=2, folder=tmp_path)
    assert fresh(fitted, (X, Y), epochs=2, folder=tmp_path, resume=True)[0] == []
    assert fresh(fitted, (X, Y), epochs=3, folder=tmp_path, resume=True)[0] == expected[0][10:]


@pytest.mark.parametrize("data", ["generator"])
def test_a_run_survives_being_killed_and_a_damaged_checkpoint(tmp_path, data):
    whole = survivor.run(tmp_path / "whole", -1, data)
    assert whole.stdout, whole.stderr
    for kill_at in (2, 25, 44):
        assert survivor.run(tmp_path / "killed", kill_at, data).returncode == -signal.SIGKILL
    newest = max((tmp_path / "killed" / "checkpoints").glob("step-*.pt"))
    newest.write_bytes(newest.read_bytes()[:-200])
    last = survivor.run(tmp_path / "killed", -1, data)
    assert last.stdout == whole.stdout
    assert "is damaged and passed over" in last.stderr
    assert survivor.losses(tmp_path / "killed") == survivor.losses(tmp_path / "whole")


FULL_DISK = """
import resource, sys, warnings
sys.path.insert(0, {tests!r})
import test_train as t
t.fitted((t.X, t.Y), epochs=1, folder={folder!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    losses, _ = t.fitted((t.X, t.Y), epochs=3, folder={folder!r}, resume=True, save_every_steps=2)
print(len(losses), sum(issubclass(one.category, t.CheckpointWarning) for one in told) > 0)
"""


def test_a_full_disk_ends_no_run_and_loses_no_checkpoint(tmp_path):
    program = FULL_DISK.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "run"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["10", "True"], done.stderr
    kept = sorted(one.name for one in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept == ["step-000000000000.pt", "step-000000000005.pt"]
    expected = fresh(fitted, (X, Y), epochs=3)
    assert fresh(fitted, (X, Y), epochs=3, folder=tmp_path / "run", resume=True)[0] == expected[0][5:]


def test_ctrl_c_ends_cleanly_after_the_step_and_saves(tmp_path):
    class Press(Losses):
        def on_step(self, trainer, step, loss):
            super().on_step(trainer, step, loss)
            if step == 7:
                os.kill(os.getpid(), signal.SIGINT)

    expected = fresh(fitted, (X, Y), epochs=4)
    model, press = net(), Press()
    trainer = Trainer(model, nn.CrossEntropyLoss(), kadam.optim.Adam(model.parameters(), lr=0.01), callbacks=[press])
    history = trainer.fit((X, Y), epochs=4, folder=tmp_path)
    assert history.stopped == "ended by SIGINT"
    assert len(press.all) == 7
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(fresh(fitted_from, tmp_path, Losses())) == len(expected[0]) - 7


def fitted_from(folder, log):
    model = net()
    trainer = Trainer(model, nn.CrossEntropyLoss(), kadam.optim.Adam(model.parameters(), lr=0.01), callbacks=[log])
    trainer.fit((X, Y), epochs=4, folder=folder, resume=True)
    return log.all


class Explodes(nn.Module):
    """Infinite from its tenth training step on."""

    def __init__(self):
        super().__init__()
        self.register_buffer("steps", kadam.zeros(()))
        self.inner = nn.Linear(16, 2)

    def forward(self, x):
        if self.training:
            self.steps += 1
        return self.inner(x) / (self.steps < 10).float()


def exploding():
    kadam.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), Explodes())


def test_a_loss_that_is_no_number_ends_the_run_and_is_traced_to_its_module(tmp_path):
    model = exploding()
    trainer = Trainer(model, nn.CrossEntropyLoss(), kadam.optim.SGD(model.parameters(), lr=0.01))
    with pytest.raises(NonFiniteLoss, match=r"at step 10 \(epoch 2\)") as caught:
        trainer.fit((X, Y), epochs=4, folder=tmp_path, save_every_steps=3)
    assert caught.value.step == 10
    assert caught.value.module == "2"
    assert caught.value.checkpoint.endswith("step-000000000009.pt")
    assert all(np.isfinite(one.detach().numpy()).all() for one in model.parameters())
    assert isinstance(caught.value, FloatingPointError)


def test_data_that_is_no_number_is_named(tmp_path):
    broken = X.copy()
    broken[20, 3] = np.nan
    trainer = Trainer(net(), nn.CrossEntropyLoss())
    with pytest.raises(NonFiniteLoss, match="input 0 of that batch is not finite in row 20"):
        trainer.fit((broken, Y), shuffle=False, folder=tmp_path, save_every_steps=1)
    with pytest.raises(NonFiniteLoss, match="at step 1"):
        Trainer(net(), nn.CrossEntropyLoss()).fit((broken, Y), shuffle=False)


def test_a_run_of_another_kind_is_refused(tmp_path):
    fresh(fitted, (X, Y), epochs=1, folder=tmp_path)
    with pytest.raises(ResumeError, match="holds a run already"):
        fitted((X, Y), epochs=1, folder=tmp_path)
    with pytest.raises(ResumeError, match="batches in an epoch was 5, now it is 10"):
        fitted((X, Y), epochs=1, folder=tmp_path, resume=True, batch_size=16)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lr": 0.5}, "optimizer's lr was '0.01', now it is '0.5'"),
        ({"clip_norm": 2.0}, "clip_norm was None, now it is 2.0"),
        ({"loss": nn.MultiMarginLoss()}, "loss was 'CrossEntropyLoss', now it is 'MultiMarginLoss'"),
        ({"batch_size": 31}, "rows in a batch was 30, now it is 31"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(tmp_path, changed, said):
    def run(lr=0.01, loss=None, clip_norm=None, batch_size=30, **options):
        model = net()
        optimizer = kadam.optim.Adam(model.parameters(), lr=lr)
        trainer = Trainer(model, loss or nn.CrossEntropyLoss(), optimizer, clip_norm=clip_norm)
        return trainer.fit((X[:150], Y[:150]), epochs=2, folder=tmp_path, batch_size=batch_size, **options)

    run(max_steps=1)
    with pytest.raises(ResumeError, match=re.escape(said)):
        run(resume=True, **changed)
    assert len(run(resume=True)) == 2


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    told = []

    class Second(Callback):
        def on_epoch(self, trainer, row):
            with pytest.raises(ResumeError, match="another run is writing into") as error:
                fitted((X, Y), epochs=1, folder=tmp_path, resume=True)
            told.append(str(error.value))

    model = net()
    trainer = Trainer(model, nn.CrossEntropyLoss(), kadam.optim.SGD(model.parameters(), lr=0.1), callbacks=[Second()])
    trainer.fit((X, Y), epochs=1, folder=tmp_path)
    assert len(told) == 1
    assert not list(tmp_path.glob(".kadam*"))
    model = net()
    Trainer(model, nn.CrossEntropyLoss(), kadam.optim.SGD(model.parameters(), lr=0.1), callbacks=[Callback()]).fit(
        (X, Y), epochs=2, folder=tmp_path, resume=True
    )


def test_early_stopping_gives_back_the_best_weights():
    model = net(dropout=0.0)
    trainer = Trainer(model, nn.CrossEntropyLoss(), kadam.optim.Adam(model.parameters(), lr=0.05), metrics=["accuracy"])
    history = trainer.fit((X[:60], Y[:60]), epochs=200, validation=(X[60:], Y[60:]), patience=5)
    assert "has not become better in 5 epochs" in history.stopped
    assert history.best == len(history) - 6
    assert trainer.evaluate((X[60:], Y[60:]))["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-6)


def test_a_run_ends_when_its_target_is_reached():
    model = net(dropout=0.0)
    trainer = Trainer(model, nn.CrossEntropyLoss(), kadam.optim.Adam(model.parameters(), lr=0.05), metrics=["accuracy"])
    history = trainer.fit((X, Y), epochs=200, validation=(X, Y), until={"val_accuracy": 0.9})
    assert history[-1]["val_accuracy"] >= 0.9
    assert all(value < 0.9 for value in history["val_accuracy"][:-1])
    assert history.stopped.startswith("reached val_accuracy")
    with pytest.raises(KeyError, match="until names 'val_f1'"):
        trainer.fit((X, Y), validation=(X, Y), until={"val_f1": 0.9})


def test_a_callback_can_end_a_run_and_add_to_the_history():
    class Ends(Callback):
        def on_epoch(self, trainer, row):
            row["twice"] = 2 * row["loss"]
            if row["epoch"] == 2:
                trainer.stop("enough")

    trainer = Trainer(net(), nn.CrossEntropyLoss(), callbacks=[Ends()])
    history = trainer.fit((X, Y), epochs=9)
    assert (len(history), history.stopped) == (2, "enough")
    assert history["twice"] == [2 * loss for loss in history["loss"]]


def test_predict_and_evaluate_agree_with_the_model():
    model = net(1)
    trainer = Trainer(model, nn.MSELoss(), metrics=["mae", "r2", "rmse"])
    trainer.fit((X, VALUES), epochs=2)
    model.eval()
    expected = model(kadam.tensor(X)).detach().numpy()
    np.testing.assert_allclose(trainer.predict(X, batch_size=40).numpy(), expected, rtol=1e-5)
    loader = DataLoader(TensorDataset(kadam.tensor(X), kadam.tensor(VALUES)), 40)
    np.testing.assert_allclose(trainer.predict(loader).numpy(), expected, rtol=1e-5)
    found = trainer.evaluate((X, VALUES), batch_size=40)
    assert found["loss"] == pytest.approx(np.square(expected - VALUES).mean(), rel=1e-4)
    assert found["mae"] == pytest.approx(np.abs(expected - VALUES).mean(), rel=1e-4)


def test_lbfgs_and_a_step_of_ones_own():
    model = nn.Linear(6, 1)
    trainer = Trainer(model, nn.MSELoss(), kadam.optim.LBFGS(model.parameters(), lr=0.5))
    assert trainer.fit((X, VALUES), batch_size=150, epochs=8)["loss"][-1] < 1e-3
    trainer = Trainer(net(), step=lambda model, batch: nn.functional.cross_entropy(model(batch["x"]), batch["y"]))
    batches = [{"x": kadam.tensor(X[:50]), "y": kadam.tensor(Y[:50])}] * 3
    assert len(trainer.fit(batches, epochs=2)) == 2


@pytest.mark.parametrize("drop_last", [False, True])
def test_arrays_come_in_the_order_of_a_loader(drop_last):
    kadam.manual_seed(7)
    loader = DataLoader(TensorDataset(kadam.tensor(X), kadam.tensor(Y)), 32, shuffle=True, drop_last=drop_last)
    expected = [[one.numpy() for one in batch] for _ in range(2) for batch in loader]
    kadam.manual_seed(7)
    batches = ArrayBatches([X, Y], 32, shuffle=True, drop_last=drop_last, draws=True)
    found = [[one.numpy() for one in batch] for _ in range(2) for batch in batches.start()]
    assert len(batches) == len(loader)
    for one, other in zip(found, expected, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_data_in_its_forms():
    assert len(batches_of((X, Y), batch_size=50)) == 3
    assert len(batches_of(X, Y, batch_size=50)) == 3
    assert len(batches_of(TensorDataset(kadam.tensor(X), kadam.tensor(Y)), batch_size=50)) == 3
    assert len(batches_of([[1.0, 2.0], [3.0, 4.0]], [0, 1], batch_size=1)) == 2
    assert next(batches_of(X.astype(np.float64), Y).start())[0].dtype is kadam.float32

    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(X[0], Y[0])] * 5)

    assert len(list(batches_of(Stream(), batch_size=2).start())) == 3
    with pytest.raises(TypeError, match="read only once"):
        batches_of(iter([1]))
    with pytest.raises(RuntimeError, match="as many rows as each other"):
        batches_of((X, Y[:5]))


def test_frames_are_data():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X)
    batch = next(batches_of(frame, pandas.Series(Y), batch_size=8).start())
    np.testing.assert_array_equal(batch[0].numpy(), X[:8])


def test_metrics_agree_with_scikit_learn():
    scores = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(1)
    logits, classes = draw.standard_normal((200, 4)), draw.integers(0, 4, 200)
    names = ["accuracy", "balanced_accuracy", "f1", "auc"]
    found = _computed(names, logits, classes)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    best = logits.argmax(1)
    assert found == pytest.approx([
        scores.accuracy_score(classes, best), scores.balanced_accuracy_score(classes, best),
        scores.f1_score(classes, best, average="macro"), scores.roc_auc_score(classes, shares, multi_class="ovr"),
    ])  # fmt: skip
    two = np.round(draw.standard_normal((200, 2)), 1)
    labels = draw.integers(0, 2, 200)
    assert _computed(["f1", "auc"], two, labels) == pytest.approx(
        [scores.f1_score(labels, two.argmax(1)), scores.roc_auc_score(labels, two[:, 1] - two[:, 0])]
    )
    values, true = draw.standard_normal(200), draw.standard_normal(200) + 3
    assert _computed(["mae", "rmse", "r2"], values, true) == pytest.approx([
        scores.mean_absolute_error(true, values), scores.root_mean_squared_error(true, values),
        scores.r2_score(true, values),
    ])  # fmt: skip


def _computed(names, outputs, target):
    metrics = metrics_of(names)
    for start in range(0, len(target), 33):
        for metric in metrics:
            metric.update(outputs[start : start + 33], target[start : start + 33])
    return [metric.compute() for metric in metrics]


def test_the_history_is_a_table_a_plot_and_a_file(tmp_path):
    history = History([{"epoch": 1, "loss": 0.5, "val_loss": math.nan}, {"epoch": 2, "loss": 0.25, "val_loss": 0.4}])
    assert history["loss"] == [0.5, 0.25]
    assert str(history).splitlines()[0].split() == ["epoch", "loss", "val_loss"]
    history.to_csv(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text().splitlines()[1] == "1,0.5,nan"
    page = history._repr_html_()
    assert page.count("<polyline") == 2
    assert "<td>0.25</td>" in page
    with pytest.raises(KeyError, match="no column 'f1'"):
        history["f1"]


def test_the_display_is_quiet_without_a_terminal(capsys):
    Trainer(net(), nn.CrossEntropyLoss()).fit((X, Y), epochs=1)
    assert capsys.readouterr() == ("", "")
    Trainer(net(), nn.CrossEntropyLoss()).fit((X, Y), epochs=1, display="plain")
    assert capsys.readouterr().err.startswith("epoch 1/1  step 5  loss")
    Trainer(net(), nn.CrossEntropyLoss()).fit((X, Y), epochs=1, display="live")
    assert capsys.readouterr().err.endswith("1 epochs are done.\n")


def test_counts_of_programs_go_on_where_they_stood():
    def walk(times):
        for _ in range(times):
            (kadam.ones(3) * kadam.ones(3)).sum().item()
        found = counts.taken(state.roots.values())
        return {name: count for name, count in found.items() if count}

    counts.carry({})
    first = fresh(walk, 1)
    assert set(first.values()) == {1}
    counts.carry(first)
    try:
        second = fresh(walk, 1)
        assert second == dict.fromkeys(first, 2)
    finally:
        counts.carry({})


def test_what_a_trainer_refuses():
    with pytest.raises(TypeError, match="either loss"):
        Trainer(net())
    with pytest.raises(ValueError, match="there is no 'accuracies'"):
        Trainer(net(), nn.MSELoss(), metrics=["accuracies"])
    with pytest.raises(TypeError, match=r"a batch must be \(input"):
        Trainer(net(), nn.MSELoss()).fit([kadam.ones(3)])
    with pytest.raises(KeyError, match="monitor 'val_f1' is no column"):
        Trainer(net(), nn.CrossEntropyLoss()).fit((X, Y), monitor="val_f1")
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        done = threading.Thread(target=lambda: Trainer(net(), nn.CrossEntropyLoss()).fit((X, Y), epochs=1))
        done.start()
        done.join()
