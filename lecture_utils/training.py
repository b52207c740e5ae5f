"""One training loop for every network of the book: history, evaluation, and a state that resumes.

A section writes its own optimisation step (draw a batch, compute the loss, follow the gradient), so
the reader sees it. :func:`train` repeats that step and does what is the same for all: the learning
rate's schedule, the log, the progress bar, and a state on disk from which a killed training goes on
and, on a CPU, ends with the same weights as one that was never stopped.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lecture_utils.files import write_atomically
from lecture_utils.runtime import Run

Step = Callable[[int, torch.Generator], Mapping[str, float | Tensor]]
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
    """

    def __init__(self, message: str, step: int, history: History) -> None:
        super().__init__(message)
        self.step = step
        self.history = history


def train(
    run: Run,
    step: Step,
    steps: int,
    *,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    learning_rate: Callable[[int], float] | None = None,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 1000,
    log_every: int = 100,
    state: Path | None = None,
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
        Gives the learning rate of step i; set in every optimiser before the step. Without it the
        optimisers keep theirs.
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
        If the state on disk belongs to another training or is damaged.
    DivergedError
        If a logged number is no longer finite: the state from before stays on disk.
    """
    from tqdm import tqdm

    generator = run.generator(offset=run.fabric.global_rank)
    history = History()
    # As JSON gives them back, so that a tuple equals the list that was read.
    choices = json.loads(
        json.dumps(
            {"seed": run.seed, "precision": run.precision, **(settings or {})}
        )
    )
    choices.pop("steps", None)
    if state is not None:
        share = _agreed(run, {"exists": float(state.exists())})["exists"]
        found = round(share * run.fabric.world_size)
        if 0 < found < run.fabric.world_size:
            raise ValueError(
                f"The training state {state} is there for some of the"
                f" {run.fabric.world_size} processes only. Put it into a"
                " folder that all machines see."
            )
        if found:
            _load(run, state, modules, optimizers, generator, history, choices)
            if history.steps > steps:
                raise ValueError(
                    f"The training state {state} has {history.steps} steps,"
                    f" and this training asks for {steps}. Ask for at least as"
                    " many, or name another file."
                )
    show = progress if progress is not None else run.profile != "ci"

    started = last_saved = time.monotonic()
    before = history.seconds
    sums: dict[str, Tensor] = {}
    with tqdm(
        total=steps,
        initial=history.steps,
        disable=not show or not run.fabric.is_global_zero,
    ) as bar:
        while history.steps < steps:
            i = history.steps
            if learning_rate is not None:
                for optimizer in optimizers.values():
                    for group in optimizer.param_groups:
                        group["lr"] = learning_rate(i)
            for name, value in step(i, generator).items():
                if not isinstance(value, Tensor):
                    value = torch.tensor(value, dtype=torch.float64)
                elif value.device.type != "mps":  # which has no float64
                    value = value.double()
                value = value.detach()
                sums[name] = sums[name] + value if name in sums else value
            history.steps = i + 1
            bar.update()

            boundary = history.steps % log_every == 0 or history.steps == steps
            if boundary:
                count = (history.steps - 1) % log_every + 1
                means = _agreed(
                    run,
                    {
                        name: float(total) / count
                        for name, total in sums.items()
                    },
                )
                sums = {}
                _check_finite(means, history)
                history.add(history.steps, means)
                bar.set_postfix(
                    {name: f"{value:.4g}" for name, value in means.items()}
                )
            if evaluate is not None and (
                history.steps % evaluate_every == 0 or history.steps == steps
            ):
                with _untouched_random_state():
                    measured = _agreed(run, evaluate())
                _check_finite(measured, history)
                history.add(history.steps, measured)
            now = time.monotonic()
            history.seconds = before + now - started
            # The state is written only where the averages start anew, so that
            # the log, too, is the same after a restart.
            if state is not None and boundary:
                late = _agreed(
                    run, {"late": float(now - last_saved >= save_every)}
                )["late"]
                if late or history.steps == steps:
                    _save(
                        run,
                        state,
                        modules,
                        optimizers,
                        generator,
                        history,
                        choices,
                    )
                    last_saved = now
    return history


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


def _check_finite(values: Mapping[str, float], history: History) -> None:
    """Stop a training whose numbers are no longer finite."""
    if not all(np.isfinite(value) for value in values.values()):
        raise DivergedError(
            f"At step {history.steps} the training logged {dict(values)}; it"
            " has diverged. Lower the learning rate or clip the gradient,"
            " delete the state file if there is one, and start again.",
            history.steps,
            history,
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
    curves = rest["history"]["curves"]
    history.curves = {
        name: [(int(i), float(v)) for i, v in curve]
        for name, curve in curves.items()
    }
    history.steps = int(rest["history"]["steps"])
    history.seconds = float(rest["history"]["seconds"])
