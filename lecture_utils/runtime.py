"""Profile, device, precision and seed: chosen once, in one place, at the top of each notebook."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar, cast, get_args

import numpy as np
import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Profile = Literal["ci", "book", "full"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What a notebook or a recipe runs with.

    Attributes
    ----------
    profile
        ``ci`` (seconds, for tests), ``book`` (what the published page shows) or ``full``
        (a GPU, full data, the paper's length).
    device
        The PyTorch device that tensors and networks go to.
    precision
        ``32-true``, ``bf16-mixed`` or ``16-mixed``, in Lightning Fabric's words. Under
        ``fabric run`` device and precision are those that its options give this process.
    seed
        The seed that Python, NumPy and PyTorch were started with.
    """

    profile: Profile
    device: torch.device
    precision: Precision
    seed: int

    def pick(self, *, ci: T, book: T, full: T) -> T:
        """Return the value for this run's profile: for sizes and numbers of steps, nothing else."""
        return {"ci": ci, "book": book, "full": full}[self.profile]

    def generator(self, offset: int = 0) -> torch.Generator:
        """Return a fresh CPU generator seeded with ``seed + offset``.

        The same offset gives the same numbers however often cells are run again, on any device:
        draw on the CPU, then move.
        """
        return torch.Generator().manual_seed(self.seed + offset)

    @cached_property
    def fabric(self) -> Fabric:
        """Lightning Fabric, launched: it places networks and batches and spreads a training.

        Under ``fabric run`` the number of devices and machines comes from that command.
        """
        from lightning_fabric import Fabric

        if _under_fabric_run():
            return Fabric()
        devices = 1 if self.device.index is None else [self.device.index]
        fabric = Fabric(
            accelerator=self.device.type,
            devices=devices,
            precision=self.precision,
        )
        fabric.launch()
        return fabric

    def __str__(self) -> str:
        return (
            f"profile {self.profile} · device {self.device} · "
            f"precision {self.precision} · seed {self.seed}"
        )


def start(
    seed: int = 0,
    *,
    profile: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    quiet: bool = False,
) -> Run:
    """Choose profile, device and precision, seed every random generator, and say so in one line.

    Parameters
    ----------
    seed
        Seeds Python's ``random``, NumPy's legacy generator and PyTorch on every device; 0 to 2^32-1.
    profile
        ``ci``, ``book`` or ``full``; without it ``LECTURE_PROFILE``, and without that ``book``.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; without it ``LECTURE_DEVICE``, and
        without that ``auto``: CUDA where there is one, then Apple's MPS, then the CPU.
    precision
        ``32-true``, ``bf16-mixed`` or, not on a CPU, ``16-mixed``; without it
        ``LECTURE_PRECISION``, and without that ``32-true``.
    quiet
        Print nothing.

    Raises
    ------
    ValueError
        If the profile, the precision or the seed is not one of these, or the device does not
        train in this precision.
    RuntimeError
        If the device asked for is not on this machine.
    """
    chosen_profile = profile or os.environ.get("LECTURE_PROFILE") or "book"
    if chosen_profile not in get_args(Profile):
        raise ValueError(
            f"The profile is {chosen_profile!r}; it must be one of 'ci',"
            " 'book' or 'full'. Set LECTURE_PROFILE to one of them, or leave"
            " it unset for 'book'."
        )
    chosen_precision = (
        precision or os.environ.get("LECTURE_PRECISION") or "32-true"
    )
    if _under_fabric_run():
        asked = os.environ.get("LT_PRECISION", "32-true")
        short = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}
        chosen_precision = short.get(asked, asked)
    if chosen_precision not in get_args(Precision):
        raise ValueError(
            f"The precision is {chosen_precision!r}; it must be one of"
            f" {get_args(Precision)}. Set LECTURE_PRECISION (under `fabric"
            " run` its option --precision) to one of them, or leave it unset"
            " for '32-true'."
        )
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"The seed is {seed}; it must lie in 0 .. 2**32 - 1. Choose"
            " another."
        )

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that draw from the legacy generator
    torch.manual_seed(seed)

    run = Run(
        profile=cast(Profile, chosen_profile),
        device=_device(device or os.environ.get("LECTURE_DEVICE") or "auto"),
        precision=cast(Precision, chosen_precision),
        seed=seed,
    )
    if _under_fabric_run():  # only Fabric knows which device is this process's
        fabric = run.fabric
        run = replace(run, device=fabric.device)
        # The processes are connected; a second Fabric would do it again.
        vars(run)["fabric"] = fabric
    if run.precision == "16-mixed" and run.device.type == "cpu":
        # Fabric would train in bfloat16, and a record would say otherwise.
        raise ValueError(
            "The precision is '16-mixed', and the device is a CPU, which does"
            " not train in it. Set LECTURE_PRECISION (under `fabric run` its"
            " option --precision) to 'bf16-mixed' or '32-true', or choose"
            " another device."
        )
    if not quiet:
        print(run)
    return run


def _under_fabric_run() -> bool:
    """Say whether `fabric run` has started this process, and perhaps others, already."""
    return "LT_CLI_USED" in os.environ


def _device(name: str) -> torch.device:
    """Return the device of this name, or a sentence that says which devices there are."""
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present[:0] = [
            "cuda",
            *(f"cuda:{i}" for i in range(torch.cuda.device_count())),
        ]
    if name == "auto":
        return torch.device(present[0])
    if name not in present:
        raise RuntimeError(
            f"The device asked for is {name!r}, and this machine has"
            f" {', '.join(present)}. Set LECTURE_DEVICE to one of these, or"
            " leave it unset to let the book choose."
        )
    return torch.device(name)
