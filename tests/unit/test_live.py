"""Live explorers, their widgets driven in this process: what they compute, say and survive."""

import asyncio
import base64
import io
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from PIL import Image

from lecture_utils import explore
from lecture_utils import live as module
from lecture_utils.live import Live, _reader_is_here

matplotlib.use("agg")
pytest.importorskip("ipywidgets")
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


FIND_LOOP = module._loop


@pytest.fixture(autouse=True)
def no_loop(monkeypatch):
    """Compute at once: the loop of a browser that another test has opened is not a kernel's."""
    monkeypatch.setattr(module, "_loop", lambda: None)


@pytest.fixture
def in_loop(monkeypatch):
    """Run a coroutine as a kernel runs cells, in a loop of its own; return what it returns."""
    monkeypatch.setattr(module, "_loop", FIND_LOOP)
    with ThreadPoolExecutor(1) as thread:
        yield lambda coroutine: thread.submit(asyncio.run, coroutine).result()


def page():
    return explore.slider(
        [PHOTO, PHOTO], [0.1, 0.9], name="τ", caption="Watch <τ>.", alt="A photograph"
    )


def flat(level):
    return np.full((4, 5), level)


def made(function, *controls):
    return Live(function, controls, page())


def shown(live):
    """Return the picture's pixels and its text alternative."""
    tag = live.output.value
    data = base64.b64decode(re.search(r"base64,([^\"]+)", tag)[1])
    return np.asarray(Image.open(io.BytesIO(data))), unescape(re.search(r'alt="([^"]*)"', tag)[1])


def said(live):
    return unescape(re.sub(r"<[^>]+>", "", live.message.value))


def tau(**options):
    return explore.real("τ", **{"low": 0, "high": 1, "start": 0.5, "step": 0.1} | options)


# Controls


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tau(start=2), "starts at 2, outside 0 .. 1"),
        (lambda: tau(low=1, high=1), "low end must lie below"),
        (lambda: tau(step=0), "the step above 0"),
        (lambda: tau(high=float("nan")), "must be finite"),
        (lambda: explore.whole("k", 0, 10, 2.5), "takes whole numbers"),
        (lambda: explore.real(" ", 0, 1, 0, 0.1), "has no name"),
        (lambda: explore.choice("method", ["one"]), "at least two"),
        (lambda: explore.choice("method", ["one", "one"]), "a label of its own"),
        (lambda: explore.choice("method", ["one", "two"], 2), "has the options 0 to 1"),
        (lambda: explore.picture("own", PHOTO, largest=4), "at least 16"),
    ],
)
def test_controls_refuse_what_makes_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_picture_of_another_type_is_refused():
    with pytest.raises(TypeError, match=r"array of int64.*needs uint8"):
        explore.picture("own", np.zeros((3, 3), int))


def test_controls_need_names_of_their_own():
    for controls in ((), (tau(), tau())):
        with pytest.raises(ValueError, match="a name of its own"):
            explore.live(flat, *controls, page=page())


# What it computes


def test_each_move_calls_the_function_with_the_values():
    calls = []
    table = np.eye(3)

    def function(*values):
        calls.append(values)
        return flat(values[0])

    live = made(
        function,
        tau(),
        explore.whole("k", 1, 9, 3),
        explore.choice("matrix", {"identity": table, "none": None}),
    )
    assert calls == [(0.5, 3, table)]
    live.controls["τ"].value = 0.237
    live.controls["k"].value = 4
    live.controls["matrix"].value = 1
    assert calls[-1] == (0.237, 4, None)
    assert [type(value) for value in calls[-1]] == [float, int, type(None)]
    pixels, alt = shown(live)
    assert (pixels == round(0.237 * 255)).all()
    assert alt == "A photograph (τ: 0.237, k: 4, matrix: none)"
    assert live.output.value.count("image-rendering: pixelated") == 1, "five pixels are magnified"


def test_a_typed_number_goes_to_the_slider():
    row = made(flat, tau()).widget.children[0]
    field, slider = row.children
    assert field.description == "τ", "the field carries the label"
    assert (field.min, field.max, field.step) == (slider.min, slider.max, slider.step)


def test_images_tensors_figures_and_sentences():
    def figure():
        figure, axes = plt.subplots(figsize=(2, 1))
        axes.plot([0, 1])
        return figure

    results = [
        PHOTO,
        torch.from_numpy(PHOTO).permute(2, 0, 1),
        (PHOTO, "32.1 dB < 33 dB"),
        (figure(), "a curve"),
    ]
    live = made(lambda i: results[i], explore.whole("i", 0, 3, 0))
    assert np.array_equal(shown(live)[0], PHOTO)
    live.controls["i"].value = 1
    assert np.array_equal(shown(live)[0], PHOTO)
    assert said(live) == ""
    live.controls["i"].value = 2
    assert said(live) == "32.1 dB < 33 dB"
    live.controls["i"].value = 3
    assert shown(live)[0].shape == (192, 384, 3)
    assert "width: 192px" in live.output.value
    assert said(live) == "a curve"
    assert not plt.get_fignums(), "a figure that stays open is shown by the next cell"


