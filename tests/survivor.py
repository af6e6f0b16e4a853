"""A run that is killed at a step, or does not die; and the harness that kills many kinds of runs at many places.

python tests/survivor.py FOLDER KILL_AT KIND     one run of one of the KINDS
python tests/survivor.py [TRIALS [KIND ...]]     so many runs of each kind (5), each killed four times; counts
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 55  # 11 batches in each of 5 epochs

# Whatever of a run may be lost between two processes, in some kind. `told`: Python takes each step and notes its loss;
# else most steps are taken many in one native call, and the kind is killed by the clock alone.
KINDS: dict[str, dict[str, Any]] = {
    "arrays": {},
    "loader": {"data": "loader"},
    "generator": {"data": "generator"},
    "accumulate": {"accumulate": 2},
    "workers": {"data": "workers"},
    "augmented": {"data": "augmented"},
    "momentum": {"optimizer": "momentum", "scheduler": "plateau"},
    "lbfgs": {"optimizer": "lbfgs", "model": "plain", "scheduler": None},
    "adam": {"optimizer": "adam", "scheduler": "warm"},
    "ahead": {"model": "plain", "told": False},
    "ahead dropout": {"told": False, "optimizer": "adam"},
    "ahead accumulate": {"told": False, "accumulate": 3, "optimizer": "momentum", "scheduler": "warm"},
}


def train(folder: str, kill_at: int, kind: str) -> str:
    """Train to the end, or to the step at which the process kills itself; a fingerprint of what it came to."""
    import kadam
    from kadam import nn
    from kadam.train import Callback, Trainer

    given = {"data": "arrays", "optimizer": "adamw", "model": "mixed", "scheduler": "one", "told": True} | KINDS[kind]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((333, 12)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    kadam.manual_seed(3)
    random.seed(4)
    np.random.seed(5)
    middle = [nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)] if given["model"] == "mixed" else [nn.Tanh()]
    model = nn.Sequential(nn.Linear(12, 16), *middle, nn.Linear(16, 2))

    class Log(Callback):
        def on_step(self, trainer, step, loss):
            with open(folder + ".log", "a") as file:
                file.write(json.dumps([step, loss]) + "\n")
            if step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    epochs = 5 if given["told"] else 120
    accumulate = given.get("accumulate", 1)
    scheduler, each = schedule(given["scheduler"], 11 * epochs + 1)
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), optimizer(given["optimizer"], model), metrics=["accuracy"],
        scheduler=scheduler, scheduler_each=each, clip_norm=None if given["optimizer"] == "lbfgs" else 1.0,
        accumulate=accumulate, callbacks=[Log()] if given["told"] else [],
    )  # fmt: skip
    history = trainer.fit(
        data(given["data"], x, y), epochs=epochs, folder=folder, resume=True, validation=(x, y),
        save_every_steps=3 if given["told"] else 30,
    )  # fmt: skip
    state = b"".join(one.numpy().tobytes() for one in model.state_dict().values())
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
    return hashlib.sha256(state + json.dumps(rows).encode()).hexdigest()


def data(kind: str, x: np.ndarray, y: np.ndarray) -> Any:
    """The rows, in the forms in which a run may get them."""
    import kadam
    from kadam.utils.data import DataLoader, Dataset, TensorDataset

    class Augmented(Dataset):
        """Rows that are made anew each time, from all the generators there are."""

        def __len__(self):
            return len(x)

        def __getitem__(self, index):
            noise = 0.1 * (random.random() + np.random.random() + kadam.rand(1).item())
            return x[index] * np.float32(1 + noise), y[index]

    if kind == "arrays":
        return x, y
    if kind == "augmented":
        return DataLoader(Augmented(), 32, shuffle=True)
    generator = kadam.Generator().manual_seed(5) if kind == "generator" else None
    workers = 2 if kind == "workers" else 0
    whole = TensorDataset(kadam.tensor(x), kadam.tensor(y))
    return DataLoader(whole, 32, shuffle=True, generator=generator, num_workers=workers)


def optimizer(kind: str, model: Any) -> Any:
    """An optimizer with moments of some kind."""
    from kadam import optim

    params = model.parameters()
    return {
        "adamw": lambda: optim.AdamW(params, lr=1e-2),
        "adam": lambda: optim.Adam(params, lr=1e-2, amsgrad=True),
        "momentum": lambda: optim.SGD(params, lr=0.05, momentum=0.9, nesterov=True),
        "lbfgs": lambda: optim.LBFGS(params, lr=0.5, max_iter=4, history_size=5),
    }[kind]()


def schedule(kind: str | None, steps: int) -> tuple[Any, str]:
    """What makes a scheduler, and when it moves on."""
    from kadam.optim import lr_scheduler

    made: dict[str | None, tuple[Any, str]] = {
        "one": (lambda given: lr_scheduler.OneCycleLR(given, 0.02, total_steps=steps), "step"),
        "plateau": (lambda given: lr_scheduler.ReduceLROnPlateau(given, patience=0, factor=0.5), "epoch"),
        "warm": (lambda given: lr_scheduler.CosineAnnealingWarmRestarts(given, 7), "step"),
        None: (None, "epoch"),
    }
    return made[kind]


def run(folder: Path, kill_at: int, kind: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, str(folder), str(kill_at), kind]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def losses(folder: Path) -> dict[int, set[float]]:
    """Step -> the losses that it had, in all processes: one, if all is well."""
    found: dict[int, set[float]] = {}
    noted = Path(f"{folder}.log")
    for line in noted.read_text().splitlines() if noted.exists() else ():
        try:
            step, loss = json.loads(line)
        except ValueError:
            continue  # killed while it wrote
        found.setdefault(step, set()).add(loss)
    return found


def damage(folder: Path, draw: random.Random) -> None:
    """Break the newest checkpoint: cut it short, empty it, or turn one of its bits."""
    newest = max((folder / "checkpoints").glob("step-*.pt"))
    content = bytearray(newest.read_bytes())
    how = draw.random()
    if how < 0.4:
        del content[draw.randrange(len(content)) :]
    elif how < 0.5:
        content.clear()
    else:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    newest.write_bytes(content)


def kill_by_the_clock(folder: Path, kind: str, draw: random.Random, longest_s: float) -> bool:
    """Start a run and kill it at some moment after it has begun; whether it was still at work then."""
    begun = folder / "checkpoints"
    there = set(begun.glob("step-*.pt"))
    process = subprocess.Popen([sys.executable, __file__, str(folder), "-1", kind], stdout=subprocess.DEVNULL)
    while process.poll() is None and set(begun.glob("step-*.pt")) == there:
        time.sleep(0.003)
    try:
        process.wait(draw.uniform(0.0, longest_s))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def main(trials: int, kinds: list[str]) -> None:
    """Kill many runs, damage some of their checkpoints, and compare with runs that were left alone."""
    draw = random.Random(os.environ.get("SEED", 0))
    place = Path(tempfile.mkdtemp())
    counts = {"by the clock": 0, "at a step": 0, "damaged": 0, "runs": 0, "unequal": 0}
    for kind in kinds:
        told = KINDS[kind].get("told", True)
        whole = run(place / f"{kind}-whole", -1, kind)
        for trial in range(trials):
            folder = place / f"{kind}-{trial}"
            for kill_at in sorted(draw.sample(range(1, STEPS), 3)):
                if told:
                    counts["at a step"] += run(folder, kill_at, kind).returncode == -signal.SIGKILL
                else:
                    counts["by the clock"] += kill_by_the_clock(folder, kind, draw, 0.15)
                if draw.random() < 0.4 and len(list((folder / "checkpoints").glob("step-*.pt"))) > 1:
                    damage(folder, draw)
                    counts["damaged"] += 1
            counts["by the clock"] += kill_by_the_clock(folder, kind, draw, 0.1 if told else 0.3)
            last = run(folder, -1, kind)
            same = last.stdout == whole.stdout != "" and losses(folder) == losses(place / f"{kind}-whole")
            counts["runs"] += 1
            counts["unequal"] += not same
            if not same:
                print(f"UNEQUAL {folder}\n{last.stderr[-2000:]}\n{whole.stderr[-2000:]}", flush=True)
        print(f"{kind}:", counts, flush=True)
    if not counts["unequal"]:
        shutil.rmtree(place)
    sys.exit(counts["unequal"] > 0)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[3] in KINDS:
        print(train(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2:] or list(KINDS))
