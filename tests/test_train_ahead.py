"""Many steps in one native call: the numbers of steps that Python takes one by one, also where something goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import kadam
from kadam import nn, optim
from kadam.optim import lr_scheduler
from kadam.train import Callback, Trainer
from kadam.train import ahead as ahead_room
from kadam.utils.data import DataLoader, TensorDataset, default_collate

RNG = np.random.default_rng(0)
X = RNG.standard_normal((1500, 20)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
ROWS = {"batch_size": 32, "epochs": 3}

pytestmark = pytest.mark.skipif(os.environ.get("KADAM_ENGINE") == "reference", reason="the native engine is off")


@pytest.fixture
def taken(monkeypatch):
    """How many steps were taken without Python."""
    counts = []
    take = ahead_room.Ahead.take

    def counting(self, batches, most):
        stretch = take(self, batches, most)
        counts.append(0 if stretch is None else len(stretch.losses))
        return stretch

    monkeypatch.setattr(ahead_room.Ahead, "take", counting)
    return counts


def plain():
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2))


def trained(make=lambda params: optim.Adam(params, 0.01), x=X, y=Y, *, model=plain, fit=ROWS, **options):
    """All that a run leaves behind, on a trail of its own."""

    def run():
        kadam.manual_seed(0)
        net = (
            model()
            if model
            else nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2))
        )
        trainer = Trainer(net, nn.CrossEntropyLoss(), make, **options)
        error = None
        try:
            trainer.fit(x, y, **fit)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        params = list(net.parameters())
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in trainer.history.rows]
        state = [value for kept in trainer.optimizer.state.values() for value in kept.values()]
        state += list(net.buffers())
        return {
            "error": error,
            "history": rows,
            "parameters": [one.detach().numpy().tobytes() for one in params],
            "gradients": [None if one.grad is None or error else one.grad.numpy().tobytes() for one in params],
            "state": [one.numpy().tobytes() if isinstance(one, kadam.Tensor) else one for one in state],
            "versions": [one._version for one in params],
            "rates": [group["lr"] for group in trainer.optimizer.param_groups],
            "next random number": kadam.rand(1).item(),
        }

    with ThreadPoolExecutor(1) as one:
        return one.submit(run).result()


def compared(monkeypatch, **options):
    """What differs between a run that goes ahead and one in which Python takes each step."""
    found = trained(**options)
    monkeypatch.setattr(ahead_room.Ahead, "possible", lambda self, batches: False)
    expected = trained(**options)
    return found, [name for name in expected if found[name] != expected[name]]


def each_step(make):
    return {"scheduler": make, "scheduler_each": "step"}


OPTIMIZERS = {
    "SGD": lambda params: optim.SGD(params, 0.01),
    "momentum": lambda params: optim.SGD(params, 0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda params: optim.Adam(params, 0.01),
    "AMSGrad": lambda params: optim.Adam(params, 0.01, amsgrad=True),
    "AdamW": lambda params: optim.AdamW(params, 0.01),
    "RAdam": lambda params: optim.RAdam(params, 0.01),
    "RMSprop": lambda params: optim.RMSprop(params, 1e-3),
    "Adagrad": lambda params: optim.Adagrad(params, 0.01),
    "Adadelta": lambda params: optim.Adadelta(params),
    "Adamax": lambda params: optim.Adamax(params),
    "Rprop": lambda params: optim.Rprop(params, 1e-3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_leaves_the_same_bits(name, taken, monkeypatch):
    _, differing = compared(monkeypatch, make=OPTIMIZERS[name])
    assert not differing
    assert sum(taken) > 100  # of 141


def test_hooks_of_all_modules_that_are_gone_keep_no_step_back(taken, monkeypatch):
    nn.modules.module.register_module_forward_hook(lambda *given: None).remove()
    _, differing = compared(monkeypatch, make=OPTIMIZERS["SGD"])
    assert not differing
    assert sum(taken) > 100  # of 141


@pytest.mark.parametrize(
    "options",
    [
        {"clip_norm": 0.5},
        {"clip_value": 0.01},
        {"metrics": ["accuracy", "f1"]},
        {"metrics": ["accuracy"], "fit": {**ROWS, "validation": (X[:99], Y[:99]), "patience": 5}},
        {"fit": {**ROWS, "max_steps": 77}},
        {"fit": {**ROWS, "shuffle": False, "drop_last": True}},
        {"scheduler": lambda optimizer: lr_scheduler.StepLR(optimizer, 1, 0.5)},
        each_step(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 100)),
        each_step(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=150, cycle_momentum=False)),
    ],
    ids=["norm", "value", "metrics", "validation", "max_steps", "in order", "each epoch", "cosine", "one cycle"],
)
def test_whatever_fit_is_asked_for(options, taken, monkeypatch):
    _, differing = compared(monkeypatch, **options)
    assert not differing
    assert sum(taken) > 60


@pytest.mark.parametrize("options", [{"shuffle": True}, {}, {"shuffle": True, "drop_last": True}], ids=str)
def test_a_loader_of_plain_tensors_is_as_good_as_arrays(options, taken, monkeypatch):
    data = TensorDataset(kadam.tensor(X), kadam.tensor(Y))
    fit = {"epochs": 3, "validation": DataLoader(data, 500)}
    found = trained(x=DataLoader(data, 32, **options), y=None, fit=fit)
    assert sum(taken) > 100
    rows = [0]

    def collate(samples):
        rows.append(len(samples))
        return default_collate(samples)

    assert trained(x=DataLoader(data, 32, collate_fn=collate, **options), y=None, fit=fit) == found
    assert sum(rows) > 4_000  # that one was asked


def test_groups_with_rates_of_their_own(taken, monkeypatch):
    def make(params):
        weights, *rest = params
        return optim.AdamW([{"params": [weights], "lr": 0.1}, {"params": rest}], lr=0.01)

    _, differing = compared(monkeypatch, make=make)
    assert not differing
    assert sum(taken) > 100


def fading(optimizer):
    return lr_scheduler.ExponentialLR(optimizer, 0.99)


def with_one(value):
    found = X.copy()
    found[1000, 3] = value
    return found


@pytest.mark.parametrize("options", [{}, each_step(fading)], ids=["", "scheduled"])
def test_a_loss_that_is_no_number_ends_the_run_at_that_step(options, taken, monkeypatch):
    found, differing = compared(monkeypatch, x=with_one(np.nan), fit={**ROWS, "shuffle": False}, **options)
    assert "the loss became nan at step 32 (epoch 1)" in found["error"]
    assert not differing
    assert sum(taken) > 10


def test_data_that_are_refused_are_told_of_as_ever(taken, monkeypatch):
    wrong = Y.copy()
    wrong[1000] = 5
    found, differing = compared(monkeypatch, y=wrong, fit={**ROWS, "shuffle": False})
    assert "Target 5 is out of bounds" in found["error"]
    assert not differing
    assert sum(taken) > 10


def test_a_schedule_that_ends_is_told_of_as_ever(taken, monkeypatch):
    schedule = each_step(
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=60, cycle_momentum=False)
    )
    found, differing = compared(monkeypatch, **schedule)
    assert "beyond the 60 steps" in found["error"]
    assert not differing
    assert sum(taken) > 30


class Counting(nn.Sequential):
    calls = 0

    def forward(self, input):
        self.calls += 1
        return super().forward(input)


class Steps(Callback):
    def on_step(self, trainer, step, loss):
        pass


class Noise(nn.Module):
    def forward(self, input):
        return input + 0.1 * kadam.randn(20)


def dropping():
    return nn.Sequential(nn.Linear(20, 16), nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))


def noisy():
    return nn.Sequential(Noise(), *dropping())


def averaging():
    return nn.Sequential(nn.BatchNorm1d(20, momentum=None), nn.Linear(20, 2))


def images(*middle):
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 5)), nn.Conv2d(1, 6, 3, padding=1), *middle, nn.Flatten(), nn.Linear(120, 2)
    )


MODELS = {
    "dropout": dropping,
    "dropouts of two kinds": lambda: nn.Sequential(nn.Dropout(0.1), *dropping(), nn.AlphaDropout(0.3)),
    "channels": lambda: images(nn.Dropout2d(0.2), nn.ReLU()),
    "batch norm": lambda: nn.Sequential(nn.Linear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2)),
    "batch norm of images": lambda: images(nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.2)),
    "group norm": lambda: images(nn.GroupNorm(2, 6), nn.InstanceNorm2d(6, track_running_stats=True), nn.GELU()),
    "all": lambda: nn.Sequential(
        nn.Linear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.LayerNorm(16), nn.Linear(16, 2)
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_that_draw_and_count(name, taken, monkeypatch):
    _, differing = compared(monkeypatch, model=MODELS[name], clip_norm=1.0, **each_step(fading))
    assert not differing
    assert sum(taken) > 100


@pytest.mark.parametrize("model", [dropping, MODELS["all"]], ids=["dropout", "all"])
def test_draws_of_steps_that_were_not_taken_are_given_back(model, taken, monkeypatch):
    _, differing = compared(monkeypatch, model=model, x=with_one(np.nan), fit={**ROWS, "shuffle": False})
    assert not differing
    assert sum(taken) > 10


def hooked():
    net = nn.Sequential(nn.Linear(20, 2))
    net[0].register_forward_hook(lambda module, inputs, output: None)
    return net


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(20, 16), nn.Linear(16, 2)

    def forward(self, input):
        return self.second(self.first(input).relu())


class Normed(Own):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(20)

    def forward(self, input):
        return super().forward(self.norm(input))


def test_code_of_the_users_own_may_be_promised_to_be_steady(taken, monkeypatch):
    _, differing = compared(monkeypatch, model=Own, steady=True)
    assert not differing
    assert sum(taken) > 100


def test_a_step_of_the_users_own_may_be_promised_to_be_steady(taken):
    def step(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1]) + 1e-3 * model.first.weight.square().sum()

    def run(steady):
        kadam.manual_seed(0)
        model = Own()
        history = Trainer(model, None, optim.Adam, step=step, steady=steady).fit(X, Y, **ROWS)
        return [row["loss"] for row in history.rows], [one.detach().numpy().tobytes() for one in model.parameters()]

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        assert one.submit(run, True).result() == other.submit(run, False).result()
    assert sum(taken) > 100


def test_a_loss_function_is_as_good_as_a_module(taken):
    Trainer(plain(), nn.functional.cross_entropy, optim.Adam).fit(X, Y, **ROWS)
    assert sum(taken) > 100


@pytest.mark.parametrize(
    "options",
    [
        {"model": Own},
        {"model": noisy},
        {"model": averaging},
        {"model": hooked},
        {"model": lambda: Counting(nn.Linear(20, 2))},
        {"callbacks": [Steps()]},
        {"accumulate": 2},
        {"make": lambda params: optim.NAdam(params)},
        {"make": lambda params: optim.SGD(params, lr=kadam.tensor(0.1))},
    ],
    ids=[
        "own",
        "noise",
        "mean of all batches",
        "hook",
        "own forward",
        "callback",
        "accumulate",
        "remembers",
        "rate is a tensor",
    ],
)
def test_where_python_is_needed_it_takes_each_step(options, taken, monkeypatch):
    _, differing = compared(monkeypatch, **options)
    assert not differing
    assert sum(taken) == 0


class Changing(Callback):
    """Changes what the next epoch's steps are."""

    def __init__(self, act):
        self.act = act

    def on_epoch(self, trainer, row):
        self.act(trainer)


