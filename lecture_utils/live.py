"""Controls that recompute a section's own function, where a kernel runs and a reader can move them.

A page shows an explorer: pictures made beforehand, which move without a kernel. The same cell in
JupyterLab, Notebook, VS Code or Colab shows sliders for any value, and a button for a picture of
the reader's own. Everything here is reached as ``explore.live``, ``explore.real`` and so on.
"""

from __future__ import annotations

import asyncio
import base64
import io
import math
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from lecture_utils.data import DataCorruptError, pictures
from lecture_utils.images import Image, Pixels
from lecture_utils.show import (
    PAGE,
    Explorer,
    is_figure,
    page_width,
    pixels,
    rendered,
)

PAUSE = 0.03  # seconds in which changes are collected before the next picture
_SLOW = 0.4  # seconds after which the next computation is announced
_UPLOAD = 10  # MB; a Jupyter server drops the connection at a larger message

_WITHOUT_WIDGETS = (
    "Here the pictures below were made beforehand. To compute others with your"
    " kernel, install ipywidgets (`%pip install ipywidgets`), restart the"
    " kernel and run the notebook again."
)


@dataclass(frozen=True)
class _Built:
    """A control in the notebook.

    Attributes
    ----------
    box
        The widget that is shown.
    source
        The widget whose trait ``value`` tells of a change.
    read
        Returns the value for the function.
    tell
        Returns the value in words.
    """

    box: Any
    source: Any
    read: Callable[[], object]
    tell: Callable[[], str]


@dataclass(frozen=True)
class Number:
    """A slider with a field beside it, in which a number can be typed; see `real` and `whole`."""

    name: str
    low: float
    high: float
    start: float
    step: float
    whole: bool

    def __post_init__(self) -> None:
        _check_name(self.name)
        numbers = (self.low, self.high, self.start, self.step)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(
                f"The control {self.name!r} has low {self.low}, high"
                f" {self.high}, start {self.start} and step {self.step}; all"
                " must be finite."
            )
        if self.whole and any(number != int(number) for number in numbers):
            raise ValueError(
                f"The control {self.name!r} takes whole numbers and was given"
                f" {numbers}; round them, or use explore.real."
            )
        if not (self.low < self.high and self.step > 0):
            raise ValueError(
                f"The control {self.name!r} runs from {self.low} to"
                f" {self.high} in steps of {self.step}; the low end must lie"
                " below the high one, and the step above 0."
            )
        if not self.low <= self.start <= self.high:
            raise ValueError(
                f"The control {self.name!r} starts at {self.start}, outside"
                f" {self.low} .. {self.high}."
            )

    def first(self) -> object:
        """Return the value that the function gets first."""
        return int(self.start) if self.whole else float(self.start)

    def build(self, widgets: Any, label: str) -> _Built:
        """Return the widgets; ``label`` is the width of their names in CSS."""
        kind = int if self.whole else float
        limits = {
            "min": kind(self.low),
            "max": kind(self.high),
            "step": kind(self.step),
            "value": kind(self.start),
        }
        slider = (widgets.IntSlider if self.whole else widgets.FloatSlider)(
            **limits, readout=False, layout={"flex": "1 1 8em"}
        )
        # The field carries the label, and takes values between two steps, to
        # which the slider rounds; so the field is the one that counts.
        field = (
            widgets.BoundedIntText if self.whole else widgets.BoundedFloatText
        )(
            **limits,
            description=self.name,
            style={"description_width": label},
            layout={"width": f"calc({label} + 7em)", "flex": "0 0 auto"},
        )
        row = widgets.HBox(
            [field, slider],
            layout={"max_width": "45em", "align_items": "center"},
        )
        # In the browser, so that they move together while the kernel computes.
        widgets.jslink((field, "value"), (slider, "value"))
        return _Built(
            row,
            field,
            read=lambda: kind(field.value),
            tell=lambda: f"{field.value:.6g}",
        )


