"""Prints as tqdm does: a bar over the epochs, whose postfix has the metrics."""
import argparse
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--dropout", type=float, default=0.1)
parser.add_argument("--epochs", type=int, default=4)
args = parser.parse_args()


def show(done, postfix=""):
    full = "█" * done + " " * (args.epochs - done)
    bar = f"{100 * done // args.epochs:3d}%|{full}| {done}/{args.epochs} [00:0{done}<00:01,  1.00it/s{postfix}]"
    sys.stderr.write("\r" + bar)


show(0)
postfix = ""
for epoch in range(args.epochs):
    acc = 0.5  # the same twice is two points
    if epoch > 1:
        acc = 0.9 - args.dropout
    postfix = f", loss={1 / (epoch + 1):.2f}, val_acc={acc:.3f}"
    show(epoch, postfix)
    show(epoch + 1, postfix)
sys.stderr.write("\n")
print("done")
