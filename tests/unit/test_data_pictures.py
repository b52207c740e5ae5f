"""One reader for all pictures: what phones, scanners, drawing programs and file managers make."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lecture_utils import data
from lecture_utils.data import pictures

pytestmark = pytest.mark.filterwarnings("error")

RAMP = np.tile(np.linspace(0, 255, 60).round().astype(np.uint8), (40, 1))
RGB = np.stack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 90)], -1)
GREY = np.stack([RAMP] * 3, -1)


def png(colours, values):
    """Return a PNG with 16 bits a value, which Pillow does not write in colour."""
    height, width = values.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name, content):
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    head = struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def written(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def transparent(colour):
    """Return a picture that is opaque on the left and half or quite transparent further right."""
    alpha = np.tile(np.repeat([255, 128, 0], 20).astype(np.uint8), (40, 1))
    return Image.fromarray(np.dstack([colour, alpha])), alpha[..., None] / 255


def rotated(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return written(Image.fromarray(RGB), "png", exif=tags)


PALETTE = Image.fromarray(RGB).quantize(64)
LOGO, ALPHA = transparent(RGB)
GREY_LOGO, _ = transparent(RAMP)
ON_WHITE = np.rint(RGB * ALPHA + 255 * (1 - ALPHA))
GREY_ON_WHITE = np.rint(GREY * ALPHA + 255 * (1 - ALPHA))
HOLE = Image.fromarray(np.where(RAMP < 128, 0, RAMP).astype(np.uint8))


@pytest.mark.parametrize(
    ("content", "expected", "near"),
    [
        (written(Image.fromarray(RGB), "png"), RGB, 0),
        (written(Image.fromarray(RGB), "webp", lossless=True), RGB, 0),
        (written(Image.fromarray(RGB), "tiff"), RGB, 0),
        (written(Image.fromarray(RGB), "ppm"), RGB, 0),
        (written(Image.fromarray(RGB).convert("CMYK"), "jpeg", quality=95), RGB, 4),
        (written(PALETTE, "png"), np.asarray(PALETTE.convert("RGB")), 0),
        (written(Image.fromarray(RAMP > 127), "png"), 255 * (GREY > 127), 0),
        # 16 bits
        (png(0, RAMP.astype(int) * 257), GREY, 0),
        (png(0, np.minimum(RAMP.astype(int) * 257 + 128, 65535)), GREY, 0),
        (png(2, RGB.astype(int) * 257), RGB, 0),
        (written(Image.fromarray(RAMP.astype(np.uint16) * 257), "tiff"), GREY, 0),
        (b"P5 60 40 65535\n" + (RAMP.astype(">u2") * 257).tobytes(), GREY, 0),
        # transparent
        (written(LOGO, "png"), ON_WHITE, 1),
        (written(LOGO, "webp", lossless=True, exact=True), ON_WHITE, 1),
        (written(GREY_LOGO, "png"), GREY_ON_WHITE, 1),
        (written(HOLE, "png", transparency=0), np.where(GREY < 128, 255, GREY), 0),
        # on its side
        (rotated(6), np.rot90(RGB, -1), 0),
        (rotated(3), np.rot90(RGB, 2), 0),
        (rotated(2), RGB[:, ::-1], 0),
    ],
)
def test_what_a_picture_shows_is_what_is_read(tmp_path, content, expected, near):
    (tmp_path / "picture.png").write_bytes(content)
    got = pictures.read(str(tmp_path / "picture.png"))
    assert got.shape == expected.shape
    assert got.dtype == np.uint8
    assert np.abs(got - expected.astype(float)).max() <= near
    got[0, 0] = 0  # it is the caller's own


def test_grey_stays_grey_where_nobody_asks_for_colour():
    for content in (
        written(Image.fromarray(RAMP), "png"),
        png(0, RAMP.astype(int) * 257),
        written(Image.fromarray(RAMP).convert("LA"), "png"),
    ):
        np.testing.assert_array_equal(pictures.decode(io.BytesIO(content), "x", None), RAMP)
    colour = io.BytesIO(written(Image.fromarray(RGB), "png"))
    np.testing.assert_array_equal(pictures.decode(colour, "x", None), RGB)
    assert pictures.decode(colour, "x", "L").shape == RAMP.shape


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (written(Image.fromarray(RAMP.astype(np.float32)), "tiff"), "holds floats from 0 to 255"),
        (written(Image.fromarray(RAMP.astype(np.int32)), "tiff"), "holds 32 bits from 0 to 255"),
        (b"", "cannot be read .* damaged"),
        (b"%PDF-1.7", "cannot be read .* damaged"),
        (written(Image.fromarray(RGB), "png")[:-60], "cannot be read .* damaged"),
    ],
)
def test_what_cannot_be_a_picture_is_a_sentence_with_its_name(tmp_path, content, sentence):
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(data.DataCorruptError, match=rf"x\.tif {sentence}"):
        pictures.read(tmp_path / "x.tif")


def test_a_picture_too_large_is_a_sentence_and_no_warning(tmp_path):
    for size in ((10_000, 9_500), (20_000, 9_500)):  # Pillow warns of one and refuses the other
        Image.new("1", size).save(tmp_path / "panorama.png")
        with pytest.raises(data.DataCorruptError, match=r"panorama\.png has more pixels than"):
            pictures.read(tmp_path / "panorama.png")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("a.png", "B.JPG", "x/a.tiff", "Bild é 1.webp", "a.b.bmp")),
        *((name, False) for name in ("._a.jpg", "x/._a.jpg", "__MACOSX/._a.jpg", ".hidden.png")),
        *((name, False) for name in ("Thumbs.db", ".DS_Store", "__MACOSX/a.jpg", "a.txt", "png")),
    ],
)
def test_what_a_file_manager_left_is_no_picture(name, expected):
    assert pictures.is_picture(name) is expected


def leave(folder):
    """Leave in a folder what macOS and Windows leave."""
    for name in ("._photo.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    (folder / "__MACOSX").mkdir()
    (folder / "folder.png").mkdir()


def test_a_folder_is_read_whatever_lies_beside_the_pictures(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "photo.png")
    Image.fromarray(RAMP).save(tmp_path / "SCAN.BMP")
    leave(tmp_path)
    found = pictures.read_folder(str(tmp_path), mode=None)
    assert list(found) == ["SCAN", "photo"]
    np.testing.assert_array_equal(found["SCAN"], RAMP)
    Image.fromarray(RGB).save(tmp_path / "photo.jpg")
    with pytest.raises(data.DataCorruptError, match=r"photo\.jpg and photo\.png have one name"):
        pictures.read_folder(tmp_path)
    with pytest.raises(data.DataNotFoundError, match="none is no folder"):
        pictures.read_folder(tmp_path / "none")