@dataclass(frozen=True)
class Choice:
    """A list to choose from; see `choice`."""

    name: str
    labels: tuple[str, ...]
    values: tuple[object, ...]
    start: int

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(set(self.labels)) < max(2, len(self.labels)):
            raise ValueError(
                f"The choice {self.name!r} has the options"
                f" {list(self.labels)}; give at least two, each with a label"
                " of its own."
            )
        if not 0 <= self.start < len(self.labels):
            raise ValueError(
                f"The choice {self.name!r} starts with option {self.start} and"
                f" has the options 0 to {len(self.labels) - 1}."
            )

    def first(self) -> object:
        """Return the value that the function gets first."""
        return self.values[self.start]

    def build(self, widgets: Any, label: str) -> _Built:
        """Return the widgets; ``label`` is the width of their names in CSS."""
        longest = max(len(text) for text in self.labels)
        menu = widgets.Dropdown(
            # Positions and not the values themselves, which ipywidgets would
            # compare: the truth of `array == array` is not one.
            options=[(text, i) for i, text in enumerate(self.labels)],
            value=self.start,
            description=self.name,
            style={"description_width": label},
            layout={"width": f"calc({label} + {longest + 5}ch)"},
        )
        return _Built(
            menu,
            menu,
            read=lambda: self.values[menu.value],
            tell=lambda: self.labels[menu.value],
        )


@dataclass(frozen=True)
class Picture:
    """A button that takes a picture of the reader's own; see `picture`."""

    name: str
    default: Pixels
    largest: int

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.largest < 16:
            raise ValueError(
                f"The control {self.name!r} shrinks pictures to {self.largest}"
                " pixels; allow at least 16."
            )

    def first(self) -> object:
        """Return the value that the function gets first."""
        return self.default

    def build(self, widgets: Any, label: str) -> _Built:
        """Return the widgets; ``label`` is the width of their names in CSS."""
        upload = widgets.FileUpload(
            accept="image/*",
            multiple=False,
            description=self.name,
            layout={"width": f"{max(len(self.name), 12) + 6}ch"},
        )
        note = widgets.HTML(
            f"At most {_UPLOAD} MB. It goes to your kernel and nowhere else."
        )
        latest: dict[str, Any] = {"content": None, "image": self.default}

        def read() -> object:
            name, content = _uploaded(upload.value)
            if content != latest["content"]:
                # What cannot be read is an error until the next upload.
                latest.update(content=content, image=None, problem="")
                note.value = ""
                try:
                    latest["image"], said = self.decode(content or b"", name)
                except ValueError as error:
                    latest["problem"] = str(error)
                else:
                    note.value = escape(said)
            if latest["image"] is None:
                raise ValueError(latest["problem"])
            return latest["image"]

        return _Built(
            widgets.HBox(
                [upload, note],
                layout={"flex_flow": "row wrap", "align_items": "center"},
            ),
            upload,
            read=read,
            tell=lambda: _uploaded(upload.value)[0],
        )

    def decode(self, content: bytes, name: str) -> tuple[Pixels, str]:
        """Return an uploaded picture, with the default's channels, and what was done to it."""
        from PIL import Image as Pillow

        mode: pictures.Mode = "L" if self.default.ndim == 2 else "RGB"
        try:
            decoded = pictures.decode(io.BytesIO(content), name, mode)
        except DataCorruptError as error:
            raise ValueError(str(error)) from error
        except Exception as error:  # decoders raise nearly anything
            raise ValueError(
                f"{name} is not a picture that can be read. Choose a JPEG,"
                " PNG, WebP or TIFF file"
            ) from error
        image = Pillow.fromarray(decoded)
        width, height = image.size
        said = f"{name}: {width} × {height} pixels"
        if max(width, height) > self.largest:
            image.thumbnail(
                (self.largest, self.largest), Pillow.Resampling.LANCZOS
            )
            said += f", shrunk to {image.width} × {image.height}"
        return np.array(image), f"{said}."


Control = Number | Choice | Picture


def real(
    name: str, low: float, high: float, start: float, step: float
) -> Number:
    """Describe a slider over real numbers, for `live`.

    Parameters
    ----------
    name
        What it moves, such as ``"smoothing τ"``; its label.
    low, high
        Its ends. Every number between them can be typed.
    start
        Where it stands first.
    step
        How far one press of an arrow key moves it.

    Raises
    ------
    ValueError
        If the name is empty, a number is not finite, or the start lies outside the ends.
    """
    return Number(name, low, high, start, step, whole=False)