CHANGES = {
    "rates": lambda trainer: trainer.optimizer.param_groups[0].update(betas=(0.8, 0.99), lr=0.1),
    "weights": lambda trainer: trainer.model.load_state_dict(plain().state_dict()),
    "a layer is frozen": lambda trainer: trainer.model[0].requires_grad_(False),
    "memory is shared": lambda trainer: trainer.model[0].weight.detach().numpy(),
    "a hook": lambda trainer: trainer.model[0].register_forward_hook(lambda module, inputs, output: output * 0.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_between_epochs_counts(change, taken, monkeypatch):
    _, differing = compared(monkeypatch, callbacks=[Changing(CHANGES[change])])
    assert not differing
    assert sum(taken) > (100 if change == "rates" else 30)


def test_checkpoints_and_best_weights_are_kept_all_the_same(taken, monkeypatch, tmp_path):
    fit = {**ROWS, "validation": (X[:99], Y[:99]), "restore_best": True, "save_every_steps": 20}
    found = trained(fit={**fit, "folder": tmp_path / "one"})
    assert sum(taken) > 60
    monkeypatch.setattr(ahead_room.Ahead, "possible", lambda self, batches: False)
    expected = trained(fit={**fit, "folder": tmp_path / "other"})
    assert found == expected
    resumed = trained(fit={**fit, "folder": tmp_path / "one", "resume": True, "epochs": 4})
    assert resumed["history"] == trained(fit={**fit, "folder": tmp_path / "third", "epochs": 4})["history"]


def test_programs_that_import_torch_are_no_exception():
    program = """
        import numpy as np, torch
        from torch import nn
        from kadam.train import Trainer
        from kadam.train.ahead import Ahead
        counts, take = [], Ahead.take
        def counting(self, batches, most):
            stretch = take(self, batches, most)
            counts.append(0 if stretch is None else len(stretch.losses))
            return stretch
        Ahead.take = counting
        x = np.random.default_rng(0).standard_normal((3000, 4)).astype(np.float32)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        Trainer(net, nn.MSELoss(), torch.optim.Adam(net.parameters())).fit(x, x[:, :1], epochs=2)
        print(sum(counts) > 100)
    """
    script = textwrap.dedent(program)
    command = [sys.executable, "-c", f"from kadam import torch_imports; torch_imports.install()\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


def test_ctrl_c_is_heard_within_a_moment(taken):
    x = RNG.standard_normal((200_000, 20)).astype(np.float32)
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
    trainer = Trainer(net, nn.CrossEntropyLoss(), optim.Adam)
    sent = []

    def send():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(1.0, send).start()
    history = trainer.fit(x, (x[:, 0] > 0).astype(np.int64), epochs=1000)
    assert history.stopped == "ended by SIGINT"
    assert time.monotonic() - sent[0] < 1.0  # 0.03 s on a quiet machine
    assert sum(taken) > 0
