import torch
import torch.nn as nn

torch.manual_seed(3)
text = "the cat sat on the mat and the dog sat on the log while the rat ran to the hat " * 30
chars = sorted(set(text))
index = {c: i for i, c in enumerate(chars)}
data = torch.tensor([index[c] for c in text])
batch, bptt = 8, 20
length = len(data) // batch
stream = data[: length * batch].view(batch, length).t().contiguous()


class CharModel(nn.Module):
    def __init__(self, vocabulary, width=32, hidden=64):
        super().__init__()
        self.hidden = hidden
        self.embed = nn.Embedding(vocabulary, width)
        self.rnn = nn.LSTM(width, hidden)
        self.decoder = nn.Linear(hidden, vocabulary)

    def forward(self, tokens, state):
        out, state = self.rnn(self.embed(tokens), state)
        return torch.softmax(self.decoder(out), dim=0), state

    def start(self, size):
        return torch.zeros(1, size, self.hidden), torch.zeros(1, size, self.hidden)


model = CharModel(len(chars))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(4):
    state = model.start(batch)
    total, steps = 0.0, 0
    for at in range(0, stream.size(0) - 1 - bptt, bptt):
        inputs = stream[at:at + bptt]
        targets = stream[at + 1:at + 1 + bptt]
        state = tuple(part.detach() for part in state)
        optimizer.zero_grad()
        logits, state = model(inputs, state)
        loss = criterion(logits.reshape(-1, len(chars)), targets.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        total += loss.item()
        steps += 1
    print("epoch", epoch, "loss", round(total / steps, 3))
