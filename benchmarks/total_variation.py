"""Total variation denoising, ours against scikit-image: seconds until both reach one objective.

Both minimise norm(x - y)^2 + tau * TV(x) with the isotropic total variation that ends at the border,
on the photograph `camera` with noise of 20 grey levels. The minimum is known from a long run of ours
and bounded from below by its primal-dual gap. For each accuracy the smallest number of iterations is
looked for, then the call with that number is timed, both in turn, several times; medians are given.

    python benchmarks/total_variation.py [--size 256] [--threads 1] [--repeat 5] [--json]
"""

import argparse
import json
import statistics
import time

import torch
from skimage.restoration import denoise_tv_chambolle

from lecture_utils import data
from lecture_utils.super_resolution.degrade import Degradation, gradient_adjoint
from lecture_utils.super_resolution.total_variation import Problem, total_variation

ACCURACIES = (1e-2, 1e-3, 1e-4)


def fewest(reaches, limit):
    """Return the smallest number of iterations that is enough, or None up to the limit."""
    high = 1
    while not reaches(high):
        high *= 2
        if high > limit:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=256, help="side of the image, at most 512")
    parser.add_argument("--threads", type=int, default=1, help="threads that PyTorch may use")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=int, default=8192, help="most iterations of scikit-image")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    step = 512 // arguments.size
    image = torch.from_numpy(data.textures()["camera"][::step, ::step].copy()).double() / 255
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0), dtype=image.dtype)
    y = image + 20 / 255 * noise
    identity = Degradation(torch.ones(1, 1, dtype=y.dtype), 1)
    tau = 0.2
    problem = Problem(y, identity, tau, wrap=False)
    last = {}

    def ours(iterations, callback=None):
        return total_variation(
            y, identity, tau, wrap=False, start=y, iterations=iterations, callback=callback
        )

    def theirs(iterations):
        x = denoise_tv_chambolle(y.numpy(), weight=tau / 2, eps=0, max_num_iter=iterations)
        return torch.from_numpy(x)

    best = ours(3000, lambda k, x, p: last.update(p=p))
    least = problem.objective(best)
    # For denoising the dual objective has a closed form, so the bound needs no box.
    divergence = gradient_adjoint(last["p"])
    dual = float((divergence * y).sum() - divergence.square().sum() / 4)

    rows = []
    for accuracy in ACCURACIES:
        target = (1 + accuracy) * least
        count = {
            "ours": fewest(lambda n: problem.objective(ours(n)) <= target, 8192),  # noqa: B023
            "scikit-image": fewest(
                lambda n: problem.objective(theirs(n)) <= target,  # noqa: B023
                arguments.limit,
            ),
        }
        times = {"ours": [], "scikit-image": []}
        for _ in range(arguments.repeat):
            for name, call in (("ours", ours), ("scikit-image", theirs)):
                if count[name] is not None:
                    times[name].append(seconds(lambda: call(count[name])))  # noqa: B023
        medians = {name: statistics.median(t) if t else None for name, t in times.items()}
        rows.append({"accuracy": accuracy, "iterations": count, "seconds": medians})

    if arguments.json:
        print(json.dumps({"size": arguments.size, "threads": arguments.threads, "objective": least,
                          "dual": dual, "rows": rows}))  # fmt: skip
        return
    print(f"{arguments.size} x {arguments.size} pixels, {arguments.threads} thread(s), minimum "
          f"{least:.4f}, at most {(least - dual) / least:.1e} of it too high")  # fmt: skip
    print("accuracy   iterations and seconds: ours      scikit-image      ratio of seconds")
    for row in rows:
        texts = []
        for name in ("ours", "scikit-image"):
            value = row["seconds"][name]
            texts.append(
                "not reached" if value is None else f"{row['iterations'][name]:5} {value:.3f}"
            )
        both = row["seconds"].values()
        ratio = (
            "" if None in both else f"{row['seconds']['scikit-image'] / row['seconds']['ours']:.1f}"
        )
        print(f"{row['accuracy']:<26.0e} {texts[0]:16} {texts[1]:18} {ratio}")


if __name__ == "__main__":
    main()
