"""A convolutional network tells the direction of noisy stripes; its state is saved and loaded."""

import io

import torch
from torch import nn, optim

torch.manual_seed(5)


def stripes(count):
    """Pictures of horizontal (0), vertical (1) and diagonal (2) stripes in noise."""
    kind = torch.randint(0, 3, (count,))
    phase = torch.rand(count, 1, 1) * 6.28
    row = torch.arange(10.0).view(1, 10, 1)
    column = torch.arange(10.0).view(1, 1, 10)
    direction = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.7, 0.7]])[kind]
    wave = torch.sin(1.5 * (direction[:, 0].view(-1, 1, 1) * row + direction[:, 1].view(-1, 1, 1) * column) + phase)
    return (wave + 0.8 * torch.randn(count, 10, 10)).unsqueeze(1), kind


model = nn.Sequential(
    nn.Conv2d(1, 6, 3, bias=False),
    nn.BatchNorm2d(6),
    nn.LeakyReLU(0.1),
    nn.MaxPool2d(2),
    nn.Conv2d(6, 12, 3, stride=1, padding=1),
    nn.ReLU(inplace=True),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(12, 3),
)
print(model)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.8, nesterov=True)
criterion = nn.CrossEntropyLoss()

images, kinds = stripes(240)
for epoch in range(6):
    running = 0.0
    for batch_images, batch_kinds in zip(images.split(24), kinds.split(24)):
        optimizer.zero_grad()
        loss = criterion(model(batch_images), batch_kinds)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch} mean loss {running / 10:.4f}")

model.eval()
test_images, test_kinds = stripes(120)
with torch.no_grad():
    before = model(test_images)
print("test accuracy", (before.argmax(1) == test_kinds).float().mean())
print("running variance", model[1].running_var, "after", model[1].num_batches_tracked)

file = io.BytesIO()
torch.save(model.state_dict(), file)
file.seek(0)
for parameter in model.parameters():
    nn.init.constant_(parameter, 0.5)
print(model.load_state_dict(torch.load(file)))
with torch.no_grad():
    print("the same after loading:", torch.equal(before, model(test_images)))
