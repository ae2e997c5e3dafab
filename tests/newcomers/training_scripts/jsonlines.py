import argparse, json, sys, warnings

parser = argparse.ArgumentParser()
parser.add_argument("--c", type=float, default=1.0)
args = parser.parse_args()
print(len(sys.argv))  # a number that is no point
print(json.dumps({"c": args.c, "folds": 3}))
warnings.warn("this and that")
for fold in range(3):
    print("fitting", fold, "...")
    print(json.dumps({"step": fold, "metrics": {"auc": 0.8 + fold / 100}}), flush=True)
print("saved to model.bin")
