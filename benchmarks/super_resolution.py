"""Every super-resolution method of the book on a folder of images, in one table.

For each method and scale factor: the mean PSNR and SSIM on luminance (the scale's width of border
left out, images shrunk by MATLAB's bi-cubic imresize and rounded to 8 bits), the median milliseconds
for an image with the mean over the images, and the network's weights and multiply-adds for an HR
image of 256 x 256 (255 x 255 at x3). The time is that of the whole way from the LR to the HR
luminance or colour, so it includes the interpolation where a network starts with one.

    python benchmarks/super_resolution.py [--set FOLDER] [--scales 2 3 4] [--methods NAME ...]
                                          [--device cpu] [--repeat 3] [--threads 1] [--json]

Without --set the benchmark is Set5 where it is found, otherwise crops of the embedded photographs.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lecture_utils import checkpoints, data, start
from lecture_utils.data.store import IMAGE_SUFFIXES
from lecture_utils.metrics import psnr, ssim
from lecture_utils.resize import imresize, modcrop
from lecture_utils.super_resolution.networks import (
    NETWORKS,
    input_channels,
    load,
    multiply_adds,
    takes_interpolated,
    weight_count,
)
from lecture_utils.super_resolution.training import eight_bit_luminance, in_colour
from lecture_utils.timing import median_seconds


def interpolation(mode):
    """Return a method of PyTorch: (1, C, h, w) to (1, C, scale h, scale w)."""
    return lambda low, scale: F.interpolate(low, scale_factor=scale, mode=mode)


INTERPOLATIONS: dict[str, Callable] = {
    "nearest": interpolation("nearest"),
    "bi-linear": interpolation("bilinear"),
    "bi-cubic": lambda low, scale: imresize(low, scale),
}


def images_of(folder):
    """Return the benchmark's name and its images, uint8 (H, W, 3) or (H, W)."""
    if folder is None:
        return data.super_resolution_benchmark()
    found = data.pictures.read_folder(folder, mode=None)
    if not found:
        sys.exit(f"{folder} holds no image ({', '.join(IMAGE_SUFFIXES)}). Name another folder.")
    return Path(folder).name, found


def measure(method, colour, images, scale, device, repeat):
    """Return PSNR, SSIM and milliseconds, means over the images."""
    values = []
    for image in images.values():
        high = modcrop(image, scale)
        low = in_colour(imresize(high, 1 / scale), colour)[None].to(device)
        seconds = median_seconds(lambda x: method(x, scale), low, repeat)
        y = eight_bit_luminance(method(low, scale)[0], colour)
        reference = 255 * in_colour(high, "y")[0].double()
        quality = [f(y, reference, peak=255.0, border=scale) for f in (psnr, ssim)]
        values.append((*quality, 1000 * seconds))
    return [float(x) for x in np.mean(values, axis=0)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", help="a folder of images")
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3, 4], choices=[2, 3, 4])
    parser.add_argument("--methods", nargs="+", help="names of methods; all without")
    parser.add_argument("--device", help="auto, cpu, cuda or mps")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median counts")
    parser.add_argument("--threads", type=int, help="threads that PyTorch may use on the CPU")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    run = start(device=arguments.device, quiet=True)
    benchmark, images = images_of(arguments.set)

    known = [*INTERPOLATIONS, *NETWORKS]
    chosen = arguments.methods or [
        n for n in known if n in INTERPOLATIONS or n in checkpoints.names()
    ]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        sys.exit(f"There is no method {unknown[0]!r}; there are: {', '.join(known)}.")
    rows = []
    for scale in arguments.scales:
        for name in chosen:
            weights, work, colour = 0, 0, "y"
            if name in INTERPOLATIONS:
                method = INTERPOLATIONS[name]
            elif scale in NETWORKS[name].scales:
                network = load(name, run.device)
                weights = weight_count(network)
                side = 256 - 256 % scale
                work = multiply_adds(network, scale, (side, side))
                colour = "rgb" if input_channels(network) == 3 else "y"

                def method(low, scale, network=network):
                    given = imresize(low, scale) if takes_interpolated(network) else low
                    return network(given.float())
            else:
                continue
            with torch.inference_mode():
                quality = measure(method, colour, images, scale, run.device, arguments.repeat)
            title = NETWORKS[name].title if name in NETWORKS else name
            rows.append(
                dict(
                    zip(
                        (
                            "method",
                            "scale",
                            "set",
                            "psnr",
                            "ssim",
                            "ms",
                            "weights",
                            "multiply_adds",
                        ),
                        (title, scale, benchmark, *quality, weights, work),
                        strict=True,
                    )
                )
            )
    if arguments.json:
        hardware = f"{run.device}, {torch.get_num_threads()} threads"
        print(json.dumps({"device": hardware, "images": len(images), "rows": rows}, indent=1))
        return
    print(f"{benchmark}, {len(images)} images, {run.device}, {torch.get_num_threads()} threads")
    print(f"{'method':20} scale   PSNR    SSIM   ms/image   weights  multiply-adds (10^9)")
    for row in rows:
        print(
            f"{row['method']:20}   x{row['scale']}  {row['psnr']:6.2f}  {row['ssim']:6.4f} "
            f"{row['ms']:9.1f} {row['weights']:10,} {row['multiply_adds'] / 1e9:10.3f}"
        )


if __name__ == "__main__":
    main()
