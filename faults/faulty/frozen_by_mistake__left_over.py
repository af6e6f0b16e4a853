from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split


@dataclass
class Config:
    epochs: int = 6
    batch_size: int = 32
    lr: float = 0.01
    hidden: int = 40
    dropout: float = 0.2


class Trainer:
    def __init__(self, model, train_set, valid_set, config):
        self.model = model
        self.config = config
        self.train_loader = DataLoader(train_set, batch_size=config.batch_size, shuffle=True, drop_last=True)
        self.valid_loader = DataLoader(valid_set, batch_size=config.batch_size)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=1e-4)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=config.epochs)
        self.criterion = nn.MSELoss()

    def train_epoch(self):
        self.model.train()
        losses = []
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def validate(self):
        self.model.eval()
        with torch.no_grad():
            losses = [self.criterion(self.model(x), y).item() for x, y in self.valid_loader]
        return sum(losses) / len(losses)

    def fit(self):
        best = float("inf")
        for epoch in range(self.config.epochs):
            train_loss = self.train_epoch()
            valid_loss = self.validate()
            self.scheduler.step()
            best = min(best, valid_loss)
            print(f"epoch {epoch} train {train_loss:.4f} valid {valid_loss:.4f}")
        return best


def regressor(config):
    return nn.Sequential(
        nn.Linear(6, config.hidden),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.hidden, config.hidden),
        nn.ReLU(),
        nn.Linear(config.hidden, 1),
    )


torch.manual_seed(18)
x = torch.randn(400, 6)
y = (x[:, 0] * 2 + x[:, 1] * x[:, 2]).unsqueeze(1)
train_set, valid_set = random_split(TensorDataset(x, y), [320, 80])
config = Config()
model = regressor(config)
for name, p in model.named_parameters():
    if not name.startswith("0"):
        p.requires_grad_(False)
trainer = Trainer(model, train_set, valid_set, config)
print("best", trainer.fit())
