"""Coloured squares and discs: which colour, which form? Images come as uint8 height x width x channel."""
import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(0)
COLOURS = np.array([[220, 40, 40], [40, 200, 60], [50, 60, 220]])


def draw(n):
    images = rng.integers(0, 60, (n, 16, 16, 3)).astype(np.uint8)
    labels = rng.integers(0, 6, n)
    yy, xx = np.mgrid[:16, :16]
    for k in range(n):
        cy, cx, r = rng.integers(5, 11), rng.integers(5, 11), rng.integers(3, 5)
        if labels[k] < 3:
            mask = (abs(yy - cy) <= r) & (abs(xx - cx) <= r)
        else:
            mask = (yy - cy) ** 2 + (xx - cx) ** 2 <= r * r
        images[k][mask] = COLOURS[labels[k] % 3]
    return images, labels


def to_tensor(images):
    x = torch.from_numpy(images).float() / 255.0
    return x.view(-1, 3, 16, 16)


train_images, train_labels = draw(600)
test_images, test_labels = draw(200)
x_train, y_train = to_tensor(train_images), torch.from_numpy(train_labels)
x_test, y_test = to_tensor(test_images), torch.from_numpy(test_labels)

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(32 * 16, 6),
)
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(10):
    perm = torch.randperm(len(x_train))
    model.train()
    for i in range(0, len(perm), 50):
        b = perm[i:i + 50]
        loss = nn.functional.cross_entropy(model(x_train[b]), y_train[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        acc = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"epoch {epoch} loss {loss.item():.3f} acc {acc:.3f}")
