"""Writes the table that Lightning's CSVLogger writes."""
import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()
folder = Path("lightning_logs", "version_0")
while folder.exists():
    folder = folder.with_name(f"version_{int(folder.name.split('_')[1]) + 1}")
folder.mkdir(parents=True)
rows = ["epoch,step,train_loss,val_loss"]
for epoch in range(3):
    rows += [f"{epoch},{epoch * 10 + 5},{2 / (epoch + 1)},", f"{epoch},{epoch * 10 + 9},,{args.lr + 1 / (epoch + 1)}"]
    (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
