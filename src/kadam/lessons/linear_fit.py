"""Lesson 1: one neuron learns y = 2x. One step in slow motion, then the training loop.

kadam run -m kadam.lessons.linear_fit
"""

import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(0)

model = nn.Linear(1, 1)
w, b = model.weight, model.bias
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=0.1)

x = torch.tensor([[1.0], [2.0], [3.0]])
y = 2 * x

print("Lesson 1: one neuron learns y = 2x")
print(f"Its prediction is w x + b, and it starts from chance: w = {w.item():.4f}, b = {b.item():.4f}")
print()

print("1. Forward pass (prediction बनाना): send the inputs through the model")
prediction = model(x)
for given, predicted, wanted in zip(x.tolist(), prediction.tolist(), y.tolist(), strict=True):
    print(f"   x = {given[0]:.0f}   prediction {predicted[0]:7.4f}   wanted {wanted[0]:7.4f}")

print("2. Loss (गलती मापना): how wrong is that, as one number? Here, the mean of the squared errors")
loss = criterion(prediction, y)
print(f"   loss = {loss.item():.4f}")

print("3. Backward pass (gradient निकालना): how steeply does the loss grow with each weight?")
optimizer.zero_grad()
loss.backward()
error = (prediction - y).detach()
by_hand = (2 * error * x).mean(), (2 * error).mean()
print(f"   dloss/dw = {w.grad.item():8.4f}   by the chain rule, mean(2 error x) = {by_hand[0].item():8.4f}")
print(f"   dloss/db = {b.grad.item():8.4f}   by the chain rule, mean(2 error)   = {by_hand[1].item():8.4f}")

print("4. Update (weight update करना): each weight takes a small step, a कदम, down that slope")
before = w.item()
optimizer.step()
print(f"   w = {before:.4f} - 0.1 * ({w.grad.item():.4f}) = {w.item():.4f}")
print(f"   the loss is now {criterion(model(x), y).item():.4f}")
print()

print("Repeat: an epoch is one complete pass over the data (dataset पर एक complete pass)")
for epoch in range(1, 201):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch in (1, 2, 5, 10, 20, 50, 100, 200):
        print(f"   epoch {epoch:3d}   loss {loss.item():.6f}   w = {w.item():.4f}   b = {b.item():.4f}")
print()

with torch.no_grad():
    answer = model(torch.tensor([[10.0]])).item()
print(f"Asked about x = 10, which it has never seen, it says {answer:.2f}")
