import torch
from torch import nn

CONFIG = {"hidden": 32, "lr": 0.01, "epochs": 12, "batch": 32, "length": 12, "clip": 1.0}
torch.manual_seed(2)

# is the mean of the second half larger than the mean of the first half?
sequences = torch.randn(512, CONFIG["length"], 1)
half = CONFIG["length"] // 2
targets = (sequences[:, half:, 0].mean(1) > sequences[:, :half, 0].mean(1)).float()


class SequenceClassifier(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        outputs, _ = self.lstm(x)
        return self.head(outputs[:, 0])


model = SequenceClassifier(CONFIG["hidden"])
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=CONFIG["lr"])


def run_epoch():
    permutation = torch.randperm(448)
    losses = []
    for start in range(0, 448, CONFIG["batch"]):
        index = permutation[start:start + CONFIG["batch"]]
        scores = model(sequences[index]).squeeze(1)
        loss = loss_fn(scores, targets[index])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CONFIG["clip"])
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


for epoch in range(CONFIG["epochs"]):
    mean_loss = run_epoch()
    with torch.no_grad():
        guess = (model(sequences[448:]).squeeze(1) > 0).float()
        accuracy = (guess == targets[448:]).float().mean().item()
    print(f"{epoch:2d} loss {mean_loss:.4f} val {accuracy:.3f}")