def whole(name: str, low: int, high: int, start: int, step: int = 1) -> Number:
    """Describe a slider over whole numbers, for `live`; the function gets an ``int``.

    Parameters and errors as for `real`.
    """
    return Number(name, low, high, start, step, whole=True)


def choice(
    name: str,
    options: Sequence[object] | Mapping[str, object],
    start: int = 0,
) -> Choice:
    """Describe a list to choose from, for `live`.

    Parameters
    ----------
    name
        What is chosen; its label.
    options
        Values that are written as they are, or labels with the values that the function gets.
    start
        The position of the option that is chosen first.

    Raises
    ------
    ValueError
        If the name is empty, there are fewer than two options or two have one label, or there is no
        option ``start``.
    """
    if isinstance(options, Mapping):
        labels, values = tuple(options), tuple(options.values())
    else:
        labels, values = tuple(str(o) for o in options), tuple(options)
    return Choice(name, labels, values, start)


def picture(name: str, default: Image, largest: int = 512) -> Picture:
    """Describe a button with which the reader gives a picture of their own, for `live`.

    Parameters
    ----------
    name
        What the button says, such as ``"Your own photograph"``.
    default
        The picture until then, as `lecture_utils.show.pixels` takes it. The function gets uint8
        arrays, (H, W) if this one is grey and (H, W, 3) if it has colours.
    largest
        Pixels of the longer side, to which a larger picture is shrunk.

    Raises
    ------
    ValueError
        If the name is empty, the default is not an image, or ``largest`` is below 16.
    """
    return Picture(name, pixels(default), largest)


def live(
    function: Callable[..., Any], *controls: Control, page: Explorer
) -> Explorer | Live:
    """Let the reader recompute a picture with any values, where a kernel runs.

    In JupyterLab, Notebook, VS Code and Colab the cell shows the controls, and the function is
    called at each move: with the last values only, if it is slower than the reader. What it raises
    is shown as a sentence. In a page and wherever notebooks are run without a reader (a build, a
    test, nbconvert, papermill) the cell shows the explorer ``page``, and the function is called
    once with the first values, so that one that fails is found.

    Parameters
    ----------
    function
        Called with one value for each control, in their order. It returns an image as
        `lecture_utils.show.pixels` takes it or a matplotlib figure, alone or in a pair with a
        sentence that is shown below and read out.
    controls
        At least one of `real`, `whole`, `choice` and `picture`.
    page
        The explorer that the page shows: the same thing at values computed beforehand. Its caption
        and its text alternative stand for the live picture too.

    Returns
    -------
    Explorer or Live
        Displays itself as the last expression of a cell.

    Raises
    ------
    ValueError
        If there is no control, or two have one name.

    Examples
    --------
    The explorer has three values of τ; where a kernel runs the reader has all between them, and
    a photograph of their own:

    >>> def denoised(tau, image):
    ...     result = shrink(image, tau)
    ...     return result, f"{psnr(result, image):.1f} dB"
    >>> explore.live(
    ...     denoised,
    ...     explore.real("τ", 0, 1, start=0.1, step=0.01),
    ...     explore.picture("Your own photograph", photo, largest=256),
    ...     page=explore.slider(
    ...         [denoised(tau, photo)[0] for tau in (0.05, 0.1, 0.5)],
    ...         [0.05, 0.1, 0.5],
    ...         name="τ",
    ...         caption="Small τ keeps the noise, large τ takes the texture.",
    ...         alt="The photograph, smoother the larger τ is",
    ...     ),
    ... )
    """
    names = [control.name for control in controls]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"The controls are {names}; give at least one, each with a name of"
            " its own."
        )
    if not _reader_is_here():
        _result(function(*[control.first() for control in controls]))
        return page
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        html = f"<p>{escape(_WITHOUT_WIDGETS)}</p>{page.html}"
        return replace(page, html=html)
    return Live(function, controls, page)


