"""One training loop for every network of the book: history, evaluation, and a state that resumes.

A section writes its own optimisation step (draw a batch, compute the loss, follow the gradient), so
the reader sees it. :func:`train` repeats that step and does what is the same for all: the learning
rate's schedule, the log, the progress bar, and a state on disk from which a killed training goes on
and, on a CPU, ends with the same weights as one that was never stopped.
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import cos, pi
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lecture_utils.files import check_writable, write_atomically
from lecture_utils.runtime import Run

Step = Callable[[int, torch.Generator], Mapping[str, float | Tensor]]
Rate = Callable[[int], float]
_FORMAT = "lecture_utils training state 2"


@dataclass
class History:
    """What a training logged.

    Attributes
    ----------
    curves
        For each name the list of (step, value): what the steps return, averaged since the last
        entry, and what the evaluations return.
    steps
        Steps done so far.
    seconds
        Seconds that they took, evaluations included, over all the starts.
    """

    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append one value to each named curve."""
        for name, value in values.items():
            self.curves.setdefault(name, []).append((step, float(value)))


class DivergedError(FloatingPointError):
    """A training whose numbers are no longer finite.

    Attributes
    ----------
    step
        The step at which it was noticed.
    history
        What was logged until then.
    settings
        The training's choices.
    """

    def __init__(
        self,
        message: str,
        step: int,
        history: History,
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(message)
        self.step = step
        self.history = history
        self.settings = settings


def train(
    run: Run,
    step: Step,
    steps: int,
    *,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    learning_rate: Rate | Mapping[str, Rate] | None = None,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 1000,
    log_every: int = 100,
    state: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    save_every: float = 60.0,
    progress: bool | None = None,
) -> History:
    """Call ``step`` until ``steps`` steps are done, going on from ``state`` where it exists.

    Parameters
    ----------
    run
        The run whose seed starts the training's own random generator.
    step
        Called as ``step(i, generator)``: does optimisation step i (from 0), drawing what is random
        from the CPU ``generator`` or from PyTorch's, NumPy's or Python's global one; returns
        numbers to log, such as ``{"loss": loss.detach()}``. With several processes it draws from
        ``generator`` or PyTorch's, which differ between them and are kept for each.
    steps
        How many steps the training has in all, those of earlier starts included.
    modules, optimizers
        Everything that the steps change, by name; what a resumed training must get back.
    learning_rate
        Gives the learning rate of step i; set before the step in every optimiser, or, where it is
        a mapping, in the optimisers of these names. The others keep theirs.
    evaluate
        Returns numbers to log; called every ``evaluate_every`` steps and after the last. It must
        not change the modules, and whatever it draws does not disturb the training.
    log_every
        The steps' numbers are averaged over this many steps, and over the processes.
    state
        The file of the resumable state (safetensors); None keeps none. Several machines need a
        folder that all of them see.
    settings
        The training's choices. A state made with others, another seed or another precision is
        refused; only more ``steps`` may be asked for than at its start.
    save_every
        Seconds between two writings of the state.
    progress
        Show a progress bar; without it, in every profile but ``ci``.

    Returns
    -------
    The history, those of earlier starts included.

    Raises
    ------
    ValueError
        If the state on disk belongs to another training or is damaged, or a learning rate is for
        an optimiser that there is not.
    OSError
        Before the first step, if the state could not be written.
    DivergedError
        If a logged number is no longer finite: the state from before stays on disk.
    KeyboardInterrupt
        If Ctrl-C was pressed. With a state the step is first brought to its end and the state
        written (with several processes at the next entry of the log). So it is when the process
        is told to end (SIGTERM). A second later a second one stops it at once.
    """
    from tqdm import tqdm

    rates = (
        learning_rate
        if isinstance(learning_rate, Mapping)
        else dict.fromkeys(optimizers, learning_rate)
    )
    if unknown := sorted(set(rates) - set(optimizers)):
        raise ValueError(
            f"The training got a learning rate for {', '.join(unknown)}; its"
            f" optimisers are {', '.join(optimizers)}."
        )
    generator = run.generator(offset=run.fabric.global_rank)
    history = History()
    mean = _Mean()
    # As JSON gives them back, so that a tuple equals the list that was read.
    choices = json.loads(
        json.dumps(
            {"seed": run.seed, "precision": run.precision, **(settings or {})}
        )
    )
    choices.pop("steps", None)
    if state is not None:
        state = Path(state)
        check_writable(
            state.parent, "Put the state into a folder that you may write to"
        )
        if state.is_dir():
            raise ValueError(
                f"The training state {state} is a folder; it needs to be the"
                " path of a file."
            )
        share = _agreed(run, {"exists": float(state.exists())})["exists"]
        found = round(share * run.fabric.world_size)
        if 0 < found < run.fabric.world_size:
            raise ValueError(
                f"The training state {state} is there for some of the"
                f" {run.fabric.world_size} processes only. Put it into a"
                " folder that all machines see."
            )
        if found:
            _load(
                run,
                state,
                modules,
                optimizers,
                generator,
                history,
                mean,
                choices,
            )
            if history.steps > steps:
                raise ValueError(
                    f"The training state {state} has {history.steps} steps,"
                    f" and this training asks for {steps}. Ask for at least as"
                    " many, or name another file."
                )
    show = progress if progress is not None else run.profile != "ci"

    started = last_saved = time.monotonic()
    before = history.seconds
    with (
        tqdm(
            total=steps,
            initial=history.steps,
            disable=not show or not run.fabric.is_global_zero,
        ) as bar,
        _Stop(wait=state is not None) as stop,
    ):
        while history.steps < steps:
            i = history.steps
            for name, rate in rates.items():
                if rate is not None:
                    for group in optimizers[name].param_groups:
                        group["lr"] = rate(i)
            mean.add(step(i, generator))
            history.steps = i + 1
            bar.update()

            boundary = history.steps % log_every == 0 or history.steps == steps
            if boundary:
                means = _agreed(run, mean.take())
                _check_finite(means, history, settings or {})
                history.add(history.steps, means)
                bar.set_postfix(
                    {name: f"{value:.4g}" for name, value in means.items()}
                )
            if evaluate is not None and (
                history.steps % evaluate_every == 0 or history.steps == steps
            ):
                with _untouched_random_state():
                    measured = _agreed(run, evaluate())
                _check_finite(measured, history, settings or {})
                history.add(history.steps, measured)
            now = time.monotonic()
            history.seconds = before + now - started
            # Several processes write only where they have agreed on the means:
            # the unfinished ones are different in each, and the state has one.
            alone = run.fabric.world_size == 1
            if state is not None and (boundary or (alone and stop.asked)):
                any_process = _agreed(
                    run,
                    {
                        "late": float(now - last_saved >= save_every),
                        "stop": float(stop.asked),
                    },
                )
                if any(any_process.values()) or history.steps == steps:
                    _save(
                        run,
                        state,
                        modules,
                        optimizers,
                        generator,
                        history,
                        mean,
                        choices,
                    )
                    last_saved = now
                if any_process["stop"]:
                    stop.now(
                        f"Stopped after step {history.steps} of {steps}; the"
                        f" state is in {state}, and the same command goes on"
                        " from there."
                    )
    return history


class _Mean:
    """The mean of what the steps return, since the last entry of the log."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: dict[str, Tensor | float] = {}

    def add(self, values: Mapping[str, float | Tensor]) -> None:
        """Count one step; nothing waits for the device."""
        self.count += 1
        for name, value in values.items():
            if not isinstance(value, Tensor):
                value = torch.tensor(value, dtype=torch.float64)
            elif value.device.type != "mps":  # which has no float64
                value = value.double()
            self.sums[name] = self.sums.get(name, 0.0) + value.detach()

    def take(self) -> dict[str, float]:
        """Return the means and start anew."""
        means = {
            name: float(total) / self.count
            for name, total in self.sums.items()
        }
        self.count, self.sums = 0, {}
        return means


class _Stop:
    """Ctrl-C and SIGTERM, put off until the state of the training is whole and written."""

    def __init__(self, *, wait: bool) -> None:
        self.asked = False
        self.since = 0.0
        self.number = signal.SIGINT
        self.before: dict[signal.Signals, Any] = {}
        # Only the main thread may choose how signals are met.
        if wait and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if handler not in (signal.SIG_IGN, None):
                    self.before[number] = handler

    def __enter__(self) -> _Stop:
        for number in self.before:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self.since = True, now
            self.number = signal.Signals(number)
        # One Ctrl-C may arrive twice, from the terminal and from a program
        # that passes it on.
        elif now - self.since > 1:
            self.__exit__()
            signal.raise_signal(number)

    def now(self, message: str) -> NoReturn:
        """Stop as the signal would have done it; after Ctrl-C with this message."""
        self.__exit__()
        if self.number == signal.SIGTERM:
            signal.raise_signal(self.number)
        raise KeyboardInterrupt(message)


def _agreed(run: Run, values: Mapping[str, float]) -> dict[str, float]:
    """Return the means over all processes, so that all of them log and decide the same."""
    if run.fabric.world_size == 1:
        return dict(values)
    dtype = torch.float32 if run.fabric.device.type == "mps" else torch.float64
    own = torch.tensor(
        list(values.values()), dtype=dtype, device=run.fabric.device
    )
    mean: Tensor = run.fabric.all_reduce(own, reduce_op="mean")
    return dict(zip(values, mean.tolist(), strict=True))


def _check_finite(
    values: Mapping[str, float],
    history: History,
    settings: Mapping[str, Any],
) -> None:
    """Stop a training whose numbers are no longer finite."""
    if not all(np.isfinite(value) for value in values.values()):
        raise DivergedError(
            f"At step {history.steps} the training logged {dict(values)}; it"
            " has diverged. Lower the learning rate or clip the gradient,"
            " delete the state file if there is one, and start again.",
            history.steps,
            history,
            settings,
        )


class _untouched_random_state:
    """Give the global random generators back as they were."""

    def __enter__(self) -> None:
        self.saved = (
            random.getstate(),
            np.random.get_state(),  # noqa: NPY002
            torch.get_rng_state(),
        )
        self.cuda = (
            torch.cuda.get_rng_state_all()
            if torch.cuda.is_available()
            else None
        )

    def __exit__(self, *_: object) -> None:
        random.setstate(self.saved[0])
        np.random.set_state(self.saved[1])  # noqa: NPY002
        torch.set_rng_state(self.saved[2])
        if self.cuda is not None:
            torch.cuda.set_rng_state_all(self.cuda)


def _generators(run: Run, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the states of the generators that differ between processes."""
    states = {
        "training": generator.get_state(),
        "torch": torch.get_rng_state(),
    }
    if run.fabric.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(run.fabric.device)
    return states


def _save(
    run: Run,
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    generator: torch.Generator,
    history: History,
    mean: _Mean,
    choices: dict[str, Any],
) -> None:
    """Write everything that a resumed training needs: tensors, and the rest as JSON beside them.

    Every process calls it, since each has generators of its own; the first one writes.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for name, own in _generators(run, generator).items():
        gathered: Tensor = run.fabric.all_gather(own)
        for rank, value in enumerate(gathered.reshape(-1, own.numel())):
            tensors[f"random/{name}/{rank}"] = value
    if not run.fabric.is_global_zero:
        return
    rest: dict[str, Any] = {"optimizers": {}, "choices": choices}
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            tensors[f"module/{name}/{key}"] = value
    for name, optimizer in optimizers.items():
        plain = optimizer.state_dict()
        scalars: dict[str, dict[str, Any]] = {}
        for index, entries in plain["state"].items():
            for key, value in entries.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{name}/{index}/{key}"] = value
                else:
                    scalars.setdefault(str(index), {})[key] = value
        rest["optimizers"][name] = {
            "param_groups": plain["param_groups"],
            "scalars": scalars,
        }
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    tensors["random/numpy"] = torch.from_numpy(
        np.asarray(keys).astype(np.int64)
    )
    rest["numpy"] = [kind, position, has_gauss, gauss]
    version, words, gauss_next = random.getstate()
    rest["python"] = [version, list(words), gauss_next]
    rest["history"] = {
        "curves": history.curves,
        "steps": history.steps,
        "seconds": history.seconds,
    }
    rest["mean"] = {
        "count": mean.count,
        "sums": {name: float(total) for name, total in mean.sums.items()},
    }
    # Which losses in half precision are scaled by, so that gradients do not
    # vanish; nothing in other precisions.
    rest["scaler"] = run.fabric.strategy.precision.state_dict()
    # Copies, because safetensors takes no tensors that share memory.
    owned = {
        key: value.detach().cpu().clone().contiguous()
        for key, value in tensors.items()
    }
    write_atomically(
        path, save(owned, {"format": _FORMAT, "rest": json.dumps(rest)})
    )


def _load(
    run: Run,
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    generator: torch.Generator,
    history: History,
    mean: _Mean,
    choices: dict[str, Any],
) -> None:
    """Put a saved state back into the modules, the optimisers, the generators and the history."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if metadata.get("format") != _FORMAT:
            raise ValueError(
                f"its format is {metadata.get('format')!r}, not {_FORMAT!r}"
            )
        rest = json.loads(metadata["rest"])
        for key in sorted(choices.keys() | rest["choices"].keys()):
            theirs, ours = (
                d.get(key, "nothing") for d in (rest["choices"], choices)
            )
            if theirs != ours:
                raise ValueError(
                    f"its {key} is {theirs!r}, and this training's is {ours!r}"
                )
        processes = sum(key.startswith("random/training/") for key in tensors)
        if processes != run.fabric.world_size:
            raise ValueError(
                f"it is that of {processes} processes, and this training has"
                f" {run.fabric.world_size}"
            )
        groups: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, _, tail = key.partition("/")
            if part == "module":
                name, _, entry = tail.partition("/")
                groups.setdefault(name, {})[entry] = value
        if set(groups) != set(modules) or set(rest["optimizers"]) != set(
            optimizers
        ):
            raise ValueError(
                f"it holds {sorted(groups)} with the optimisers"
                f" {sorted(rest['optimizers'])}, and this training has"
                f" {sorted(modules)} with {sorted(optimizers)}"
            )
        precision = run.fabric.strategy.precision
        if precision.state_dict().keys() != rest.get("scaler", {}).keys():
            raise ValueError(
                "it lacks the scale of the losses, without which the weights"
                " would become others"
            )
        precision.load_state_dict(rest.get("scaler", {}))
        for name, module in modules.items():
            module.load_state_dict(groups[name])
        for name, optimizer in optimizers.items():
            saved = rest["optimizers"][name]
            entries: dict[int, dict[str, Any]] = {
                int(index): dict(values)
                for index, values in saved["scalars"].items()
            }
            prefix = f"optimizer/{name}/"
            for key, value in tensors.items():
                if key.startswith(prefix):
                    index, _, entry = key.removeprefix(prefix).partition("/")
                    entries.setdefault(int(index), {})[entry] = value
            optimizer.load_state_dict(
                {"state": entries, "param_groups": saved["param_groups"]}
            )
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"The training state {path} cannot be used: {error}. Delete it to"
            " start the training again from the beginning, or name another"
            " file."
        ) from error
    kind, position, has_gauss, gauss = rest["numpy"]
    keys = tensors["random/numpy"].numpy().astype(np.uint32)
    np.random.set_state((kind, keys, position, has_gauss, gauss))  # noqa: NPY002
    version, words, gauss_next = rest["python"]
    random.setstate((version, tuple(words), gauss_next))
    rank = run.fabric.global_rank
    torch.set_rng_state(tensors[f"random/torch/{rank}"])
    generator.set_state(tensors[f"random/training/{rank}"])
    if run.fabric.device.type == "cuda" and f"random/cuda/{rank}" in tensors:
        torch.cuda.set_rng_state(
            tensors[f"random/cuda/{rank}"], run.fabric.device
        )
    unfinished = rest.get("mean", {"count": 0, "sums": {}})
    mean.count, mean.sums = unfinished["count"], unfinished["sums"]
    curves = rest["history"]["curves"]
    history.curves = {
        name: [(int(i), float(v)) for i, v in curve]
        for name, curve in curves.items()
    }
    history.steps = int(rest["history"]["steps"])
    history.seconds = float(rest["history"]["seconds"])


def cosine(peak: float, steps: int, rise: float = 0.0) -> Rate:
    """Return a learning rate for each step: a linear rise, then half a cosine down to zero.

    Parameters
    ----------
    peak
        The largest rate.
    steps
        Steps of the whole training.
    rise
        Part of the steps over which the rate rises; at least one step does.
    """
    first = max(1, round(rise * steps))

    def rate(i: int) -> float:
        if i < first:
            return peak * (i + 1) / first
        return peak * 0.5 * (1 + cos(pi * (i - first) / (steps - first)))

    return rate


def round_to_half(network: nn.Module) -> dict[str, Tensor]:
    """Round a network's weights to float16, and return its state in that type, to be shipped.

    The network keeps its own type. What is measured after this is what is shipped.
    """
    tensors = {
        key: value.half() if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(tensors)
    return tensors
