import torch
import torch.nn as nn
import torch.nn.functional as F

# Which of two tokens occurs more often in a sequence?
VOCAB, LENGTH, WIDTH = 8, 12, 16


def sample(count, generator):
    tokens = torch.randint(0, VOCAB, (count, LENGTH), generator=generator)
    label = ((tokens == 1).sum(1) > (tokens == 2).sum(1)).long()
    return tokens, label


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        h = self.norm1(x)
        attended, _ = self.attn(h, h, h, need_weights=False)
        x = x + self.drop(attended)
        return x + self.drop(self.mlp(self.norm2(x)))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        self.blocks = nn.ModuleList([Block(WIDTH, 2) for _ in range(2)])
        self.norm = nn.LayerNorm(WIDTH)
        self.classify = nn.Linear(WIDTH, 2)

    def forward(self, tokens):
        x = self.embed(tokens) + self.position
        for block in self.blocks:
            x = block(x)
        pooled = self.norm(x).mean(dim=1)
        return self.classify(pooled)


torch.manual_seed(5)
g = torch.Generator().manual_seed(6)
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
test_tokens, test_label = sample(200, g)
model.eval()
for step in range(120):
    tokens, label = sample(32, g)
    loss = F.cross_entropy(model(tokens), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (step + 1) % 40 == 0:
        model.eval()
        with torch.no_grad():
            acc = (model(test_tokens).argmax(-1) == test_label).float().mean()
        print(step + 1, round(loss.item(), 4), f"{acc.item():.3f}")
