"""A run that is killed at a step, or does not die; and the harness that kills it at many.

python tests/survivor.py FOLDER KILL_AT DATA     one run: DATA is arrays, loader, generator or accumulate
python tests/survivor.py                         kills 60 runs at 60 different places; prints the counts
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
from pathlib import Path

import numpy as np

STEPS = 55  # 11 batches in each of 5 epochs


def train(folder: str, kill_at: int, data: str) -> str:
    """Train to the end, or to the step at which the process kills itself; a fingerprint of what it came to."""
    import kadam
    from kadam import nn
    from kadam.optim.lr_scheduler import OneCycleLR
    from kadam.train import Callback, Trainer
    from kadam.utils.data import DataLoader, TensorDataset

    rng = np.random.default_rng(0)
    x = rng.standard_normal((333, 12)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    kadam.manual_seed(3)
    model = nn.Sequential(
        nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
    )  # fmt: skip

    class Log(Callback):
        def on_step(self, trainer, step, loss):
            with open(folder + ".log", "a") as file:
                file.write(json.dumps([step, loss]) + "\n")
            if step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    given = (x, y)
    if data in ("loader", "generator"):
        generator = kadam.Generator().manual_seed(5) if data == "generator" else None
        given = DataLoader(TensorDataset(kadam.tensor(x), kadam.tensor(y)), 32, shuffle=True, generator=generator)
    trainer = Trainer(
        model, nn.CrossEntropyLoss(), kadam.optim.AdamW(model.parameters(), lr=1e-2), metrics=["accuracy"],
        scheduler=lambda optimizer: OneCycleLR(optimizer, 0.02, total_steps=STEPS + 1), scheduler_each="step",
        clip_norm=1.0, accumulate=2 if data == "accumulate" else 1, callbacks=[Log()],
    )  # fmt: skip
    history = trainer.fit(given, epochs=5, folder=folder, resume=True, save_every_steps=3, validation=(x, y))
    state = b"".join(one.numpy().tobytes() for one in model.state_dict().values())
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
    return hashlib.sha256(state + json.dumps(rows).encode()).hexdigest()


def run(folder: Path, kill_at: int, data: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, str(folder), str(kill_at), data]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def losses(folder: Path) -> dict[int, set[float]]:
    """Step -> the losses that it had, in all processes: one, if all is well."""
    found: dict[int, set[float]] = {}
    for line in Path(f"{folder}.log").read_text().splitlines():
        step, loss = json.loads(line)
        found.setdefault(step, set()).add(loss)
    return found


def damage(folder: Path, draw: random.Random) -> None:
    """Break the newest checkpoint: cut it short, or turn one of its bits."""
    newest = max((folder / "checkpoints").glob("step-*.pt"))
    content = bytearray(newest.read_bytes())
    if draw.random() < 0.5:
        del content[draw.randrange(len(content)) :]
    else:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    newest.write_bytes(content)


def main() -> None:
    """Kill many runs, damage some of their checkpoints, and compare with runs that were left alone."""
    draw = random.Random(0)
    place = Path(tempfile.mkdtemp())
    counts = {"killed by a signal at any moment": 0, "killed at a step": 0, "damaged": 0, "unequal": 0}
    for data in ("arrays", "loader", "generator", "accumulate"):
        whole = run(place / f"{data}-whole", -1, data)
        for trial in range(5):
            folder = place / f"{data}-{trial}"
            for kill_at in sorted(draw.sample(range(1, STEPS), 3)):
                counts["killed at a step"] += run(folder, kill_at, data).returncode == -signal.SIGKILL
                if draw.random() < 0.3 and len(list((folder / "checkpoints").glob("step-*.pt"))) > 1:
                    damage(folder, draw)
                    counts["damaged"] += 1
            process = subprocess.Popen([sys.executable, __file__, str(folder), "-1", data], stdout=subprocess.DEVNULL)
            try:
                process.wait(draw.uniform(0.3, 2.5))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                counts["killed by a signal at any moment"] += 1
            last = run(folder, -1, data)
            same = last.stdout == whole.stdout != "" and losses(folder) == losses(place / f"{data}-whole")
            counts["unequal"] += not same
        print(data, counts, flush=True)
    shutil.rmtree(place)
    sys.exit(counts["unequal"] > 0)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(train(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
    else:
        main()
