"""The command line, ``python -m lecture_utils``; each command imports what it needs when it runs."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _Commands(TyperGroup):
    """Commands that say what Ctrl-C left behind; Typer itself ends them without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            print(str(stop) or "Stopped.", file=sys.stderr)
            raise typer.Exit(130) from stop


app = typer.Typer(
    cls=_Commands,
    help=(
        "Figures, data sets, trainings, checkpoints, assignments and styles of"
        " the course book."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(
    help="The data sets: list, fetch, check.", no_args_is_help=True
)
checkpoints_app = typer.Typer(
    help="The shipped weights: list, verify.", no_args_is_help=True
)
app.add_typer(data_app, name="data")
app.add_typer(checkpoints_app, name="checkpoints")
assignments_app = typer.Typer(
    help="The assignments: list, build, check, grade.", no_args_is_help=True
)
app.add_typer(assignments_app, name="assignments")

Profile = Annotated[
    str | None,
    typer.Option(
        help="ci, book or full; without it LECTURE_PROFILE, then book."
    ),
]


def main() -> None:
    """Run the command line; a foreseen error is one sentence and exit status 1."""
    try:
        app()
    except Exception as error:
        if os.environ.get("LECTURE_DEBUG"):
            raise
        # KeyError quotes its message; its first argument is the sentence
        # itself.
        sentence = (
            error.args[0]
            if isinstance(error, KeyError) and error.args
            else error
        )
        print(f"{type(error).__name__}: {sentence}", file=sys.stderr)
        print("Set LECTURE_DEBUG=1 to see where it happened.", file=sys.stderr)
        sys.exit(1)


@app.command()
def figures(
    which: Annotated[
        list[str] | None,
        typer.Argument(
            help=(
                "'list', 'all', figure ids, sections such as"
                " generation/gaussian_model, or 'deck'."
            )
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help=(
                "Folder for the figures and manifest.json; with 'deck' the"
                " .pptx file."
            )
        ),
    ] = Path("figures"),
    section: Annotated[
        list[str] | None,
        typer.Option(
            help="With 'deck': a section, such as srcnn; repeatable."
        ),
    ] = None,
    format: Annotated[
        str, typer.Option(help="Any of pdf, svg, png, separated by commas.")
    ] = "pdf,svg,png",
    profile: Profile = None,
) -> None:
    """List the lecture's figures, make them again, or make a deck with a figure a slide.

    ``figures deck --section srcnn --out deck.pptx`` makes the deck.
    """
    from lecture_utils import figures as export

    if not which or which == ["list"]:
        for entry in export.list_figures():
            print(
                f"{entry.id:32} {'made' if entry.made else 'to come':8}"
                f" {entry.section}"
            )
        return
    if which[0] == "deck":
        from lecture_utils.deck import deck

        names = [*which[1:], *(section or [])]
        slides = deck(names, out, profile=profile, progress=True)
        print(f"{out}: {slides} slides, with captions in the notes.")
        return
    if section:
        raise ValueError(
            "figures got --section without 'deck'. Name sections by"
            f" themselves, `figures {section[0]}`, or make a deck of them,"
            f" `figures deck --section {section[0]} --out deck.pptx`."
        )
    manifest = export.export(
        which,
        out,
        formats=format,
        profile=profile,
        progress=True,
    )
    print(
        f"{len(manifest['figures'])} figures are in {out}, described in"
        f" {out / 'manifest.json'}."
    )


@data_app.command("list")
def data_list() -> None:
    """Print each data set with its licence and where it was found."""
    from lecture_utils import data

    for entry in data.DATASETS.values():
        found = (
            "embedded"
            if entry.embedded
            else (data.find(entry.name) or "not found")
        )
        print(f"{entry.name:28} {found}\n    {entry.title}. {entry.licence}")


@data_app.command("fetch")
def data_fetch(
    names: Annotated[
        list[str], typer.Argument(help="Names from `data list`.")
    ],
) -> None:
    """Download data sets into the cache, and check every file's SHA-256."""
    from lecture_utils import data

    for name in names:
        print(f"{name}: {data.fetch(name, progress=True)}")


@data_app.command("check")
def data_check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names; all that are found without."),
    ] = None,
) -> None:
    """Check the files of data sets against their records."""
    from tqdm import tqdm

    from lecture_utils import data

    chosen = names or [
        n for n, e in data.DATASETS.items() if e.embedded or data.find(n)
    ]
    problems = {
        n: data.check(n)
        for n in tqdm(chosen, unit="set", disable=not sys.stderr.isatty())
    }
    for name, found in problems.items():
        print(f"{name}: {'fine' if not found else '; '.join(found)}")
    if any(problems.values()):
        raise typer.Exit(1)


