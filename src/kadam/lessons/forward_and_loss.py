"""Lesson 2: the forward pass of a small classifier, number by number, and the loss of its prediction.

kadam run -m kadam.lessons.forward_and_loss
"""

import math

import torch
import torch.nn as nn

torch.manual_seed(0)

model = nn.Sequential(
    nn.Linear(2, 3),
    nn.ReLU(),
    nn.Linear(3, 1),
    nn.Sigmoid(),
)
criterion = nn.BCELoss()

x = torch.tensor([[1.0, 2.0]])
y = torch.tensor([[0.0]])


def numbers(values):
    """Values in one line, four digits each."""
    return " ".join(f"{value:8.4f}" for value in values.flatten().tolist())


def show_linear(layer, inputs, name):
    """Show z = Wx + b, neuron by neuron."""
    z = layer(inputs)
    for neuron in range(layer.out_features):
        terms = " + ".join(
            f"{weight:.4f} * {value:.4f}"
            for weight, value in zip(layer.weight[neuron].tolist(), inputs[0].tolist(), strict=True)
        )
        print(f"   {name}[{neuron}] = {terms} + {layer.bias[neuron].item():.4f} = {z[0, neuron].item():.4f}")
    return z


print("Lesson 2: the forward pass (input से output तक की यात्रा) of a network with 2 inputs, 3 hidden neurons, 1 output")
print(f"Input x = {x[0].tolist()}, true label y = {y.item():.0f}")
print()

with torch.no_grad():
    print("Hidden layer: a linear transformation z = Wx + b, one line per neuron")
    z1 = show_linear(model[0], x, "z1")
    print("Activation: ReLU keeps what is positive and makes the rest 0, which bends the straight line")
    h = model[1](z1)
    print(f"   h  = {numbers(h)}")
    print("Output layer: again z = Wx + b, now of what the hidden neurons say")
    z2 = show_linear(model[2], h, "z2")
    print("Activation: the sigmoid 1 / (1 + e^-z) makes a probability of it")
    prediction = model[3](z2)
    print(f"   prediction = {prediction.item():.4f}")
    print(f"   the whole model says the same: {model(x).item():.4f}")
print()

print("Loss (prediction की गलती मापना): binary cross-entropy, -(y log p + (1 - y) log(1 - p))")
loss = criterion(model(x), y)
p = prediction.item()
print(f"   with y = {y.item():.0f} that is -log(1 - {p:.4f}) = {-math.log(1 - p):.4f}")
print(f"   criterion(prediction, y) = {loss.item():.4f}")
print()

print("The loss is what training makes small: backward() would now find each weight's gradient")
loss.backward()
for name, parameter in model.named_parameters():
    label = f"dloss/d({name})"
    print(f"   {label:18} = {numbers(parameter.grad)}")
