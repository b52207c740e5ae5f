"""Tikhonov's solution at x4: closed form against conjugate gradients, to an accuracy of 1e-6.

Both solve for one 512 x 512 image in float64, with the same H. Conjugate gradients stop at the
iteration at which they are first within 1e-6 (relative, in the 2-norm) of the closed form, which is
found beforehand; only the iterations up to there are timed. The two take turns; the medians count.
At least a factor of 20 is wished.

    python benchmarks/inverse_problems.py [--size 512] [--repeat 5] [--json]
"""

import argparse
import json
import statistics
import time
import warnings

import torch

from lecture_utils import data
from lecture_utils.metrics import luminance
from lecture_utils.resize import imresize
from lecture_utils.super_resolution.degrade import (
    Degradation,
    gaussian_kernel,
    gradient,
    gradient_adjoint,
)
from lecture_utils.super_resolution.solvers import tikhonov, tikhonov_cg

SCALE, SIGMA, NOISE, ACCURACY = 4, 2.4, 2.0, 1e-6
TAUS = (1e-3, 1e-2, 1e-1)


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def relative(x, y):
    return float((x - y).norm() / y.norm())


def residual(x, y, H, tau):
    """Norm of the gradient of the objective, over that at x = 0."""
    right = H.adjoint(y)
    slope = H.adjoint(H.apply(x)) + tau * gradient_adjoint(gradient(x)) - right
    return float(slope.norm() / right.norm())


def measure(y, H, tau, repeat):
    exact = tikhonov(y, H, tau)
    distances = []
    tikhonov_cg(
        y, H, tau, tolerance=1e-11, callback=lambda _, x, __: distances.append(relative(x, exact))
    )
    iterations = next(i for i, distance in enumerate(distances, 1) if distance <= ACCURACY)

    def iterate():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is meant to stop early
            return tikhonov_cg(y, H, tau, tolerance=1e-15, max_iterations=iterations)

    times = [(seconds(lambda: tikhonov(y, H, tau)), seconds(iterate)) for _ in range(repeat)]
    closed, cg = (statistics.median(column) for column in zip(*times, strict=True))
    return {
        "tau": tau,
        "closed_ms": 1000 * closed,
        "closed_residual": residual(exact, y, H, tau),
        "cg_iterations": iterations,
        "cg_distance": relative(iterate(), exact),
        "cg_ms": 1000 * cg,
        "ratio": cg / closed,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    photo = torch.from_numpy(luminance(data.photos()["astronaut"])) / 255
    x = imresize(photo, size=(arguments.size, arguments.size))
    H = Degradation(gaussian_kernel(SIGMA), SCALE)
    y = H.apply(x)
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=y.dtype)
    y = y + NOISE / 255 * noise
    rows = [measure(y, H, tau, arguments.repeat) for tau in TAUS]
    if arguments.json:
        settings = {"size": arguments.size, "threads": torch.get_num_threads()}
        print(json.dumps({**settings, "rows": rows}))
        return
    print(
        f"{arguments.size} x {arguments.size}, x{SCALE}, float64, {torch.get_num_threads()} threads"
    )
    print("   tau   closed form   residual   CG to 1e-6   iterations   ratio")
    for row in rows:
        print(
            f"{row['tau']:6.0e} {row['closed_ms']:10.1f} ms {row['closed_residual']:10.0e} "
            f"{row['cg_ms']:9.0f} ms {row['cg_iterations']:12} {row['ratio']:7.0f}"
        )


if __name__ == "__main__":
    main()
