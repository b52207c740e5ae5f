"""Images per second of the book's step of DCGAN's training, beside a tutorial's loop, and its cost.

The tutorial's loop is the common one: float32, tensors as they come, the discriminator's losses on
real and on made images passed back one after the other, and its weights' gradients computed in the
generator's turn as well, only to be cleared. The book's step does the same work for the same
networks: bfloat16 where the processor has units for it, channels last, and no gradient that nobody
asked for. Both take turns; the medians count. At least a factor of 1.5 is wished where bfloat16
units exist, and never less than 1.

Then the cost of an image as width and size grow, beside the multiply-adds: one pass of the
generator forward and two backward; three passes of the discriminator forward (real, made, and made
again for the generator), four backward and one to its input.

    python benchmarks/gan.py [--width 64] [--batch 64] [--repeat 5] [--json]
"""

import argparse
import json
import statistics
import time

import torch
from torch.nn import functional as F

from lecture_utils import start
from lecture_utils.adversarial import Objective, alternate, start_game
from lecture_utils.generation.dcgan import LATENT, Discriminator, Generator, widths

GRID = [(32, 16), (32, 32), (64, 16), (64, 32), (64, 48), (64, 64)]  # size, width


def has_bfloat16_units():
    """Say whether products of bfloat16 are faster than those of float32 here: at least 1.3 times."""
    times = {}
    for kind in (torch.float32, torch.bfloat16):
        a = torch.randn(512, 512).to(kind)
        a @ a
        times[kind] = statistics.median(seconds(lambda a=a: a @ a) for _ in range(9))
    return times[torch.float32] > 1.3 * times[torch.bfloat16]


def seconds(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def players(width, size=64):
    torch.manual_seed(0)
    return Generator(size, width), Discriminator(size, width)


def plain_step(width, batch):
    """Return the tutorial's step."""
    G, D = players(width)
    optimizers = [torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in (G, D)]
    real = torch.rand(batch, 3, 64, 64)
    yes, no = torch.ones(batch, 1), torch.zeros(batch, 1)
    loss = F.binary_cross_entropy_with_logits

    def step():
        D.zero_grad()
        loss(D(real), yes).backward()
        fake = G(torch.randn(batch, LATENT))
        loss(D(fake.detach()), no).backward()
        optimizers[1].step()
        G.zero_grad()
        loss(D(fake), yes).backward()
        optimizers[0].step()

    return step


def own_step(run, width, batch, size=64):
    """Return the book's step."""
    G, D = (network.to(memory_format=torch.channels_last) for network in players(width, size))
    game = start_game(run.fabric, G, D)
    real = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
    objective = Objective()
    return lambda: alternate(game, objective, real, torch.randn(batch, LATENT))


def multiply_adds(size, width):
    """Return the multiply-adds of a step for one image: 3 passes of G and 8 of D."""
    maps = [*widths(size, width), 3]
    places = [8 << k for k in range(len(maps) - 1)]
    shared = sum(
        4 * a * b * p**2 for a, b, p in zip(maps[:-1], maps[1:], places, strict=True)
    )  # the same for both, since one's layers are the other's transposes
    return 3 * (shared + 16 * LATENT * maps[0]) + 8 * (shared + 16 * maps[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    units = has_bfloat16_units()
    precision = "bf16-mixed" if units else "32-true"
    run = start(profile="book", device="cpu", precision=precision, quiet=True)

    steps = {
        "tutorial": plain_step(arguments.width, arguments.batch),
        "book": own_step(run, arguments.width, arguments.batch),
    }
    times = {name: [] for name in steps}
    for turn in range(arguments.repeat + 1):
        for name, step in steps.items():
            spent = seconds(step)
            if turn:  # the first of each is not counted
                times[name].append(spent)
    rates = {name: arguments.batch / statistics.median(spent) for name, spent in times.items()}

    rows = []
    for size, width in GRID:
        step = own_step(run, width, arguments.batch, size)
        step()
        spent = statistics.median(seconds(step) for _ in range(max(1, arguments.repeat // 2)))
        madds = multiply_adds(size, width)
        rows.append(
            {
                "size": size,
                "width": width,
                "million_multiply_adds": madds / 1e6,
                "ms": 1000 * spent / arguments.batch,
                "billion_a_second": madds * arguments.batch / spent / 1e9,
            }
        )
    settings = {
        "width": arguments.width,
        "batch": arguments.batch,
        "precision": precision,
        "threads": torch.get_num_threads(),
    }
    if arguments.json:
        rate = {f"{name}_images_a_second": value for name, value in rates.items()}
        print(json.dumps(settings | rate | {"rows": rows}))
        return
    print(", ".join(f"{key} {value}" for key, value in settings.items()))
    for name, value in rates.items():
        print(f"{name:10}{value:8.1f} images/s")
    print(f"{'ratio':10}{rates['book'] / rates['tutorial']:8.2f}\n")
    print("size  width  multiply-adds/image  ms/image  billion/s")
    for row in rows:
        print(
            f"{row['size']:4}{row['width']:7}{row['million_multiply_adds']:16.0f} M"
            f"{row['ms']:13.2f}{row['billion_a_second']:11.0f}"
        )


if __name__ == "__main__":
    main()
