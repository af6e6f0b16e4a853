"""A recurrent network learns a rhyme letter by letter and says it: one cell by hand, one from the library."""

import torch
import torch.nn as nn

torch.manual_seed(21)

RHYME = "one step and two steps and three steps more, the slope tells the weights which way is the floor. "
letters = sorted(set(RHYME))
index = {letter: number for number, letter in enumerate(letters)}
codes = torch.tensor([index[letter] for letter in RHYME])


class ByHand(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden
        self.inner = nn.Linear(len(letters) + hidden, hidden)
        self.outer = nn.Linear(hidden, len(letters))

    def forward(self, sequence, state=None):
        if state is None:
            state = torch.zeros(sequence.size(0), self.hidden)
        said = []
        for letter in sequence.unbind(1):
            one_hot = nn.functional.one_hot(letter, len(letters)).float()
            state = torch.tanh(self.inner(torch.cat([one_hot, state], dim=1)))
            said.append(self.outer(state))
        return torch.stack(said, dim=1), state


class FromLibrary(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(len(letters), 12)
        self.gru = nn.GRU(12, hidden, batch_first=True)
        self.outer = nn.Linear(hidden, len(letters))

    def forward(self, sequence, state=None):
        seen, state = self.gru(self.embedding(sequence), state)
        return self.outer(seen), state


def train(model, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(1, steps + 1):
        starts = torch.randint(0, len(codes) - 17, (8,)).tolist()
        sequences = torch.stack([codes[start : start + 17] for start in starts])
        said, _ = model(sequences[:, :-1])
        loss = nn.functional.cross_entropy(said.flatten(0, 1), sequences[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        if step % (steps // 4) == 0:
            print(f"{type(model).__name__} step {step} loss {loss.item():.4f}")


@torch.no_grad()
def say(model, start, length):
    said, state = model(torch.tensor([[index[letter] for letter in start]]))
    for _ in range(length):
        chosen = said[:, -1].argmax(dim=-1, keepdim=True)
        start += letters[chosen.item()]
        said, state = model(chosen, state)
    return start


for model in (ByHand(32), FromLibrary(32)):
    print(sum(parameter.numel() for parameter in model.parameters()), "weights")
    train(model, 60)
    print(repr(say(model, "one ", 30)))
