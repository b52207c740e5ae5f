"""Style transfer: what an iteration costs, how soon a loss is reached, passes a second, memory.

Four tables, each for VGG16 where its weights are found and for the book's feature network:

- iteration: milliseconds of one evaluation of the objective with its gradient. The slides' loop calls
  the network for each loss, leaves its weights trainable and keeps the targets in the graph; the public
  shape is what fast public programs do (one call, frozen weights, detached targets, mean squared errors
  of Gram matrices that autograd differentiates), written anew; ours in float32 and in bfloat16.
- loss: seconds and evaluations until the objective has fallen to a share of its value at the start, by
  the same objective in all three shapes.
- passes: transform networks' passes a second.
- memory: the peak above what the process holds before, by size, each in a process of its own.

    python benchmarks/style_transfer.py [--tables iteration loss passes memory] [--networks NAME ...]
                                        [--side 256] [--sizes 256 512 1024 2048] [--shares 0.5 0.3 0.2]
                                        [--device cpu] [--repeat 5] [--threads 1] [--json]

The content is the photograph `china`, the style The Starry Night, of one size each; layers relu1_1,
relu2_1, relu3_1, relu4_1, and relu4_2 for the content.
"""

import argparse
import copy
import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F
from tqdm import tqdm

from lecture_utils import checkpoints, data, start
from lecture_utils.feature_network import CHECKPOINT, load_feature_network
from lecture_utils.losses import feature_distance
from lecture_utils.resize import imresize
from lecture_utils.style_transfer.fast_style import TransformNetwork
from lecture_utils.style_transfer.networks import load, shipped
from lecture_utils.style_transfer.neural_style import Objective, minimise
from lecture_utils.vgg import DATA_SETS, load_vgg

STYLE = dict.fromkeys(("relu1_1", "relu2_1", "relu3_1", "relu4_1"), 1.0)
CONTENT = "relu4_2"
BETA = 10.0
NETWORKS = ("vgg16", "feature_network")
TABLES = ("iteration", "loss", "passes", "memory")


def network_of(name, run):
    options = {"pooling": "avg", "padding": "replicate"}
    if name == "vgg16":
        return load_vgg([*STYLE, CONTENT], run, depth=16, **options)
    return load_feature_network([*STYLE, CONTENT], run, **options)


def pictures(side, device):
    """Return content and style, (1, 3, H, W) in [0, 1], ``side`` pixels along the longer side."""
    found = []
    for image in (data.photos()["china"], data.paintings()["starry_night"]):
        scale = side / max(image.shape[:2])
        small = imresize(image, size=tuple(round(scale * n) for n in image.shape[:2]))
        found.append(torch.from_numpy(small).permute(2, 0, 1)[None].float().to(device) / 255)
    return found


# The objective in three shapes: each maps an image to the same number


def ours(network, content, style):
    return Objective(network, content, style, content_layer=CONTENT, style_layers=STYLE, beta=BETA)


def ours_bfloat16(network, content, style):
    half = copy.deepcopy(network).bfloat16()
    return ours(
        lambda x: {name: h.float() for name, h in half(x.bfloat16()).items()}, content, style
    )


def gram(features):
    h = features.flatten(2)
    return h @ h.mT / h.shape[2]


def public_shape(network, content, style):
    with torch.no_grad():
        target = network(content)[CONTENT]
        grams = {name: gram(h) for name, h in network(style).items() if name in STYLE}
    content_scale = 1 / target.square().mean()
    scales = {name: BETA / len(STYLE) / g.square().mean() for name, g in grams.items()}

    def objective(image):
        found = network(image)
        value = content_scale * F.mse_loss(found[CONTENT], target)
        for name, wanted in grams.items():
            value = value + scales[name] * F.mse_loss(gram(found[name]), wanted)
        return value

    return objective


def slides_loop(network, content, style):
    network = copy.deepcopy(network).requires_grad_(True)
    target = network(content)[CONTENT]
    grams = {name: gram(network(style)[name]) for name in STYLE}

    def objective(image):
        value = feature_distance(network(image)[CONTENT], target)
        for name, wanted in grams.items():
            distance = feature_distance(gram(network(image)[name]), wanted)
            value = value + BETA / len(STYLE) * distance
        return value

    return objective