class Live:
    """Controls and the picture that they compute, which a notebook displays; made by `live`.

    Attributes
    ----------
    widget
        All of it, as one widget.
    controls
        The widget behind each control's name; setting its ``value`` moves the control.
    output
        The widget whose ``value`` is the picture as HTML.
    message
        The widget whose ``value`` says what the function said, or why it failed.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        controls: Sequence[Control],
        page: Explorer,
    ) -> None:
        import ipywidgets

        self._function = function
        self._page = page
        self._id = f"lecture-live-{uuid.uuid4().hex[:12]}"
        # Names of pictures stand inside their buttons.
        names = [c.name for c in controls if not isinstance(c, Picture)]
        label = f"{max(map(len, names), default=0) + 1}ch"
        self._built = {
            control.name: control.build(ipywidgets, label)
            for control in controls
        }
        self.controls = {
            name: built.source for name, built in self._built.items()
        }
        self.output = ipywidgets.HTML()
        self.message = ipywidgets.HTML()
        self.widget = ipywidgets.VBox(
            [
                *(built.box for built in self._built.values()),
                self.output,
                self.message,
                ipywidgets.HTML(
                    f"<em>{escape(page.caption)} Your kernel computes the"
                    " picture at each move.</em>"
                ),
            ]
        )
        self.widget.add_class("lecture-live").add_class(self._id)
        self._seconds = 0.0
        self._waiting = False
        self._lock = threading.Lock()
        self._loop = _loop()
        self._compute()
        for source in self.controls.values():
            source.observe(self._moved, names="value")

    def __repr__(self) -> str:
        return f"live explorer: {', '.join(self.controls)}"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        # A notebook that is opened without a kernel has lost the widget, and
        # then the explorer is seen; while the widget is there it is hidden.
        mark = f"{self._id}-page"
        item = ".jp-OutputArea-child"
        style = (
            f"*:has(.{mark}):has(+ * .{self._id}), {item}:has(.{mark})"
            f" + {item}:not(:has(.{self._id})) {{ display: none !important; }}"
        )
        script = (files("lecture_utils") / "live.js").read_text("utf-8")
        html = (
            f'<style>{style}</style><div class="{mark}">{self._page.html}'
            f"</div><script>{script}</script>"
        )
        display({"text/html": html, "text/plain": self._page.text}, raw=True)  # type: ignore[no-untyped-call]
        view = {
            "version_major": 2,
            "version_minor": 0,
            "model_id": self.widget.model_id,
        }
        display(  # type: ignore[no-untyped-call]
            {
                "application/vnd.jupyter.widget-view+json": view,
                "text/plain": repr(self),
            },
            raw=True,
        )

    def _moved(self, _: object) -> None:
        """Ask for a computation with the values that hold when it starts."""
        if self._loop is None:
            self._compute()
            return
        with self._lock:
            if self._waiting:
                return
            self._waiting = True
        try:
            # A front end may deliver changes in a thread of its own
            # (JupyterLab's subshells); the function runs in the kernel's.
            self._loop.call_soon_threadsafe(
                self._loop.call_later, PAUSE, self._tick
            )
        except RuntimeError:  # the loop of a subshell that was closed
            self._loop = None
            self._tick()

    def _tick(self) -> None:
        with self._lock:
            self._waiting = False
        self._compute()

    def _compute(self) -> None:
        """Call the function, and show what it returns or why it did not."""
        if self._seconds > _SLOW:
            self.message.value = (
                f"Computing, about {max(1, round(self._seconds))} s ..."
            )
        start = time.monotonic()
        figures = _open_figures()
        told: list[str] = []
        try:
            with _interruptible():
                values = [built.read() for built in self._built.values()]
                told = [
                    f"{name}: {built.tell()}"
                    for name, built in self._built.items()
                ]
                image, drawn, said = _result(self._function(*values))
            self.output.value = _img(
                image, drawn, f"{self._page.alt} ({', '.join(told)})"
            )
            self.message.value = f'<div role="status">{escape(said)}</div>'
        except (Exception, KeyboardInterrupt) as error:
            _close_figures(figures)
            self.output.value = ""
            self.message.value = (
                f'<div role="alert">{escape(_failure(error, told))}</div>'
            )
        self._seconds = time.monotonic() - start


def _check_name(name: str) -> None:
    if not name.strip():
        raise ValueError(
            "A control has no name. Say in a word or two what it moves."
        )


def _reader_is_here() -> bool:
    """Tell whether a notebook's front end runs this cell, and not a program.

    JupyterLab, Notebook and VS Code send the cell's id with its code, which ipykernel hands on;
    nbclient (and with it this book's build, nbconvert and papermill), nbval and consoles do not.
    """
    if "google.colab" in sys.modules:
        return True
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return "cellId" in (request.get("metadata") or {})


def _loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop in which a kernel handles its messages; None to compute at once.

    Colab passes on what a kernel says while it handles a message, and holds back what it says later
    (googlecolab/colabtools issue 3373). There, as everywhere, the browser sends the next change of
    a widget only when the one before has been handled, and then the last.
    """
    if "google.colab" in sys.modules:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _interruptible:
    """Let the interrupt button stop a computation; between cells a kernel ignores it."""

    def __enter__(self) -> None:
        self.before: Any = None
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(
                signal.SIGINT, signal.default_int_handler
            )

    def __exit__(self, *_: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)


def _result(returned: Any) -> tuple[Pixels, bool, str]:
    """Return the picture, whether it was drawn by matplotlib, and the sentence with it."""
    said: object = ""
    if isinstance(returned, tuple):
        if len(returned) != 2 or not isinstance(returned[1], str):
            kinds = ", ".join(type(item).__name__ for item in returned)
            raise ValueError(
                f"The function returned ({kinds}); a pair must be a picture"
                " and a string."
            )
        returned, said = returned
    return rendered(returned), is_figure(returned), str(said)


def _img(image: Pixels, drawn: bool, alt: str) -> str:
    """Return a picture as HTML; pixels that are meant to be seen are not smoothed."""
    from PIL import Image as Pillow

    height, full = image.shape[:2]
    width = page_width(image, drawn=drawn)
    kept = not drawn and width >= 2 * full
    shown = Pillow.fromarray(image)
    if full > PAGE:  # more than a screen shows, and slow to send
        shown = shown.resize(
            (PAGE, max(1, round(height * PAGE / full))),
            Pillow.Resampling.LANCZOS,
        )
    buffer = io.BytesIO()
    shown.save(buffer, format="png", compress_level=1)
    data = base64.b64encode(buffer.getvalue()).decode()
    style = f"width: {width}px; max-width: 100%; height: auto;" + (
        " image-rendering: pixelated;" if kept else ""
    )
    return (
        f'<img alt="{escape(alt)}" style="{style}"'
        f' src="data:image/png;base64,{data}">'
    )


def _failure(error: BaseException, told: Sequence[str]) -> str:
    """Say in a sentence why there is no picture."""
    where = f" for {', '.join(told)}" if told else ""
    if isinstance(error, KeyboardInterrupt):
        return (
            f"The computation{where} was interrupted. Move a control to start"
            " another."
        )
    reason = str(error).strip() or "no reason was given"
    if not isinstance(error, ValueError):  # whose text is a sentence here
        reason = f"{type(error).__name__}: {reason}"
    if reason[-1] not in ".!?":
        reason += "."
    return f"There is no picture{where}. {reason}"


def _uploaded(value: Any) -> tuple[str, bytes | None]:
    """Return name and content of an upload; before there is one, the book's own picture's name."""
    # ipywidgets 7, which Colab has, gives a dictionary by name.
    files = (
        [{"name": name, **file} for name, file in value.items()]
        if isinstance(value, Mapping)
        else list(value)
    )
    if not files:
        return "the book's picture", None
    return str(files[-1]["name"]), bytes(files[-1]["content"])


def _open_figures() -> set[int]:
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()


def _close_figures(before: set[int]) -> None:
    """Close the figures that a function had begun; the next cell would show them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    for number in _open_figures() - before:
        if pyplot:
            pyplot.close(number)
