import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(1)


class Shapes(Dataset):
    def __init__(self, count, seed):
        maker = torch.Generator().manual_seed(seed)
        self.labels = torch.randint(0, 3, (count,), generator=maker)
        self.images = torch.randn(count, 1, 16, 16, generator=maker) * 0.2
        corners = torch.randint(1, 9, (count, 2), generator=maker)
        for i in range(count):
            r, c = corners[i].tolist()
            kind = self.labels[i].item()
            if kind == 0:
                self.images[i, 0, r:r + 6, c + 3] += 1.0
            elif kind == 1:
                self.images[i, 0, r + 3, c:c + 6] += 1.0
            else:
                for k in range(6):
                    self.images[i, 0, r + k, c + k] += 1.0

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


class ConvNet(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16 * 4 * 4, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc(x.flatten(1))


class Trainer:
    def __init__(self, model, train_data, test_data, lr=0.02):
        self.model = model
        self.loader = DataLoader(train_data, batch_size=32, shuffle=True)
        self.test_loader = DataLoader(test_data, batch_size=64)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=3, gamma=0.5)
        self.loss_fn = nn.CrossEntropyLoss()

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            if epoch > 10:
                self.optimizer.zero_grad()
            for images, labels in self.loader:
                loss = self.loss_fn(self.model(images), labels)
                loss.backward()
                self.optimizer.step()
            self.scheduler.step()
            print(epoch, round(loss.item(), 4), round(self.test(), 3))

    def test(self):
        self.model.eval()
        hits = 0
        with torch.no_grad():
            for images, labels in self.test_loader:
                hits += (self.model(images).argmax(dim=1) == labels).sum().item()
        return hits / len(self.test_loader.dataset)


trainer = Trainer(ConvNet(), Shapes(600, 1), Shapes(200, 2))
trainer.fit(5)
