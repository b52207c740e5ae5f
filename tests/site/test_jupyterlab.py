"""Live explorers where readers meet them: in JupyterLab, in a browser, moved by the keyboard.

The server runs on the loopback device, with a token and with settings of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from PIL import Image

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SECONDS = 1200  # a browser and a kernel on a busy machine; only what hangs takes so long
CODE = """
import numpy as np
from lecture_utils import explore

def ramp(level, kind, photo):
    if level > 0.95:
        raise ValueError("That is too bright; take a lower level.")
    picture = np.full(photo.shape[:2], level)
    return (picture if kind == "flat" else picture * np.linspace(0, 1, photo.shape[1])), f"level {level:.2f}"

BLACK = np.zeros((16, 24, 3), np.uint8)
explore.live(
    ramp,
    explore.real("level", 0, 1, start=0.5, step=0.1),
    explore.choice("kind", ["flat", "rising"]),
    explore.picture("Your own photograph", BLACK, largest=64),
    page=explore.slider(
        [BLACK, BLACK], ["none", "all"], name="light", caption="What the light does.", alt="A grey field"
    ),
)
"""  # noqa: E501
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy is set
KERNEL_WAITS = """() => {
  const session = window.jupyterapp?.shell.currentWidget?.sessionContext;
  return session?.isReady && session.session?.kernel?.status === "idle";
}"""
RUN_ALL = "() => void window.jupyterapp.commands.execute('notebook:run-all-cells')"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, str]]:
    """Start JupyterLab; give its folder, its address and its token."""
    folder = tmp_path_factory.mktemp("lab")
    root = folder / "notebooks"
    root.mkdir()
    token = secrets.token_hex(16)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    environment |= {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_TOKEN": token,
    }
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    news = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(news))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True", "--ServerApp.open_browser=False"]
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=root
    )
    try:
        yield root, _address(server, folder), token
    finally:
        server.terminate()
        server.wait(SECONDS)
        log.close()


def _address(server: subprocess.Popen[bytes], folder: Path) -> str:
    """Wait until the server answers, and return where."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert server.poll() is None, (folder / "log").read_text()
        for file in (folder / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError):  # written before the server listens
                url: str = json.loads(file.read_text())["url"]
                DIRECT.open(f"{url}api").close()
                return url
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start in {SECONDS} s:\n{(folder / 'log').read_text()}")


@pytest.fixture
def open_lab(browser: Any, lab: tuple[Path, str, str]) -> Iterator[Any]:
    """Give a function that opens a notebook in JupyterLab."""
    contexts = []

    def opener(name: str) -> Any:
        _, url, token = lab
        context = browser.new_context(viewport={"width": 1280, "height": 1100})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(f"{url}lab/tree/{name}?token={token}&reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.wait_for_function(KERNEL_WAITS)  # what is run before is dropped without a word
        return page

    yield opener
    for context in contexts:
        context.close()


def _stop_kernels(lab: tuple[Path, str, str]) -> None:
    _, url, token = lab
    headers = {"Authorization": f"token {token}"}
    asked = urllib.request.Request(f"{url}api/sessions", headers=headers)
    with DIRECT.open(asked) as answer:
        sessions = json.load(answer)
    assert sessions
    for session in sessions:
        DIRECT.open(
            urllib.request.Request(
                f"{url}api/sessions/{session['id']}", headers=headers, method="DELETE"
            )
        )


def test_the_controls_move_the_picture_in_jupyterlab(
    open_lab: Any, lab: tuple[Path, str, str], tmp_path: Path
):
    root = lab[0]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CODE)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, root / "live.ipynb")
    page = open_lab("live.ipynb")
    page.evaluate(RUN_ALL)

    def picture(state: str) -> Any:
        shown = page.get_by_role("img", name=f"A grey field ({state})")
        shown.wait_for()
        return shown.get_attribute("src")

    own = "Your own photograph: the book's picture"
    explorer = page.locator("lecture-explorer")
    before = picture(f"level: 0.5, kind: flat, {own}")
    assert not explorer.is_visible(), "while the controls are there, the explorer is hidden"

    # The slider by keyboard, and the field beside it, which takes any number.
    slider = page.get_by_role("slider", name="level")
    slider.focus()
    page.keyboard.press("ArrowRight")
    after = picture(f"level: 0.6, kind: flat, {own}")
    assert after != before
    field = page.get_by_label("level").and_(page.locator("input"))
    assert field.input_value() == "0.6", "the two move together"

    def typed(number: str) -> None:
        field.press("Control+a")
        page.keyboard.type(number)
        page.keyboard.press("Enter")

    typed("0.637")
    assert picture(f"level: 0.637, kind: flat, {own}") != after
    page.get_by_text("level 0.64").wait_for()

    page.get_by_role("combobox", name="kind").focus()
    page.keyboard.press("ArrowDown")  # a key that JupyterLab takes where it is not told to leave it
    rising = picture(f"level: 0.637, kind: rising, {own}")

    page.add_script_tag(path=str(AXE))
    axe = "async () => (await axe.run('.lecture-live')).violations.map(v => [v.id, v.help])"
    assert page.evaluate(axe) == [], "a label or a role is missing"

    # An error is a sentence, and the next move works.
    slider.focus()
    page.keyboard.press("End")
    message = "There is no picture for level: 1, kind: rising"
    page.get_by_role("alert").filter(has_text=message).wait_for()
    typed("0.637")
    assert picture(f"level: 0.637, kind: rising, {own}") == rising

    photo = tmp_path / "tall.png"
    Image.fromarray(np.zeros((256, 128, 3), np.uint8)).save(photo)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Your own photograph").press("Enter")
    chooser.value.set_files(photo)
    picture("level: 0.637, kind: rising, Your own photograph: tall.png")
    page.get_by_text("tall.png: 128 × 256 pixels, shrunk to 32 × 64.").wait_for()

    # The notebook as it is saved, opened when its kernel is gone.
    page.evaluate(SAVE)
    assert "<lecture-explorer" in (root / "live.ipynb").read_text("utf-8")
    _stop_kernels(lab)
    page = open_lab("live.ipynb")
    explorer = page.locator("lecture-explorer")
    explorer.wait_for()
    explorer.get_by_role("slider", name="light").press("ArrowUp")
    page.get_by_role("img", name="A grey field (light: all)").wait_for()
    page.get_by_text("model not found").wait_for(state="attached")
    assert not page.get_by_text("model not found").is_visible()
    assert not page.get_by_role("combobox", name="kind").is_visible()
