# LSTM over padded "reviews": the label is whether there are more good words than bad ones
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence, pack_padded_sequence
from torch.utils.data import DataLoader

torch.manual_seed(3)
PAD, GOOD, BAD, VOCAB = 0, range(1, 12), range(12, 23), 40


def make_review():
    length = int(torch.randint(5, 16, ()))
    label = int(torch.randint(0, 2, ()))
    words = torch.randint(23, VOCAB, (length,))
    for k in range(max(2, length // 3)):
        pool = GOOD if label else BAD
        words[int(torch.randint(0, length, ()))] = pool[int(torch.randint(0, 11, ()))]
    return words, label


def collate(batch):
    lengths = torch.tensor([len(w) for w, _ in batch])
    texts = pad_sequence([w for w, _ in batch], batch_first=True, padding_value=PAD)
    labels = torch.tensor([float(y) for _, y in batch])
    return texts, lengths, labels


class Sentiment(nn.Module):
    def __init__(self, emb=24, hid=32):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, emb, padding_idx=PAD)
        self.lstm = nn.LSTM(emb, hid, batch_first=True)
        self.fc = nn.Linear(hid, 1)

    def forward(self, text, lengths):
        embedded = self.embedding(text)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        return self.fc(hidden[-1]).squeeze(1)


def binary_accuracy(preds, y):
    return (torch.round(torch.sigmoid(preds)) == y).float().mean().item()


model = Sentiment()
optimizer = torch.optim.Adam(list(model.lstm.parameters()) + list(model.fc.parameters()), lr=5e-3)
criterion = nn.BCEWithLogitsLoss()
train_iter = DataLoader([make_review() for _ in range(480)], batch_size=32, shuffle=True, collate_fn=collate)
valid_iter = DataLoader([make_review() for _ in range(96)], batch_size=32, collate_fn=collate)

for epoch in range(6):
    model.train()
    for text, lengths, labels in train_iter:
        optimizer.zero_grad()
        predictions = model(text, lengths)
        loss = criterion(predictions, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    with torch.no_grad():
        acc = [binary_accuracy(model(t, n), y) for t, n, y in valid_iter]
    print(epoch, f"{loss.item():.3f}", f"valid acc {sum(acc) / len(acc):.3f}")
