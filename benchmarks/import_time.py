"""How much longer ``import lecture_utils`` takes than ``import torch``: at most 0.3 s is wished.

Each import runs in a fresh process, in turn, several times; the medians are compared.

    python benchmarks/import_time.py [--repeat 7] [--json]
"""

import argparse
import json
import statistics
import subprocess
import sys

PROGRAM = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seconds("torch")  # the first reads the files from the disk, the later ones from memory
    times = {"torch": [], "lecture_utils": []}
    for _ in range(arguments.repeat):
        for module, values in times.items():
            values.append(seconds(module))
    medians = {module: statistics.median(values) for module, values in times.items()}
    medians["difference"] = medians["lecture_utils"] - medians["torch"]
    if arguments.json:
        print(json.dumps(medians))
        return
    for name, value in medians.items():
        print(f"{name:16} {value:.3f} s")


if __name__ == "__main__":
    main()
