"""The records: complete, truthful about files that are there, pinned to what cannot change."""

import hashlib
import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from lecture_utils import data

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("LECTURE_DATA_DIR", "/nonexistent"))
RECORDS = list(data.DATASETS.values())


def test_the_names_are_those_that_notebooks_recipes_and_readers_use():
    assert list(data.DATASETS) == [
        *("photos", "textures", "lfw_faces", "mnist_5k", "paintings_small"),
        *("set5", "set5_lr_bicubic", "set14", "bsd100", "t91", "bsds500_train", "imagenet_256"),
        "flickr8k_256",
        *("olivetti", "celeba_10k", "cifar10", "mnist", "scenes_64"),
        *("facades", "maps", "summer2winter", "cat2dog", "flickr8k_dogs_64"),
        *("style_images", "paintings", "textures_portilla"),
        *("vgg19_conv1_1_conv3_4", "vgg16_convolutions", "squeezenet1_1", "efficientnet_lite0"),
    ]
    assert all(name == record.name for name, record in data.DATASETS.items())


def test_an_unknown_name_is_answered_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"no data set 'set6'; choose one of photos, .*set5,"):
        data.get("set6")


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r.name)
def test_each_record_is_complete(record):
    for text in (record.title, record.description, record.licence):
        assert len(text) > 2 and text == text.strip()
    for address in (record.source, record.licence_url):
        assert re.fullmatch(r"https://[\w./~:()-]+", address)
    for text in (record.title, record.description, record.licence, record.obtain):
        # Title, description and licence become a cell of a table in Markdown, which is one line.
        assert not re.search(r"[|`\n]|  ", text)
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert re.search(rf"^@\w+\{{{record.citation},$", bibliography, re.MULTILINE)
    if "no explicit licence" in record.licence.lower():
        assert record.research_only
    if record.embedded:
        assert record.files and not record.remote and not record.folder
    else:
        assert record.folder
        assert record.remote or (record.layout and record.obtain)


@pytest.mark.parametrize("record", [r for r in RECORDS if r.files], ids=lambda r: r.name)
def test_each_file_has_a_hash_a_safe_name_and_an_address_that_cannot_move(record):
    names = [file.name for file in record.files]
    assert len(set(names)) == len(names)
    for file in record.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.bytes is None or file.bytes > 0
        assert not file.name.startswith("/") and ".." not in file.name
        if file.url is not None:
            assert file.url.startswith("https://")
            if "github" in file.url:
                # A raw file at a commit: the address of a branch would change its content.
                assert re.match(
                    r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/", file.url
                )
                assert file.url.endswith("/" + file.name)


def test_the_numbers_of_files_are_those_of_the_data_sets():
    numbers = {record.name: len(record.remote) for record in RECORDS if record.remote}
    assert numbers == {
        "set5": 5,
        "set5_lr_bicubic": 20,
        "set14": 14,
        "bsd100": 100,
        "t91": 91,
        "bsds500_train": 200,
        "olivetti": 1,
        "cifar10": 1,
        "mnist": 4,
        "style_images": 2,
    }


@pytest.mark.data
@pytest.mark.skipif(not FOLDER.is_dir(), reason="NOT RUN: LECTURE_DATA_DIR is not set")
def test_hashes_equal_the_files_of_the_folder():
    compared = []
    for record in RECORDS:
        for file in record.files:
            path = FOLDER / record.folder / file.name
            if not record.embedded and path.is_file():
                content = path.read_bytes()
                assert hashlib.sha256(content).hexdigest() == file.sha256, path
                assert len(content) == file.bytes, path
                compared.append(record.name)
    if not compared:
        pytest.skip("NOT RUN: LECTURE_DATA_DIR holds none of the files with a recorded hash")


@pytest.mark.data
@pytest.mark.skipif(
    not (FOLDER / "sr/T91/t1.png").is_file(), reason="NOT RUN: no T91 in LECTURE_DATA_DIR"
)
def test_the_png_files_of_t91_have_the_pixels_of_the_recorded_bmp_files():
    # A BMP of these pixels, written without a resolution, is the published file to the byte.
    for file in data.get("t91").files:
        bmp = io.BytesIO()
        with Image.open(FOLDER / "sr/T91" / Path(file.name).with_suffix(".png")) as image:
            image.save(bmp, "BMP", dpi=(0, 0))
        assert hashlib.sha256(bmp.getvalue()).hexdigest() == file.sha256, file.name


def test_each_embedded_painting_has_its_record_and_is_free():
    files = [Path(file.name) for file in data.get("paintings_small").files]
    assert [file.stem for file in files] == sorted(data.PAINTINGS)
    for file, painting in zip(files, map(data.PAINTINGS.get, sorted(data.PAINTINGS)), strict=True):
        assert painting.died <= 1955 and int(painting.made[-4:]) < 1914
        assert painting.died >= int(painting.made[-4:])
        assert painting.title and painting.painter and painting.museum
        assert painting.page.startswith("https://") and str(painting.died) in painting.reason
        assert re.search(r"/tree/[0-9a-f]{40}/", painting.source)
        assert (ROOT / file).stat().st_size <= 40_000
