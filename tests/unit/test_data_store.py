"""Look-up and download: the order, the refusals, and nothing half done in the cache."""

import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pooch
import pytest

from lecture_utils import data, figures, start
from lecture_utils.data import records, store

CONTENT = {"a.bin": b"first" * 1000, "sub/b.bin": b"second" * 1000}


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT on the loopback address; can be told to break the connection or to lie."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = dict(CONTENT)
        self.asked = []
        self.cut = None

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.asked.append(name)
        if name not in self.server.content:
            self.send_error(404)
            return
        body = self.server.content[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    served = Server()
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Give each test a data folder and a cache of its own."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LECTURE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LECTURE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


@pytest.fixture
def tiny(server, monkeypatch):
    """Register a data set of two files that the server has."""
    record = replace(
        data.get("set14"),
        name="tiny",
        folder="small/tiny",
        files=tuple(
            data.File(name, len(body), hashlib.sha256(body).hexdigest(), server.address + name)
            for name, body in CONTENT.items()
        ),
    )
    monkeypatch.setitem(records.DATASETS, "tiny", record)
    return record


@pytest.fixture
def offline(monkeypatch):
    """Make any connection an error that no handler of this package catches."""

    def refuse(*args):
        raise AssertionError(f"a connection was opened: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def files_below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def put(folder, content=CONTENT):
    for name, body in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)


# Finding


def test_the_folder_comes_before_the_cache_and_the_cache_before_nothing(tiny, folders, offline):
    assert data.find("tiny") is None
    put(folders / "cache" / "tiny")
    assert data.find("tiny") == folders / "cache" / "tiny"
    put(folders / "data" / "small" / "tiny")
    assert data.find("tiny") == folders / "data" / "small" / "tiny"


def test_without_a_data_folder_the_cache_is_used(tiny, folders, monkeypatch):
    monkeypatch.delenv("LECTURE_DATA_DIR")
    put(folders / "cache" / "tiny")
    assert data.find("tiny") == folders / "cache" / "tiny"


def test_a_folder_that_lacks_a_file_does_not_count_and_the_message_says_which(tiny, folders):
    put(folders / "data" / "small" / "tiny", {"a.bin": b"x"})
    assert data.find("tiny") is None
    with pytest.raises(data.DataNotFoundError, match=r"small/tiny lacks sub/b\.bin; .*fetch tiny"):
        data.locate("tiny")


def test_a_data_folder_that_does_not_exist_is_an_error_and_not_an_empty_folder(monkeypatch):
    monkeypatch.setenv("LECTURE_DATA_DIR", "/no/such/folder")
    sentence = r"LECTURE_DATA_DIR is '/no/such/folder', and there is no such folder\. Set it"
    with pytest.raises(data.DataNotFoundError, match=sentence):
        data.find("set5")
    with pytest.raises(data.DataNotFoundError, match=sentence):
        data.super_resolution_benchmark()
    assert "no such folder" in data.check("set5")[0]
    assert set(data.photos()) == {"astronaut", "chelsea", "coffee", "rocket", "china", "flower"}


def test_an_unknown_name_is_refused_everywhere():
    for function in (data.find, data.locate, data.fetch, data.check):
        with pytest.raises(ValueError, match=r"There is no data set 'lena'; choose one of"):
            function("lena")


def test_a_data_set_that_cannot_be_downloaded_says_how_to_get_it(offline):
    run = start(profile="full", quiet=True)
    with pytest.raises(data.DataNotFoundError, match=r"To get it, .*mmlab\.ie\.cuhk\.edu\.hk"):
        data.locate("celeba_10k", run)
    with pytest.raises(data.DataNotFoundError, match=r"cannot be downloaded\. To get it, "):
        data.fetch("facades")


@pytest.mark.parametrize("profile", ["ci", "book", None])
def test_nothing_is_downloaded_unasked(tiny, server, profile, offline):
    run = profile and start(profile=profile, quiet=True)
    with pytest.raises(data.DataNotFoundError):
        data.locate("tiny", run)
    for loader in (data.set5, data.set14, data.bsd100, data.t91, data.cifar10, data.mnist):
        with pytest.raises(data.DataNotFoundError, match="data fetch"):
            loader(run=run)
    name, images = data.super_resolution_benchmark(run)
    assert name == "embedded photos" and len(images) == 5
    assert data.check("tiny")[0].startswith("Set14 ('tiny') was not found")
    assert server.asked == []


def test_an_embedded_file_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(store.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(data.DataNotFoundError, match=r"skimage/data/astronaut\.png is not inst"):
        data.photos()


def test_embedded_data_needs_no_download(offline):
    assert data.fetch("photos") == data.find("photos")
    assert (data.find("photos") / "astronaut.png").is_file()


# Folders

RELATIVE = {"LECTURE_DATA_DIR": "own/data", "LECTURE_CACHE_DIR": "own/cache"}


def test_a_relative_folder_starts_where_the_command_was_given(tiny, folders, monkeypatch):
    monkeypatch.chdir(folders)
    for variable, value in RELATIVE.items():
        monkeypatch.setenv(variable, value)
    put(folders / "own/data/small/tiny")
    assert data.find("tiny") == folders / "own/data/small/tiny"
    assert data.cache_folder() == folders / "own/cache"
    assert data.absolute_folders() == {
        "LECTURE_DATA_DIR": str(folders / "own/data"),
        "LECTURE_CACHE_DIR": str(folders / "own/cache"),
    }
    (folders / "below").mkdir()
    monkeypatch.chdir(folders / "below")
    sentence = "LECTURE_DATA_DIR is 'own/data', which is .*/below/own/data, and there is no such"
    with pytest.raises(data.DataNotFoundError, match=sentence):
        data.data_folder()


@pytest.mark.parametrize("variable", RELATIVE)
def test_a_notebook_refuses_a_relative_folder(variable, folders, monkeypatch):
    """Started by hand in Jupyter, it would look in the notebook's folder and find nothing."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    code = "from lecture_utils import data\nprint(data.find('set5'))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    client = NotebookClient(notebook, kernel_name="python3", timeout=300)
    monkeypatch.chdir(folders)
    with pytest.raises(CellExecutionError) as caught:
        client.execute(env=os.environ | {variable: "data"})
    assert f"{variable} is 'data'. In a notebook a relative path would start" in str(caught.value)
    assert f"Give the whole path, such as {folders}/data." in str(caught.value)


def test_an_exported_figure_gets_the_folders_where_the_command_was_given(folders, monkeypatch):
    """The notebook runs in its own folder, with absolute paths."""
    import nbformat

    book = folders / "book"
    (book / "part").mkdir(parents=True)
    (book / "figures.csv").write_text("id,section,slide,shows\na/plot,part/one,Slide,a plot\n")
    lines = [
        "import matplotlib.pyplot as plt",
        "from lecture_utils import data, show",
        "places = [data.data_folder(), data.cache_folder()]",
        f"assert places == [__import__('pathlib').Path({str(folders)!r}, 'own', x)",
        "                  for x in ('data', 'cache')], places",
        "plt.figure(figsize=(1, 1)).add_subplot().plot([1, 2])",
        "show.figure('a/plot', 'A caption.', 'Nothing.')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(lines))])
    nbformat.write(notebook, book / "part/one.ipynb")
    (folders / "own/data").mkdir(parents=True)
    monkeypatch.chdir(folders)
    for variable, value in RELATIVE.items():
        monkeypatch.setenv(variable, value)
    made = figures.export(["all"], folders / "out", formats=["png"], profile="ci", book=book)
    assert [entry["id"] for entry in made["figures"]] == ["a/plot"]


def without_home(monkeypatch):
    """Do as an account without an entry of its own does, as `docker run --user 12345` has it."""
    import pwd

    def missing(*args):
        raise KeyError("no entry")

    for variable in ("HOME", "XDG_CACHE_HOME", "LECTURE_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", missing)


def test_without_a_home_folder_data_are_found_and_only_downloads_need_a_place(
    tiny, folders, monkeypatch
):
    without_home(monkeypatch)
    sentence = r"no home folder.*Set LECTURE_CACHE_DIR to a folder that you may write to\."
    with pytest.raises(data.DataNotFoundError, match=sentence):
        data.cache_folder()
    with pytest.raises(data.DataNotFoundError, match=sentence):
        data.fetch("tiny", progress=False)
    assert data.find("tiny") is None
    with pytest.raises(
        data.DataNotFoundError, match=r"does not exist\. .*no home folder for a cache"
    ):
        data.locate("tiny")
    put(folders / "data/small/tiny")
    assert data.find("tiny") == folders / "data/small/tiny"
    monkeypatch.delenv("LECTURE_DATA_DIR")
    with pytest.raises(data.DataNotFoundError, match="there is no folder to look in"):
        data.locate("tiny")
    assert set(data.textures()) >= {"gravel"}


@pytest.mark.parametrize("variable", RELATIVE)
def test_a_tilde_without_a_home_folder_is_a_sentence(variable, monkeypatch):
    without_home(monkeypatch)
    monkeypatch.setenv(variable, "~/data")
    with pytest.raises(data.DataNotFoundError, match=rf"{variable} is '~/data', and its ~ stands"):
        data.find("set5")


def test_doctor_reports_without_a_home_folder(tmp_path):
    program = """
import pwd, sys
def missing(*args):
    raise KeyError("no entry")
pwd.getpwuid = missing
sys.argv = ["lecture_utils", "doctor"]
from lecture_utils.cli import main
main()
"""
    names = {"HOME", "XDG_CACHE_HOME", *RELATIVE}
    environment = {key: value for key, value in os.environ.items() if key not in names}
    environment |= {"LECTURE_DATA_DIR": "~/data", "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "cache            This account has no home folder" in done.stdout
    assert "data folder      LECTURE_DATA_DIR is '~/data', and its ~ stands" in done.stdout


# Rights


@pytest.fixture
def refused(request):
    """Take a path's rights away; root, whom no rights bind, becomes another account meanwhile."""

    def refuse(path):
        before = path.stat().st_mode
        path.chmod(0)
        request.addfinalizer(lambda: path.chmod(before))
        if os.geteuid() == 0:
            for folder in [path, *path.parents][1:-1]:  # pytest's own folders are root's
                mode = folder.stat().st_mode
                if not mode & 1:
                    request.addfinalizer(lambda folder=folder, mode=mode: folder.chmod(mode))
                    folder.chmod(mode | 0o755)
            os.seteuid(65534)
            request.addfinalizer(lambda: os.seteuid(0))

    return refuse


def test_a_downloaded_file_has_the_rights_of_any_new_file(tiny, folders):
    before = os.umask(0o027)
    try:
        folder = data.fetch("tiny", progress=False)
    finally:
        os.umask(before)
    for name in CONTENT:
        assert oct((folder / name).stat().st_mode & 0o777) == oct(0o640)


def test_a_file_of_another_account_is_named_as_such_and_not_as_damaged(tiny, folders, refused):
    folder = data.fetch("tiny", progress=False)
    refused(folder / "a.bin")
    (problem,) = data.check("tiny")
    assert problem.startswith(f"{folder / 'a.bin'} may not be read by this account. Ask its owner")
    with pytest.raises(data.DataUnreadableError, match=r"a\.bin may not be read by this account"):
        data.fetch("tiny", progress=False)


def test_a_folder_of_another_account_is_named(tiny, folders, refused):
    put(folders / "data/small/tiny")
    refused(folders / "data/small")
    assert data.find("tiny") is None
    with pytest.raises(data.DataNotFoundError, match=r"data/small may not be read by this account"):
        data.locate("tiny")


def test_a_data_folder_of_another_account_is_named(folders, monkeypatch, refused):
    (folders / "theirs/data").mkdir(parents=True)
    monkeypatch.setenv("LECTURE_DATA_DIR", str(folders / "theirs/data"))
    refused(folders / "theirs")
    with pytest.raises(data.DataNotFoundError, match=r"theirs may not be read by this account"):
        data.find("set5")


def test_a_folder_in_the_place_of_a_file_is_named(tiny, folders):
    (folders / "cache/tiny/a.bin").mkdir(parents=True)
    (sentence,) = data.check("tiny")
    assert "tiny/a.bin is a folder, and a file is needed there" in sentence
    with pytest.raises(data.DataUnreadableError, match=r"a\.bin is a folder, and a file is needed"):
        data.fetch("tiny", progress=False)


def test_what_reading_meets_is_named_by_its_kind(folders):
    import errno

    from PIL import Image

    path = folders / "picture.png"
    path.touch()
    for error, kind, words in [
        (OSError(errno.EIO, "Input/output error"), data.DataUnreadableError, "the disk or the net"),
        (Image.UnidentifiedImageError("no image"), data.DataCorruptError, "damaged or cut off"),
        (OSError("image file is truncated"), data.DataCorruptError, "damaged or cut off"),
    ]:
        with pytest.raises(kind, match=rf"picture\.png .*{words}"), store.reading(path):
            raise error


# Downloading


def test_fetch_downloads_checks_and_does_not_ask_twice(tiny, server, folders):
    folder = data.fetch("tiny", progress=False)
    assert folder == folders / "cache" / "tiny" == data.find("tiny")
    assert files_below(folders / "cache") == ["tiny/a.bin", "tiny/sub/b.bin"]
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    assert server.asked == list(CONTENT)
    data.fetch("tiny", progress=False)
    assert server.asked == list(CONTENT)


def test_fetch_replaces_what_was_damaged_and_nothing_else(tiny, server):
    folder = data.fetch("tiny", progress=False)
    (folder / "sub/b.bin").write_bytes(b"damaged")
    (problem,) = data.check("tiny")
    assert tiny.files[1].sha256 in problem and hashlib.sha256(b"damaged").hexdigest() in problem
    server.asked.clear()
    data.fetch("tiny", progress=False)
    assert server.asked == ["sub/b.bin"]
    assert data.check("tiny") == []


def test_profile_full_downloads_what_is_missing(tiny, server, folders):
    run = start(profile="full", quiet=True)
    assert data.locate("tiny", run) == folders / "cache" / "tiny"
    assert server.asked == list(CONTENT)


def test_a_hash_that_differs_is_reported_with_both_and_the_file_removed(tiny, server, folders):
    server.content["a.bin"] = b"something else"
    with pytest.raises(data.DataCorruptError) as caught:
        data.fetch("tiny", progress=False)
    assert tiny.files[0].sha256 in str(caught.value)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert files_below(folders) == []


def test_a_connection_that_breaks_leaves_no_half_file_and_keeps_the_whole_ones(
    tiny, server, folders
):
    data.fetch("tiny", progress=False)
    (folders / "cache" / "tiny" / "sub" / "b.bin").unlink()
    server.cut = 100
    with pytest.raises(data.DownloadError, match=r"sub/b\.bin could not be downloaded .* try ag"):
        data.fetch("tiny", progress=False)
    assert files_below(folders) == ["cache/tiny/a.bin"]
    server.cut = None
    assert data.fetch("tiny", progress=False) == data.find("tiny")


def test_an_interrupted_download_leaves_no_half_file(tiny, folders, monkeypatch):
    def interrupted(self, url, output_file, pooch_object, check_only=False):
        Path(output_file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.fetch("tiny", progress=False)
    assert files_below(folders) == []


def test_a_file_that_is_gone_is_a_sentence(tiny, server, folders):
    del server.content["a.bin"]
    with pytest.raises(data.DownloadError, match=r"a\.bin could not be downloaded \(404"):
        data.fetch("tiny", progress=False)
    assert files_below(folders) == []


def test_no_network_is_a_sentence(tiny, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(data.DownloadError, match=r"Check the network and try again"):
        data.fetch("tiny", progress=False)


def test_a_cache_that_cannot_be_written_is_a_sentence(tiny, folders):
    (folders / "cache").write_bytes(b"a file stands where the folder should be")
    with pytest.raises(OSError, match=r"a\.bin could not be written .*LECTURE_CACHE_DIR"):
        data.fetch("tiny", progress=False)
    assert (folders / "cache").read_bytes() == b"a file stands where the folder should be"


def test_a_full_disk_leaves_no_half_file(tiny, folders, monkeypatch):
    def full(self, url, output_file, pooch_object, check_only=False):
        Path(output_file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    with pytest.raises(OSError, match=r"No space left on device.*Free some space"):
        data.fetch("tiny", progress=False)
    assert files_below(folders) == []


def test_the_cache_is_a_folder_of_the_account_unless_named(monkeypatch):
    monkeypatch.delenv("LECTURE_CACHE_DIR")
    assert data.cache_folder().name == "lecture_utils"
    assert data.cache_folder().is_absolute()
    monkeypatch.setenv("LECTURE_CACHE_DIR", "~/elsewhere")
    assert "~" not in str(data.cache_folder())


def test_the_progress_bar_counts_the_files(tiny, capsys):
    data.fetch("tiny", progress=True)
    assert "2/2" in capsys.readouterr().err
