"""Hold a model's ONNX file against what the model predicted, with onnxruntime and numpy alone.

    python onnx_alone.py model.onnx rows.npz predictions.csv

The file's metadata says how rows of numbers are prepared, and the order of the classes.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import sys

import numpy as np
import onnxruntime

model, rows, predictions = sys.argv[1:]
present = [name for name in ("hpo", "torch", "sklearn", "pandas") if importlib.util.find_spec(name) is not None]
assert not present, f"this environment is to have onnxruntime and numpy alone, and has {', '.join(present)}"
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
how = json.loads(about["hpo preparation"])
shape = (-1, *how["image"])
shift, scale = (np.asarray(how[name], np.float32).reshape(1, -1, 1, 1) for name in ("shift", "scale"))
with np.load(rows) as file:
    inputs = ((file["x"].astype(np.float64).reshape(shape) - shift) / scale).astype(np.float32)
(found,) = session.run(None, {session.get_inputs()[0].name: inputs})
classes = json.loads(about["hpo classes"])
with open(predictions, encoding="utf-8", newline="") as file:
    table = list(csv.DictReader(file))
wanted = np.array([[float(row[f"probability of {label}"]) for label in classes] for row in table])
assert found.shape == wanted.shape, (found.shape, wanted.shape)
assert np.allclose(found, wanted, 1e-5, 1e-5), np.abs(found - wanted).max()
assert [str(classes[place]) for place in found.argmax(axis=1)] == [row["prediction"] for row in table]
print(f"onnxruntime alone gives the model's {len(table)} predictions, to {np.abs(found - wanted).max():.0e}")