@app.command()
def train(
    name: Annotated[
        str | None,
        typer.Argument(help="A recipe; the list of recipes without."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the checkpoint; runs/NAME without."),
    ] = None,
    profile: Profile = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="32-true, bf16-mixed or 16-mixed.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seeds every random generator.")
    ] = 0,
    state: Annotated[
        Path | None,
        typer.Option(help="The resumable state; below runs/ without."),
    ] = None,
) -> None:
    """Run a recipe: train, measure, write a checkpoint with its record. Run again to resume."""
    from lecture_utils import recipes
    from lecture_utils.runtime import start

    if name is None:
        for known in recipes.names():
            print(f"{known:24} {recipes.get(known).title}")
        return
    recipes.get(name)
    run = start(seed, profile=profile, device=device, precision=precision)
    record = recipes.run_recipe(
        name, run, out or Path("runs") / name, state=state
    )
    if not run.fabric.is_global_zero:
        return
    for key, value in record.metrics.items():
        print(f"{key:40} {value:g}")
    print(f"The checkpoint {name} is in {out or Path('runs') / name}.")


@checkpoints_app.command("list")
def checkpoints_list(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the records as JSON.")
    ] = False,
) -> None:
    """Print each shipped checkpoint with what was measured on it."""
    from dataclasses import asdict

    from lecture_utils import checkpoints

    records = [checkpoints.record(name) for name in checkpoints.names()]
    if as_json:
        print(json.dumps([asdict(record) for record in records], indent=1))
        return
    for record in records:
        size = checkpoints.verify(record.name).stat().st_size / 1e6
        print(
            f"{record.name:24} {size:5.2f} MB  {record.steps} steps,"
            f" {record.seconds:.0f} s"
        )
        for key, value in record.metrics.items():
            print(f"    {key:40} {value:g}")


@checkpoints_app.command("verify")
def checkpoints_verify() -> None:
    """Compare every checkpoint's SHA-256 with its record."""
    from lecture_utils import checkpoints

    failed = 0
    for name in checkpoints.names():
        try:
            checkpoints.verify(name)
            print(f"{name}: fine")
        except checkpoints.CheckpointError as error:
            failed += 1
            print(f"{name}: {error}")
    if failed:
        raise typer.Exit(1)


@assignments_app.command("list")
def assignments_list() -> None:
    """Print each assignment with the section that it follows."""
    from lecture_utils.assignments import build

    for name in build.names():
        entry = build.about(name)
        print(
            f"{entry['number']}  {name:20} {entry['title']}, after"
            f" {entry['section']}, about {entry['minutes']} minutes"
        )


@assignments_app.command("build")
def assignments_build(
    name: Annotated[
        str | None, typer.Argument(help="A name; all without.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for what is built.")
    ] = Path("_build/assignments"),
) -> None:
    """Make the versions for students and graders, and archives for learning platforms."""
    from lecture_utils.assignments import build

    for one in [name] if name else build.names():
        built = build.build(one, out)
        print(
            f"{built.folder}: student/ may be handed out, instructor/ and"
            f" {one}-gradescope.zip hold solutions or hidden checks."
        )


@assignments_app.command("check")
def assignments_check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook.")],
) -> None:
    """Run a notebook afresh, and its checks; what the grader does, without the hidden ones."""
    from lecture_utils.assignments import grade

    result = grade.check(notebook)
    for question, sentences in result.failures.items():
        print(f"{question}: {'the checks pass' if not sentences else ''}")
        for sentence in dict.fromkeys(sentences):
            print(f"    {sentence}")
    for note in result.notes:
        print(note)
    if any(result.failures.values()):
        raise typer.Exit(1)


