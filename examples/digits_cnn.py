"""Train a small convolutional network to read handwritten digits, scikit-learn's 1,797 scans of 8x8 pixels.

    kadam run examples/digits_cnn.py --epochs 12 --seed 0 --out runs/digits

It leaves the model's weights, the results and the learning curve in the output directory; `check_digits.py` reads them.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from learning_curve import Curve, draw
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset


class DigitsCNN(nn.Module):
    """Two convolutions, each followed by a 2x2 pooling, then two linear layers: f32[batch,1,8,8] -> f32[batch,10]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(images))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        x = self.dropout(x.flatten(1))
        return self.fc2(F.relu(self.fc1(x)))


def load_data(seed):
    """The digits, three quarters to train on and one to test on, with the same share of each digit in both."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    train, test = train_test_split(range(len(labels)), test_size=0.25, stratify=digits.target, random_state=seed)
    images = (images - images[train].mean()) / images[train].std()
    return TensorDataset(images[train], labels[train]), TensorDataset(images[test], labels[test])


def count_correct(model, dataset):
    """How many of a dataset's digits the model reads right."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in DataLoader(dataset, batch_size=256):
            correct += (model(images).argmax(dim=1) == labels).sum().item()
    return correct


def train_epoch(model, loader, optimizer, scheduler, progress):
    """One pass over the training digits; its mean loss per digit."""
    model.train()
    total = 0.0
    for step, (images, labels) in enumerate(loader, start=1):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(labels)
        progress(step, len(loader), f"loss {loss.item():.4f}")
    return total / len(loader.dataset)


def progress_bar(title, width=30):
    """A function that shows how far an epoch is, on a terminal; elsewhere it is silent."""

    def show(step, steps, text):
        done = width * step // steps
        end = "\r\033[K" if step == steps else ""
        print(f"\r{title} [{'#' * done}{'.' * (width - done)}] {text}", end=end, flush=True)

    return show if sys.stdout.isatty() else lambda step, steps, text: None


def main():
    parser = argparse.ArgumentParser(description="Train a convolutional network on scikit-learn's digits.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=6e-3, help="the highest learning rate of the schedule")
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="the directory for what is left behind")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train_set, test_set = load_data(args.seed)
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    model = DigitsCNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.epochs * len(loader))
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"{len(train_set)} digits to train on, {len(test_set)} to test on; a network of {weights:,} weights")

    losses, accuracies = [], []
    begin = time.perf_counter()
    for epoch in range(1, args.epochs + 1):
        title = f"epoch {epoch:2d}/{args.epochs}"
        losses.append(train_epoch(model, loader, optimizer, scheduler, progress_bar(title)))
        correct = count_correct(model, test_set)
        accuracies.append(correct / len(test_set))
        print(f"{title}  train loss {losses[-1]:.4f}  test accuracy {accuracies[-1]:7.2%}")
    print(f"trained in {time.perf_counter() - begin:.1f} s")

    args.out.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), args.out / "model.pt")
    results = {"seed": args.seed, "epochs": args.epochs, "correct": correct, "tested": len(test_set)}
    (args.out / "results.json").write_text(json.dumps(results) + "\n")
    curves = [Curve("training loss", losses, "{:.2f}"), Curve("test accuracy", accuracies, "{:.0%}")]
    draw(args.out / "learning_curve.svg", f"Reading digits: {accuracies[-1]:.2%} of {len(test_set)} right", curves)
    print("left", *(args.out / name for name in ("model.pt", "results.json", "learning_curve.svg")))


if __name__ == "__main__":
    main()
