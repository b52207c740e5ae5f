"""Look-up and download: the order, the refusals, and nothing half done in the cache."""

import hashlib
import http.server
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pooch
import pytest

from lecture_utils import data, start
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
