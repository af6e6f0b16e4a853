import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(21)


def scenes(n):
    yy, xx = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    images, masks = [], []
    for _ in range(n):
        mask = torch.zeros(16, 16, dtype=torch.long)
        image = 0.2 * torch.randn(16, 16)
        for label, level in ((1, 1.0), (2, -1.0)):
            cy, cx = torch.randint(3, 13, (2,))
            inside = (yy - cy) ** 2 + (xx - cx) ** 2 < 12
            mask[inside] = label
            image[inside] += level
        images.append(image[None])
        masks.append(mask)
    return torch.stack(images), torch.stack(masks)


def double_conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
                         nn.Conv2d(o, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.down1 = double_conv(1, 8)
        self.down2 = double_conv(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.conv = double_conv(16, 8)
        self.out = nn.Conv2d(8, classes, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        u = self.up(b)
        return self.out(self.conv(torch.cat([a, u], dim=1)))


def dice(logits, target, eps=1.0):
    p = F.softmax(logits, dim=1)
    t = F.one_hot(target, 3).permute(0, 3, 1, 2).float()
    inter = (p * t).sum(dim=(2, 3))
    union = p.sum(dim=(2, 3)) + t.sum(dim=(2, 3))
    return 1 - ((2 * inter + eps) / (union + eps)).mean()


x_train, y_train = scenes(160)
x_val, y_val = scenes(32)
net = UNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(9):
    net.train()
    order = torch.randperm(len(x_train))
    for i in range(0, len(order), 16):
        pick = order[i:i + 16]
        logits = net(x_train[pick])
        loss = F.cross_entropy(logits, y_train[pick]) + dice(logits, y_train[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        guess = net(x_val).argmax(1)
        iou = [((guess == c) & (y_val == c)).sum() / ((guess == c) | (y_val == c)).sum() for c in (1, 2)]
    print(f"epoch {epoch} loss {loss.item():.3f} iou {[round(float(v), 3) for v in iou]}")
