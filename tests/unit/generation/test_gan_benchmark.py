"""The benchmark of the adversarial step compares two loops and counts what they cost."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gan.py"


def test_both_loops_are_timed_and_the_cost_grows_with_the_width():
    words = ["--width", "2", "--batch", "2", "--repeat", "1", "--json"]
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["tutorial_images_a_second"] > 0
    assert found["book_images_a_second"] > 0
    rows = {(row["size"], row["width"]): row["million_multiply_adds"] for row in found["rows"]}
    # From 32 to 64 channels: four times as many products of channels in the inner layers.
    assert 3.5 < rows[64, 64] / rows[64, 32] < 4
    assert 1140 < rows[64, 64] < 1150