def test_a_large_picture_is_sent_as_large_as_a_screen_shows_it():
    live = made(lambda _: np.zeros((2000, 2880), np.uint8), tau())
    assert shown(live)[0].shape == (1000, 1440)
    assert "width: 720px" in live.output.value


# What it survives


def test_an_error_is_a_sentence_and_the_next_move_works():
    def function(value):
        plt.figure()
        if value > 0.6:
            raise ZeroDivisionError("by <nothing>")
        if value < 0.4:
            raise ValueError("The value is too small; take a larger one.")
        plt.close()
        return flat(value)

    live = made(function, tau())
    live.controls["τ"].value = 0.7
    assert live.output.value == ""
    assert said(live) == "There is no picture for τ: 0.7. ZeroDivisionError: by <nothing>."
    live.controls["τ"].value = 0.3
    assert said(live).endswith("τ: 0.3. The value is too small; take a larger one.")
    assert 'role="alert"' in live.message.value
    live.controls["τ"].value = 0.5
    assert said(live) == ""
    assert (shown(live)[0] == round(0.5 * 255)).all()
    assert not plt.get_fignums(), "what the function had begun to draw is closed"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "An image is a NoneType"),
        (np.full((2, 2), 7.0), "from 7 to 7; floats must lie in"),
        ((PHOTO, PHOTO), "a pair must be a picture and a string"),
    ],
)
def test_a_result_that_is_no_picture_is_said_so(result, message):
    assert message in said(made(lambda _: result, tau()))


def test_the_interrupt_button_stops_a_computation():
    import os
    import signal

    def function(value):
        if value > 0.6:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        return flat(value)

    live = made(function, tau())
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as ipykernel has it between cells
    try:
        live.controls["τ"].value = 0.9
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert "was interrupted" in said(live)
    live.controls["τ"].value = 0.2
    assert said(live) == ""


# Throttling


def test_a_slow_function_gets_the_last_value_and_few_between(in_loop):
    calls = []

    def slow(value):
        calls.append(value)
        time.sleep(0.1)
        return flat(value)

    async def drag():
        live = made(slow, tau(start=0))
        for step in range(1, 101):
            live.controls["τ"].value = step / 100
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.3)
        return live

    live = in_loop(drag())
    assert calls[-1] == 1.0
    assert (shown(live)[0] == 255).all()
    assert calls == sorted(calls)
    assert 3 <= len(calls) <= 40, calls


def test_changes_from_another_thread_are_computed_in_the_kernel_s(in_loop):
    threads = set()

    def function(value):
        threads.add(threading.current_thread())
        return flat(value)

    async def drag():
        live = made(function, tau(start=0))
        other = threading.Thread(
            target=lambda: [setattr(live.controls["τ"], "value", i / 50) for i in range(51)]
        )
        other.start()
        other.join()
        await asyncio.sleep(0.2)
        assert threads == {threading.current_thread()}
        return live

    live = in_loop(drag())
    assert (shown(live)[0] == 255).all()


def test_in_colab_each_change_is_computed_at_once(monkeypatch, in_loop):
    monkeypatch.setitem(sys.modules, "google.colab", object())

    async def move():
        live = made(flat, tau())
        live.controls["τ"].value = 1.0
        return (shown(live)[0] == 255).all()

    assert in_loop(move()), "what a kernel sends later does not reach Colab's page"


def test_a_computation_that_takes_long_is_announced():
    messages = []

    def slow(value):
        messages.append(said(live) if value < 0.5 else "")
        time.sleep(0.5)
        return flat(value)

    live = made(slow, tau())
    live.controls["τ"].value = 0.1
    assert messages == ["", "Computing, about 1 s ..."]


# A picture of the reader's own


def upload(live, content, name="cat.png", version=8):
    """Set an upload's value as the two versions of ipywidgets do that notebooks meet."""
    source = live.controls["own"]
    file = {"name": name, "type": "image/png", "size": len(content), "content": content}
    if version == 8:
        import datetime

        now = datetime.datetime.now(datetime.UTC)
        source.value = (file | {"content": memoryview(content), "last_modified": now},)
    else:
        from lecture_utils.live import _uploaded

        assert _uploaded({name: {"metadata": {"name": name}, "content": content}}) == (
            name,
            content,
        )


