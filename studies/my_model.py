"""A training script as you may have it: plain PyTorch, nothing of hpo in it but the ``yield``."""

import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split


def train(*, learning_rate: float = 0.1, batch_size: int = 32, hidden: int = 32, epochs: int = 15, seed: int = 0):
    """Small network on the wine data."""
    features, classes = load_wine(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(
        features, classes, test_size=0.4, random_state=0, stratify=classes
    )
    mean, deviation = train_x.mean(0), train_x.std(0)
    inputs, targets = torch.tensor((train_x - mean) / deviation).float(), torch.tensor(train_y)
    held_out, labels = torch.tensor((valid_x - mean) / deviation).float(), torch.tensor(valid_y)

    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(13, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            scores = model(held_out)
            loss = torch.nn.functional.cross_entropy(scores, labels)
            accuracy = (scores.argmax(1) == labels).float().mean()
        yield {"val_loss": loss.item(), "val_accuracy": accuracy.item()}  # one point of the learning curve
