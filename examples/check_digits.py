"""Load the network that `digits_cnn.py` has saved, test it anew, and fail when it is not as good as was reported.

kadam run examples/check_digits.py --out runs/digits --at-least 0.98
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from digits_cnn import DigitsCNN, count_correct, load_data


def main():
    parser = argparse.ArgumentParser(description="Test a network that digits_cnn.py has saved.")
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="the directory that training wrote to")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="SHARE", help="the accuracy to insist on")
    args = parser.parse_args()

    if not (args.out / "results.json").exists():
        sys.exit(f"no trained network in {args.out}: first run  kadam run examples/digits_cnn.py --out {args.out}")
    reported = json.loads((args.out / "results.json").read_text())
    model = DigitsCNN()
    model.load_state_dict(torch.load(args.out / "model.pt"))
    _, test_set = load_data(reported["seed"])
    correct = count_correct(model, test_set)

    accuracy = correct / len(test_set)
    print(f"{args.out / 'model.pt'} reads {correct} of {len(test_set)} test digits right: {accuracy:.2%}")
    if (correct, len(test_set)) != (reported["correct"], reported["tested"]):
        sys.exit(f"training reported {reported['correct']} of {reported['tested']}: this is not that network")
    if accuracy < args.at_least:
        sys.exit(f"that is less than {args.at_least:.2%}")
    print("as training reported")


if __name__ == "__main__":
    main()