def encoded(image, kind="png", **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind, **options)
    return buffer.getvalue()


def own(default=PHOTO, **options):
    return made(lambda image: image, explore.picture("own", default, **options))


def note(live):
    return unescape(live.widget.children[0].children[1].value)


def test_an_upload_takes_the_place_of_the_book_s_picture():
    live = own()
    pixels, alt = shown(live)
    assert np.array_equal(pixels, PHOTO)
    assert alt == "A photograph (own: the book's picture)"
    other = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    upload(live, encoded(other))
    pixels, alt = shown(live)
    assert np.array_equal(pixels, other)
    assert alt == "A photograph (own: cat.png)"
    assert note(live) == "cat.png: 7 × 9 pixels."


def test_uploads_of_ipywidgets_7_are_read():
    upload(own(), encoded(PHOTO), version=7)


def test_a_grey_section_gets_a_grey_upload():
    live = own(default=PHOTO[:, :, 0])
    upload(live, encoded(PHOTO))
    assert shown(live)[0].shape == (6, 8)


def test_a_large_upload_is_shrunk_and_the_reader_is_told():
    live = own(largest=32)
    upload(live, encoded(np.zeros((80, 160, 3), np.uint8)))
    assert shown(live)[0].shape == (16, 32, 3)
    assert note(live) == "cat.png: 160 × 80 pixels, shrunk to 32 × 16."


def test_a_phone_s_picture_stands_upright():
    live = own()
    exif = Image.Exif()
    exif[0x0112] = 6
    upload(live, encoded(np.zeros((20, 40, 3), np.uint8), "jpeg", exif=exif))
    assert shown(live)[0].shape == (40, 20, 3)


def test_a_logo_lies_on_white_and_a_scan_keeps_its_greys():
    live = own()
    upload(live, encoded(np.zeros((6, 8, 4), np.uint8)))
    assert (shown(live)[0] == 255).all()
    upload(live, encoded(np.full((6, 8), 0x8080, np.uint16)))
    assert (shown(live)[0] == 128).all()


def test_an_upload_that_is_too_large_is_a_sentence():
    live = own()
    upload(live, encoded(np.zeros((14_000, 13_500), bool)), name="wall.png")
    assert "wall.png has more pixels than are read" in said(live)


def test_an_upload_that_is_no_picture_is_refused_until_the_next(monkeypatch):
    live = own()
    upload(live, b"%PDF-1.7", name="slides.pdf")
    for _ in range(2):
        assert "slides.pdf is not a picture that can be read. Choose a JPEG" in said(live)
        live._compute()
    unclear = io.BytesIO()
    Image.fromarray(np.full((4, 4), 7.5, np.float32)).save(unclear, format="tiff")
    upload(live, unclear.getvalue(), name="depth.tiff")
    for _ in range(2):
        assert "book's" not in said(live)
        assert "depth.tiff holds floats from 7.5 to 7.5" in said(live), "the reader's own sentence"
        assert "Error" not in said(live)
        live._compute()
    upload(live, encoded(PHOTO)[:-40], name="cut.png")
    assert "cut.png is not a picture" in said(live)
    upload(live, encoded(PHOTO))
    assert said(live) == ""
    assert np.array_equal(shown(live)[0], PHOTO)


# Pages, and cells that nobody looks at


def test_without_a_reader_the_cell_shows_the_page_s_explorer_and_the_function_is_tried():
    calls = []

    def function(*values):
        calls.append(values)
        return flat(0.5), "fine"

    explorer = page()
    controls = (tau(), explore.picture("own", PHOTO))
    assert explore.live(function, *controls, page=explorer) is explorer
    assert len(calls) == 1 and calls[0][0] == 0.5 and np.array_equal(calls[0][1], PHOTO)
    with pytest.raises(ZeroDivisionError):
        explore.live(lambda value: 1 / 0, tau(), page=explorer)
    with pytest.raises(ValueError, match="An image is a NoneType"):
        explore.live(lambda value: None, tau(), page=explorer)


class Shell:
    def __init__(self, metadata):
        self.request = {"metadata": metadata} if metadata is not None else {}

    def get_parent(self):
        return self.request


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"cellId": "a1", "deletedCells": [], "recordTiming": False}, True),  # JupyterLab
        ({"cellId": "vscode-notebook-cell:/a.ipynb#X"}, True),  # VS Code
        ({}, False),  # nbclient, nbval, a console
        (None, False),
    ],
)
def test_the_request_tells_whether_a_reader_is_here(monkeypatch, metadata, expected):
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: Shell(metadata))
    assert _reader_is_here() is expected


