"""Figures are made again by the notebooks that own them: same bytes, a record, nothing lost."""

import csv
import errno
import hashlib
import json
import os
import platform
import tempfile

import nbformat
import numpy as np
import pytest

from lecture_utils import figures

PLOT = """import os
import matplotlib.pyplot as plt
from lecture_utils import data, show
faces = data.lfw_faces()
fig, axes = plt.subplots(figsize=(2, 1))
axes.plot([1, 2])
axes.set_title(os.environ["LECTURE_PROFILE"])
show.figure("a/plot", "A caption.", "A line that rises.")
"""
GRID = """show.figure("a/grid", "A caption.", "A face.", show.grid(faces[:1], size=0.5))
import pathlib
assert not list(pathlib.Path().iterdir())  # alone, as a notebook that was downloaded
"""
LIST = [
    ("a/plot", "part/one", "First slide", "a plot"),
    ("a/grid", "part/one", "Second slide, with a comma", "a grid"),
    ("a/later", "part/one", "Third slide", "nothing yet"),
    ("b/broken", "part/two", "Fourth slide", "a failure"),
    ("b/skipped", "part/three", "Fifth slide", "named but never made"),
    ("c/none", "part/none", "Sixth slide", "a section without a notebook"),
]


def write(path, *cells):
    path.parent.mkdir(exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, path)


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.delenv("LECTURE_PROFILE", raising=False)
    folder = tmp_path / "book"
    folder.mkdir()
    with (folder / "figures.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "section", "slide", "shows"), *LIST])
    write(folder / "part/one.ipynb", PLOT, GRID)
    write(folder / "part/two.ipynb", "1 + 1", "raise RuntimeError('lost at sea')  # 'b/broken'")
    write(folder / "part/three.ipynb", "if False: figure('b/skipped', 'c', 'a')")
    return folder


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_the_list_says_what_is_made(book):
    entries = figures.list_figures(book)
    assert [(e.id, e.section, e.slide, e.shows) for e in entries] == LIST
    assert [e.id for e in entries if e.made] == ["a/plot", "a/grid", "b/broken", "b/skipped"]


def test_the_book_is_found_from_inside_and_missed_elsewhere(book, monkeypatch, tmp_path_factory):
    for inside in (book.parent, book, book / "part"):
        assert figures.book_folder(inside) == book.resolve()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr(figures, "__file__", str(elsewhere / "lecture_utils/figures.py"))
    with pytest.raises(FileNotFoundError, match=r"clone the book, change into its folder"):
        figures.book_folder(elsewhere)


def test_two_runs_give_the_same_bytes_and_a_record(book, tmp_path, monkeypatch):
    first, second = tmp_path / "1", tmp_path / "2"
    manifest = figures.export(["part/one"], first, profile="ci", book=book)
    # The second run is that of a reader with a dark style and another kernel of the same name.
    style = tmp_path / "reader" / "matplotlibrc"
    kernel = tmp_path / "reader" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    style.write_text("text.color: white\nfigure.facecolor: black\n")
    kernel.write_text(json.dumps({"argv": ["/nowhere", "{connection_file}"], "display_name": "P"}))
    monkeypatch.setenv("MATPLOTLIBRC", str(style))
    monkeypatch.setenv("JUPYTER_PATH", str(kernel.parents[2]))
    figures.export(["a/grid", "a/plot"], second, profile="ci", book=book)
    files = contents(first)
    names = [f"a/{n}.{e}" for n in ("grid", "plot") for e in ("pdf", "png", "svg")]
    assert sorted(files) == [*names, "manifest.json"]
    assert files == contents(second)

    assert json.loads(files["manifest.json"]) == manifest
    plot, grid = manifest["figures"]
    assert (plot["id"], grid["id"]) == ("a/plot", "a/grid")  # the order of the list
    assert grid["slide"] == "Second slide, with a comma"
    assert grid["notebook"] == "book/part/one.ipynb"
    assert grid["profile"] == "ci"
    assert grid["data"] == ["lfw_faces"]
    assert grid["files"] == {n: hashlib.sha256(files[n]).hexdigest() for n in names[:3]}
    assert grid["versions"]["python"] == platform.python_version()
    assert grid["versions"]["numpy"] == np.__version__
    assert {"lecture_utils", "matplotlib", "torch"} <= grid["versions"].keys()


def test_a_failing_notebook_is_reported_and_what_was_there_stays(book, tmp_path):
    out = tmp_path / "out"
    figures.export(["a/plot"], out, formats=["svg"], profile="ci", book=book)
    assert sorted(contents(out)) == ["a/plot.svg", "manifest.json"]
    before = contents(out)

    # The notebook draws another figure, then fails: nothing of the new run may show.
    write(book / "part/one.ipynb", PLOT.replace("[1, 2]", "[2, 1]"), "1 / 0")
    with pytest.raises(figures.FigureError, match=r"one\.ipynb failed in profile ci") as caught:
        figures.export(["a/plot"], out, formats=["svg"], profile="ci", book=book)
    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert "1 / 0" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert contents(out) == before

    with pytest.raises(figures.FigureError, match="lost at sea"):
        figures.export(["b/broken"], out, profile="ci", book=book)
    with pytest.raises(figures.FigureError, match=r"without making the figure 'b/skipped'"):
        figures.export(["b/skipped"], out, profile="ci", book=book)
    assert contents(out) == before


def made_without_a_kernel(monkeypatch, picture=b"<svg/>"):
    """Stand in for the run of a notebook where the test is about the files around it."""

    def run(book, section, staging, ids, formats, profile):
        for id in ids:
            for extension in formats:
                file = staging / f"{id}.{extension}"
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(picture)
        return {id: {"data": [], "versions": {}} for id in ids}

    monkeypatch.setattr(figures, "_run", run)


@pytest.mark.parametrize("formats", ["PNG", "png ", ["Png", "png"], "png,,PNG"])
def test_formats_are_understood_as_people_write_them(book, tmp_path, monkeypatch, formats):
    made_without_a_kernel(monkeypatch)
    out = str(tmp_path / "out")
    manifest = figures.export(["a/plot"], out, formats=formats, book=str(book))
    assert list(manifest["figures"][0]["files"]) == ["a/plot.png"]
    several = figures.export(["a/plot"], out, formats="pdf, SVG", book=str(book))
    assert list(several["figures"][0]["files"]) == ["a/plot.pdf", "a/plot.svg"]


def test_folders_may_be_strings(book):
    assert figures.list_figures(str(book)) == figures.list_figures(book)
    assert figures.book_folder(str(book.parent)) == figures.book_folder(book.parent)


def test_the_manifest_keeps_figures_made_before(book, tmp_path, monkeypatch):
    made_without_a_kernel(monkeypatch)
    figures.export(["a/grid"], tmp_path / "out", book=book)
    manifest = figures.export(["a/plot"], tmp_path / "out", formats=["svg"], book=book)
    assert [record["id"] for record in manifest["figures"]] == ["a/plot", "a/grid"]
    assert [len(record["files"]) for record in manifest["figures"]] == [1, 3]
    assert {record["profile"] for record in manifest["figures"]} == {"book"}


def test_all_means_what_is_made_so_far(book, tmp_path, monkeypatch):
    made_without_a_kernel(monkeypatch)
    monkeypatch.setenv("LECTURE_PROFILE", "ci")
    manifest = figures.export(["all"], tmp_path / "out", book=book)
    assert [r["id"] for r in manifest["figures"]] == ["a/plot", "a/grid", "b/broken", "b/skipped"]
    assert {record["profile"] for record in manifest["figures"]} == {"ci"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"which": ["a/plott"]}, "no section 'a/plott'.*Did you mean 'a/plot'"),
        ({"which": ["a/later"]}, "'a/later' is not made yet"),
        ({"which": ["c/none"]}, r"'c/none' is not made yet: book/part/none\.ipynb"),
        ({"which": ["part/none"]}, "'c/none' is not made yet"),
        ({"which": []}, "No figure was chosen"),
        ({"which": ["a/plot"], "formats": ["jpg"]}, "'jpg' is not one.*choose from pdf, svg, png"),
        ({"which": ["a/plot"], "formats": []}, "no format; choose from"),
        ({"which": ["a/plot"], "profile": "quick"}, "'quick'.*'ci', 'book' or 'full'"),
    ],
)
def test_what_cannot_be_made_gets_a_sentence_and_no_folder(book, tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        figures.export(**arguments, out=tmp_path / "out", book=book)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"figures": [{}]}'])
def test_a_damaged_manifest_gets_a_sentence_and_stays(book, tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        figures.export(["a/plot"], tmp_path, book=book)
    assert (tmp_path / "manifest.json").read_text() == text


def test_a_damaged_notebook_gets_a_sentence(book):
    (book / "part/one.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match=r"one\.ipynb is not a notebook that can be read"):
        figures.list_figures(book)


def test_a_folder_that_cannot_be_written_is_found_before_the_work(book, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_run", lambda *_: pytest.fail("the notebook was run"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"Nothing can be written to .*--out"):
        figures.export(["a/plot"], tmp_path / "file" / "out", book=book)

    def refuse(**_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # a superuser may write everywhere
    with pytest.raises(OSError, match=r"Read-only file system"):
        figures.export(["a/plot"], tmp_path / "out", book=book)


def test_a_disk_that_fills_up_leaves_whole_files(book, tmp_path, monkeypatch):
    out = tmp_path / "out"
    made_without_a_kernel(monkeypatch, b"<svg>before</svg>")
    figures.export(["a/plot"], out, formats=["svg"], book=book)
    before = contents(out)
    made_without_a_kernel(monkeypatch, b"<svg>after</svg>")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"plot\.svg could not be written"):
        figures.export(["a/plot"], out, formats=["svg"], book=book)
    assert contents(out) == before