@assignments_app.command("grade")
def assignments_grade(
    folder: Annotated[
        Path,
        typer.Argument(help="Notebooks, archives or folders, one a student."),
    ],
    out: Annotated[
        Path, typer.Option(help="The table; reports go beside it.")
    ] = Path("grades.csv"),
    assignment: Annotated[
        str | None,
        typer.Option(help="Its name; what the notebooks say without."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Grade what has a grade, too.")
    ] = False,
    seconds: Annotated[
        int, typer.Option(help="What one submission may take.")
    ] = 600,
    gigabytes: Annotated[
        float, typer.Option(help="Memory that one submission may take.")
    ] = 4.0,
) -> None:
    """Grade the submissions of a folder. Run again to go on where it was stopped."""
    from lecture_utils.assignments import grade
    from lecture_utils.assignments.session import protection

    print(protection())
    try:
        number = grade.grade_folder(
            folder,
            out,
            assignment=assignment,
            again=again,
            seconds=seconds,
            gigabytes=gigabytes,
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"Stopped. The grades given so far are in {out}; run the same"
            " command again for the others."
        ) from stop
    print(f"{number} graded now. The table is {out}; reports lie beside it.")


@app.command()
def stylize(
    photo: Annotated[
        Path | None,
        typer.Argument(help="A picture; the list of styles without."),
    ] = None,
    style: Annotated[
        str | None, typer.Option(help="A style of the list.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file for the painting.")
    ] = None,
    strength: Annotated[
        float, typer.Option(help="0 (the photograph) to 1 (the painting).")
    ] = 1.0,
    keep_colour: Annotated[
        bool, typer.Option("--keep-colour", help="Change luminance only.")
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder with checkpoints of one's own; the book's without."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")
    ] = None,
) -> None:
    """Paint a picture of any size in a style, by one pass through a network."""
    from lecture_utils import checkpoints
    from lecture_utils.style_transfer.networks import (
        STYLES,
        checkpoint,
        shipped,
    )

    folder = weights or checkpoints.FOLDER
    there = shipped(folder)
    if photo is None:
        for name in there:
            print(f"{name:24} {STYLES[name]}")
    if not there:
        first = checkpoint(next(iter(STYLES)))
        what = (
            f"No style is in {weights}."
            if weights
            else "No style is shipped with this version."
        )
        sentence = (
            f"{what} `python -m lecture_utils train {first} --out FOLDER`"
            " trains one, and `stylize --weights FOLDER` takes it."
        )
        if photo is None:
            print(sentence)
            return
        raise checkpoints.CheckpointError(sentence)
    if photo is None:
        return
    if style not in there:
        got = "no style" if style is None else f"the style {style!r}"
        raise ValueError(
            f"stylize got {got}; there are: {', '.join(there)}. Name one with"
            " --style."
        )
    if out is None:
        raise ValueError(
            "stylize got no file for the painting. Name one with --out, such"
            " as --out painting.png."
        )
    _stylize(photo, style, out, strength, keep_colour, folder, device)


def _stylize(
    photo: Path,
    style: str,
    out: Path,
    strength: float,
    keep_colour: bool,
    folder: Path,
    device: str | None,
) -> None:
    """Check what can be checked before the work, paint, and write in one step."""
    from tqdm import tqdm

    from lecture_utils.data import pictures
    from lecture_utils.files import check_writable
    from lecture_utils.runtime import start
    from lecture_utils.style_transfer.networks import load
    from lecture_utils.style_transfer.stylize import (
        check_format,
        stylize,
        write,
    )

    check_format(out)
    picture = pictures.read(photo)
    check_writable(out.parent, "Choose another place with --out.")
    run = start(profile="book", device=device, quiet=True)
    network = load(style, run.device, folder=folder)
    with tqdm(unit="tile", disable=not sys.stderr.isatty()) as bar:

        def show(done: int, tiles: int) -> None:
            bar.total = tiles
            bar.update(done - bar.n)

        painted = stylize(
            network,
            picture,
            strength=strength,
            keep_colour=keep_colour,
            progress=show,
        )
    write(painted, out)
    height, width = painted.shape[:2]
    print(f"{out}: {width} x {height} pixels in the style {style}.")


@app.command()
def doctor() -> None:
    """Print versions, devices, memory, folders and data sets, in a form to paste into a report."""
    import torch

    from lecture_utils import data

    print(f"system           {platform.platform()}")
    print(f"python           {platform.python_version()}")
    packages = [
        "lecture-utils",
        "torch",
        "torchvision",
        "lightning-fabric",
        "torchmetrics",
        "numpy",
    ]
    packages += [
        "matplotlib",
        "safetensors",
        "scikit-image",
        "jupyter-book",
        "sphinx",
        "myst-nb",
    ]
    for package in packages:
        try:
            print(f"{package:16} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package:16} not installed")
    print(
        f"cpu cores        {os.cpu_count()}, PyTorch uses"
        f" {torch.get_num_threads()}"
    )
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        print(f"memory           {pages / 2**30:.1f} GiB")
    except (AttributeError, ValueError, OSError):
        print("memory           not known on this system")
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        print(
            f"cuda:{index}           {device.name},"
            f" {device.total_memory / 2**30:.1f} GiB"
        )
    if not torch.cuda.is_available():
        print("cuda             none")
    print(
        "mps             "
        f" {'yes' if torch.backends.mps.is_available() else 'none'}"
    )
    for variable in (
        "PROFILE",
        "DEVICE",
        "PRECISION",
        "DATA_DIR",
        "CACHE_DIR",
    ):
        value = os.environ.get(f"LECTURE_{variable}", "not set")
        print(f"{'LECTURE_' + variable:17}{value}")

    def found_or_why_not(find: Callable[[], Path | str | None]) -> str:
        """Call it; a report must come out above all where something is wrong."""
        try:
            return str(find() or "not found")
        except OSError as error:
            return str(error)

    print(f"data folder      {found_or_why_not(data.data_folder)}")
    print(f"cache            {found_or_why_not(data.cache_folder)}")
    for name, entry in data.DATASETS.items():
        found = (
            "embedded"
            if entry.embedded
            else found_or_why_not(partial(data.find, name))
        )
        print(f"data {name:28} {found}")