SHAPES = {
    "the slides' loop": slides_loop,
    "public shape": public_shape,
    "ours": ours,
    "ours, bfloat16": ours_bfloat16,
}


# Measurements


def synchronize(device):
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def shortest(call, device, repeat):
    """Return the seconds of the shortest of several calls, after one that is not counted."""
    times = []
    for number in range(repeat + 1):
        synchronize(device)
        begun = time.perf_counter()
        call()
        synchronize(device)
        if number:
            times.append(time.perf_counter() - begun)
    return min(times)


def iteration(arguments, run, name, step):
    content, style = pictures(arguments.side, run.device)
    network = network_of(name, run)
    seconds = {}
    for shape, build in SHAPES.items():
        step(f"iteration, {name}, {shape}")
        objective = build(network, content, style)
        image = content.clone().requires_grad_()

        def evaluate(objective=objective, image=image):
            image.grad = None
            # What a graph without its targets keeps is little, and the slides keep it, too.
            objective(image).backward(retain_graph=True)

        seconds[shape] = shortest(evaluate, run.device, arguments.repeat)
    return [
        {"network": name, "shape": shape, "ms": 1000 * s, "ratio": s / seconds["the slides' loop"]}
        for shape, s in seconds.items()
    ]


def loss(arguments, run, name, step):
    content, style = pictures(arguments.side, run.device)
    network = network_of(name, run)
    rows = []
    for shape, method in (("the slides' loop", "adam"), ("public shape", "adam"),
                          ("ours", "adam"), ("ours", "lbfgs")):  # fmt: skip
        step(f"loss, {name}, {shape}, {method}")
        objective = SHAPES[shape](network, content, style)
        reached, first, begun = {}, None, time.perf_counter()
        # The slides' targets are in the graph of every step, so it may not be freed.
        retained = retaining(objective) if shape == "the slides' loop" else objective
        for evaluations, value, _ in minimise(retained, content, arguments.limit, method=method):
            first = first or value
            for share in arguments.shares:
                if value <= share * first and share not in reached:
                    reached[share] = (time.perf_counter() - begun, evaluations)
            if len(reached) == len(arguments.shares):
                break
        rows += [
            {"network": name, "shape": f"{shape}, {method}", "share": share,
             "seconds": reached.get(share, (None, None))[0],
             "evaluations": reached.get(share, (None, None))[1]}
            for share in arguments.shares
        ]  # fmt: skip
    return rows


def retaining(objective):
    """Return the objective with a gradient of its own, whose backward pass keeps the graph."""

    class Retained(torch.autograd.Function):
        @staticmethod
        def forward(context, image):
            with torch.enable_grad():
                inside = image.detach().requires_grad_()
                value = objective(inside)
            value.backward(retain_graph=True)
            context.gradient = inside.grad
            return value.detach()

        @staticmethod
        def backward(context, outer):
            return outer * context.gradient

    return Retained.apply


def passes(arguments, run, step):
    rows = []
    there = shipped()
    for style in there or [None]:
        step(f"passes, {style or 'random weights'}")
        network = load(style, run.device) if style else TransformNetwork(16).eval().to(run.device)
        content, _ = pictures(arguments.side, run.device)
        with torch.inference_mode():
            seconds = shortest(lambda n=network, x=content: n(x), run.device, arguments.repeat)
        rows.append({"network": style or "random weights", "ms": 1000 * seconds,
                     "passes": 1 / seconds})  # fmt: skip
    return rows