def test_neither_ipython_nor_a_script_has_a_reader_of_widgets(monkeypatch):
    assert not _reader_is_here()
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: object())  # a terminal's shell
    assert not _reader_is_here()
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert not _reader_is_here()


def test_without_ipywidgets_one_sentence_stands_above_the_explorer(monkeypatch):
    monkeypatch.setattr("lecture_utils.live._reader_is_here", lambda: True)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    explorer = page()
    shown = explore.live(flat, tau(), page=explorer)
    assert shown.html.endswith(explorer.html)
    assert "install ipywidgets" in shown.html
    assert shown.html.count("<p>") == 1


def test_the_cell_displays_the_explorer_and_the_widget(monkeypatch):
    bundles = []
    monkeypatch.setattr(
        "IPython.display.display", lambda bundle, raw: bundles.append(bundle) or raw
    )
    live = made(flat, tau())
    live._ipython_display_()
    explorer, widget = bundles
    assert page().html in explorer["text/html"]
    view = widget["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == live.widget.model_id
    assert widget["text/plain"] == "live explorer: τ"


def test_importing_the_package_does_not_import_ipywidgets():
    import subprocess

    code = "import sys; from lecture_utils import explore; assert 'ipywidgets' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# In a kernel


CELL = """
import time
import numpy as np
from lecture_utils import explore

calls = []

def slow(level):
    calls.append(level)
    time.sleep(0.3)
    return np.full((4, 4), level), f"level {level:.2f}"

BLACK = np.zeros((8, 8), np.uint8)
explore.live(
    slow,
    explore.real("level", 0, 1, start=0.5, step=0.1),
    page=explore.slider([BLACK] * 2, [1, 2], name="n", caption="Light.", alt="A field"),
)
"""


class Kernel:
    """A kernel, spoken to as a front end does."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def send(self, kind, content, **metadata):
        message = self.client.session.msg(kind, content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def messages(self, until, seconds=1200):
        """Return what the kernel publishes until a message satisfies a condition."""
        found = []
        end = time.monotonic() + seconds
        while not (found and until(found[-1])):
            assert time.monotonic() < end, [(m["msg_type"], m["content"]) for m in found]
            found.append(self.client.get_iopub_msg(timeout=seconds))
        return found

    def execute(self, code, **metadata):
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": True}
        request = self.send("execute_request", content, **metadata)

        def idle(message):
            return (
                message["parent_header"].get("msg_id") == request
                and message["content"].get("execution_state") == "idle"
            )

        return self.messages(idle)


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def displayed(messages):
    return [
        sorted(m["content"]["data"])
        for m in messages
        if m["msg_type"] in {"display_data", "execute_result"}
    ]


def updates(messages):
    """Return the HTML that the kernel sent to widgets."""
    states = [
        m["content"]["data"].get("state", {}) for m in messages if m["msg_type"] == "comm_msg"
    ]
    return [str(state.get("value", "")) for state in states]


def test_a_kernel_that_a_program_drives_shows_the_page_s_explorer(kernel):
    messages = kernel.execute(CELL)
    assert displayed(messages) == [["text/html", "text/plain"]]
    assert not [m for m in messages if m["msg_type"].startswith("comm")]


def test_the_last_of_many_moves_is_computed_and_the_kernel_stays_free(kernel):
    messages = kernel.execute(CELL, cellId="a1")
    assert displayed(messages) == [
        ["text/html", "text/plain"],
        ["application/vnd.jupyter.widget-view+json", "text/plain"],
    ]
    assert any("level 0.50" in html for html in updates(messages))
    (field,) = [
        m["content"]["comm_id"]
        for m in messages
        if m["msg_type"] == "comm_open"
        and m["content"]["data"]["state"].get("description") == "level"
    ]
    begun = time.monotonic()
    for step in range(31):  # as when the slider is dragged to its end
        state = {"method": "update", "state": {"value": step / 30}, "buffer_paths": []}
        kernel.send("comm_msg", {"comm_id": field, "data": state})
        time.sleep(0.02)
    kernel.messages(lambda message: "level 1.00" in "".join(updates([message])))
    taken = time.monotonic() - begun
    (printed,) = [
        m["content"]["text"] for m in kernel.execute("print(*calls)") if m["msg_type"] == "stream"
    ]
    calls = [float(number) for number in printed.split()]
    assert calls[0] == 0.5 and calls[-1] == 1
    assert len(calls) <= 3 + taken / 0.3, calls  # one after the other, 0.3 s each


def test_nbclient_stores_the_explorer_and_no_widget(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    assert "widgets" not in notebook.metadata
    (output,) = notebook.cells[0].outputs
    assert sorted(output["data"]) == ["text/html", "text/plain"]
    assert "<lecture-explorer" in output["data"]["text/html"]