def held():
    """Return the bytes that this process holds, and the most that it has held; forget the latter."""
    status = Path("/proc/self/status")
    if not status.is_file():  # no Linux: the peak of the process from its beginning
        unit = 1 if sys.platform == "darwin" else 1024
        most = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most, most
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    now, most = (1024 * int(lines[key].split()[0]) for key in ("VmRSS", "VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return now, most


def added(call, device):
    """Return by how many bytes the peak of a call exceeds what was held before."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    before, _ = held()
    call()
    return held()[1] - before


def memory_of_one(queue, name, side, device, threads):
    if threads:
        torch.set_num_threads(threads)
    run = start(device=device, quiet=True)
    content, style = pictures(side, run.device)
    if name == "transform network":
        network = TransformNetwork(16).eval().to(run.device)

        def call():
            with torch.inference_mode():
                network(content)
    else:
        objective = ours(network_of(name, run), content, style)

        def call():
            objective(content.clone().requires_grad_()).backward()

    queue.put(added(call, run.device))


def memory(arguments, run, name, step):
    rows = []
    context = multiprocessing.get_context("spawn")
    for side in arguments.sizes:
        step(f"memory, {name}, {side} pixels")
        queue = context.Queue()
        given = (queue, name, side, arguments.device, arguments.threads)
        process = context.Process(target=memory_of_one, args=given)
        process.start()
        process.join()
        # The system ends a process that asks for more than there is.
        bytes_ = queue.get() if process.exitcode == 0 else None
        rows.append({"network": name, "side": side, "bytes": bytes_})
    return rows


def shown(table, rows):
    """Print a table."""
    print(f"\n{table}")
    for row in rows:
        if table == "iteration":
            print(f"{row['network']:16} {row['shape']:18} {row['ms']:9.1f} ms  "
                  f"{row['ratio']:.2f} of the slides' loop")  # fmt: skip
        elif table == "loss":
            when = "not reached" if row["seconds"] is None else (
                f"{row['seconds']:8.2f} s, {row['evaluations']} evaluations"
            )  # fmt: skip
            print(f"{row['network']:16} {row['shape']:24} to {row['share']:.0%}: {when}")
        elif table == "passes":
            print(f"{row['network']:16} {row['ms']:9.1f} ms  {row['passes']:.2f} passes a second")
        else:
            size = (
                "ended by the system"
                if row["bytes"] is None
                else f"{row['bytes'] / 2**20:8.0f} MiB"
            )
            print(f"{row['network']:18} {row['side']:5} pixels {size}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, help="those there are without")
    parser.add_argument("--side", type=int, default=256, help="pixels along the longer side")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.3, 0.2])
    parser.add_argument("--limit", type=int, default=300, help="most evaluations towards a share")
    parser.add_argument("--device", help="auto, cpu, cuda or mps")
    parser.add_argument("--repeat", type=int, default=5, help="runs of which the shortest counts")
    parser.add_argument("--threads", type=int, help="threads that PyTorch may use on the CPU")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    run = start(device=arguments.device, quiet=True)
    there = {
        "vgg16": data.find(DATA_SETS[16][0]) is not None,
        "feature_network": CHECKPOINT in checkpoints.names(),
    }
    chosen = arguments.networks or [name for name in NETWORKS if there[name]]
    for name in chosen:
        if not there[name]:
            sys.exit(f"{name} is not here: its weights were found neither in the data folder nor in"
                     " the package. Leave it out of --networks.")  # fmt: skip

    count = {
        "iteration": len(SHAPES) * len(chosen),
        "loss": 4 * len(chosen),
        "passes": max(1, len(shipped())),
        "memory": len(arguments.sizes) * (len(chosen) + 1),
    }
    bar = tqdm(total=sum(count[table] for table in arguments.tables), unit="measurement")

    begun = []

    def step(what):
        bar.update(len(begun))
        begun[:] = [what]
        bar.set_description(what)

    found = {}
    for table in arguments.tables:
        if table == "passes":
            found[table] = passes(arguments, run, step)
            continue
        measured = {"iteration": iteration, "loss": loss, "memory": memory}[table]
        extra = ["transform network"] if table == "memory" else []
        found[table] = [
            row for name in [*chosen, *extra] for row in measured(arguments, run, name, step)
        ]
    bar.update(len(begun))
    bar.close()
    hardware = f"{run.device}, {torch.get_num_threads()} threads"
    if arguments.json:
        print(json.dumps({"device": hardware, "side": arguments.side, **found}, indent=1))
        return
    print(f"{arguments.side} pixels, {hardware}", end="")
    for table, rows in found.items():
        shown(table, rows)


if __name__ == "__main__":
    main()
