"""Read data sets into NumPy arrays: uint8, rows first, RGB where there is colour.

Every loader takes ``run``: with a run of profile ``full`` it may download what is missing. All of
them raise `DataNotFoundError` where the data set is missing (the message says what to do),
`DataCorruptError` where a file is damaged, `DataUnreadableError` where the system does not let it
be read, and what `fetch` raises where they download.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lecture_utils.data import pictures
from lecture_utils.data.records import get
from lecture_utils.data.store import (
    DataCorruptError,
    DataNotFoundError,
    DataUnreadableError,
    embedded_file,
    file_in,
    find,
    locate,
    reading,
    sha256_of,
)
from lecture_utils.runtime import Run

Array = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Split = Literal["train", "test"]

SCENE_CLASSES = (
    "buildings",
    "forest",
    "glacier",
    "mountain",
    "sea",
    "street",
)

# Parts of the embedded photographs with fine detail, as (row, column) of the
# upper left corner.
_BENCHMARK_CROPS = {
    "astronaut": (0, 100),
    "chelsea": (20, 130),
    "coffee": (20, 200),
    "china": (60, 70),
    "flower": (70, 160),
}


# Embedded


def photos(*, run: Run | None = None) -> dict[str, Array]:
    """Return six colour photographs, uint8 (H, W, 3): astronaut, chelsea, coffee, rocket, china, flower.

    They are installed with scikit-image and scikit-learn and need no folder and no network.
    """
    return _embedded_images("photos", "RGB")


def textures(*, run: Run | None = None) -> dict[str, Array]:
    """Return four grey images, uint8 (512, 512): brick, grass, gravel, camera."""
    return _embedded_images("textures", "L")


def lfw_faces(*, run: Run | None = None) -> Array:
    """Return the 100 embedded faces, uint8 (100, 25, 25).

    scikit-image ships them as float64 in [0, 1], made by resizing; they are rounded to 8 bits here.
    """
    (path,) = _embedded_files("lfw_faces")
    with reading(path):
        # The file holds 100 faces and after them 100 patches without a face.
        faces: npt.NDArray[np.float64] = np.load(path, allow_pickle=False)[
            :100
        ]
        return np.rint(255 * faces.reshape(100, 25, 25)).astype(np.uint8)


def mnist_5k(*, run: Run | None = None) -> tuple[Array, Labels]:
    """Return the 5,000 embedded digits: images uint8 (5000, 28, 28), labels int64 (5000,) in 0..9.

    They are sorted by label, 500 of each.
    """
    (path,) = _embedded_files("mnist_5k")
    with reading(path), gzip.open(path, "rt") as stream:
        table = np.loadtxt(stream, delimiter=",", dtype=np.uint8)
        return table[:, :-1].reshape(5000, 28, 28), table[:, -1].astype(
            np.int64
        )


# Super-resolution


def set5(*, run: Run | None = None) -> dict[str, Array]:
    """Return Set5, uint8 (H, W, 3) each: baby, bird, butterfly, head, woman."""
    return _recorded_images("set5", run)


def set5_lr_bicubic(scale: int, *, run: Run | None = None) -> dict[str, Array]:
    """Return Set5 shrunk by MATLAB's imresize, uint8 (H, W, 3), under the names that Set5 has.

    Raises
    ------
    ValueError
        If ``scale`` is not 2, 3, 4 or 8.
    """
    if scale not in (2, 3, 4, 8):
        raise ValueError(
            f"The scale is {scale!r}; Set5 was shrunk by 2, 3, 4 and 8. Use"
            " one."
        )
    images = _recorded_images("set5_lr_bicubic", run, folder=f"X{scale}/")
    return {
        name.removesuffix(f"x{scale}"): image for name, image in images.items()
    }


def set14(*, run: Run | None = None) -> dict[str, Array]:
    """Return Set14, uint8 (H, W, 3) each, img_001 to img_014; grey images have equal channels."""
    return _recorded_images("set14", run)


def bsd100(*, run: Run | None = None) -> dict[str, Array]:
    """Return BSD100, uint8 (H, W, 3) each, img_001 to img_100."""
    return _recorded_images("bsd100", run)


def t91(*, run: Run | None = None) -> dict[str, Array]:
    """Return the 91 training images T91, uint8 (H, W, 3) each."""
    return _recorded_images("t91", run)


def bsds500_train(*, run: Run | None = None) -> dict[str, Array]:
    """Return the 200 training photographs of BSDS500, uint8 (321, 481, 3) or (481, 321, 3)."""
    return _recorded_images("bsds500_train", run)


def super_resolution_benchmark(
    run: Run | None = None,
) -> tuple[str, dict[str, Array]]:
    """Return Set5 where it can be had, otherwise crops of the embedded photographs.

    Returns
    -------
    name
        ``"Set5"`` or ``"embedded photos"``: for the output and the caption, which say what it was.
    images
        uint8 (H, W, 3) each; of the embedded photographs five crops of 256x256 pixels.
    """
    may_download = run is not None and run.profile == "full"
    if may_download or find("set5") is not None:
        return "Set5", set5(run=run)
    whole = photos()
    return "embedded photos", {
        name: whole[name][top : top + 256, left : left + 256]
        for name, (top, left) in _BENCHMARK_CROPS.items()
    }


# Natural images, faces


def imagenet_256(
    limit: int | None = None, *, run: Run | None = None
) -> dict[str, Array]:
    """Return ImageNet images, uint8 (256, 256, 3), by WordNet id in its order; at most ``limit``."""
    paths = sorted(locate("imagenet_256", run).glob("n*.jpg"))
    return {
        path.stem: pictures.read(path)
        for path in paths[: _count(limit, len(paths))]
    }


def flickr8k_256(
    limit: int | None = None, *, run: Run | None = None
) -> dict[str, Array]:
    """Return photographs, uint8 (256, 256, 3), by Flickr's names in their order; at most ``limit``."""
    path = locate("flickr8k_256", run) / "photos_256.zip"
    names = _names_in_zip(path)
    names = names[: _count(limit, len(names))]
    images = _images_in_zip(path, names, (256, 256))
    return {
        name.removesuffix(".jpg"): image
        for name, image in zip(names, images, strict=True)
    }


def olivetti(*, run: Run | None = None) -> Array:
    """Return the Olivetti faces, uint8 (400, 64, 64), upright; person k has rows 10k to 10k + 9."""
    from scipy.io import loadmat

    folder = locate("olivetti", run)
    path = next(
        p for f in get("olivetti").files if (p := folder / f.name).is_file()
    )
    with reading(path):
        # MATLAB stores images by columns, one image a column of the matrix.
        columns = loadmat(path)["faces"]
        return np.ascontiguousarray(
            columns.T.reshape(400, 64, 64).transpose(0, 2, 1), np.uint8
        )


def celeba_10k(limit: int | None = None, *, run: Run | None = None) -> Array:
    """Return aligned CelebA faces in the order of their numbers, uint8 (N, 109, 89, 3).

    Parameters
    ----------
    limit
        Take at most this many; all are 10,000 (291 MB).
    run
        Not used for a download: CelebA has to be asked for by hand.
    """
    path = locate("celeba_10k", run) / "celeba_10k_89x109.zip"
    names = _names_in_zip(path)
    return _images_in_zip(path, names[: _count(limit, len(names))], (109, 89))


def celeba_10k_attributes(
    *, run: Run | None = None
) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Return the names of CelebA's 40 attributes and a bool array (N, 40).

    Row n belongs to image n of `celeba_10k`.
    """
    folder = locate("celeba_10k", run)
    path = folder / "list_attr_celeba_10k.txt"
    with reading(path), path.open(encoding="ascii") as lines:
        rows = int(next(lines))
        names = next(lines).split()
        files, values = [], np.empty((rows, len(names)), np.int8)
        for row in values:
            file, *signs = next(lines).split()
            files.append(file)
            row[...] = [int(sign) for sign in signs]
        if not np.isin(values, (-1, 1)).all():
            raise ValueError("a value is neither 1 nor -1")
        if any(line.strip() for line in lines):
            raise ValueError(
                f"the first line promises {rows} rows and there are more"
            )
    archive_path = folder / "celeba_10k_89x109.zip"
    names_of_images = _names_in_zip(archive_path)
    if names_of_images != files:
        raise DataCorruptError(
            f"The rows of {path} are not those of the images in"
            f" {archive_path}: {len(files)} rows, {len(names_of_images)}"
            " images. Make the two from the same list."
        )
    return names, values == 1


# Small images


def cifar10(
    limit: int | None = None, *, run: Run | None = None
) -> tuple[Array, Labels]:
    """Return training images of CIFAR-10, uint8 (N, 32, 32, 3), and labels, int64 (N,) in 0..9.

    There are 50,000 after a download and the first 10,000 in a folder that holds the sprite image;
    at most ``limit`` are returned.
    """
    folder = locate("cifar10", run)
    archive = folder / "cifar-10-binary.tar.gz"
    if not archive.is_file():
        path = folder / "train_labels_0_9999.json"
        with reading(path):
            labels = np.array(
                json.loads(path.read_text(encoding="utf-8")), np.int64
            )
        path = folder / "train_0_9999.png"
        with reading(path):
            images = pictures.read(path).reshape(len(labels), 32, 32, 3)
        count = _count(limit, len(images))
        return images[:count], labels[:count]
    # torchvision's CIFAR10 reads the version made of pickles, and a pickle can
    # run any program. The authors' binary version has the same images in the
    # same order: a byte for the label, then the red, the green and the blue
    # plane.
    wanted = _count(limit, 50_000)
    parts = []
    with reading(archive), tarfile.open(archive) as tar:
        for batch in range(1, 1 + -(-wanted // 10_000)):
            member = tar.extractfile(
                f"cifar-10-batches-bin/data_batch_{batch}.bin"
            )
            assert member is not None
            parts.append(
                np.frombuffer(member.read(), np.uint8).reshape(10_000, 3073)
            )
    records = np.concatenate(parts)[:wanted]
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def mnist(
    split: Split = "train", limit: int | None = None, *, run: Run | None = None
) -> tuple[Array, Labels]:
    """Return MNIST's digits, uint8 (N, 28, 28), and labels, int64 (N,) in 0..9.

    Parameters
    ----------
    split
        ``train`` (60,000 images) or ``test`` (10,000); a folder of sprite images may hold fewer.
    limit
        Take at most this many.
    run
        With profile ``full`` the four files are downloaded where they are missing.

    Raises
    ------
    ValueError
        If ``split`` or ``limit`` is not one of these.
    """
    _check_split(split)
    folder = locate("mnist", run)
    prefix = "train" if split == "train" else "t10k"
    if (folder / f"{prefix}-images-idx3-ubyte.gz").is_file():
        images = _read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", 3)
        labels = _read_idx(
            folder / f"{prefix}-labels-idx1-ubyte.gz", 1
        ).astype(np.int64)
    else:
        images, labels = _mnist_sprites(folder, split)
    count = _count(limit, len(images))
    return images[:count], labels[:count]


def scenes_64(
    split: Split = "train", *, run: Run | None = None
) -> tuple[Array, Labels]:
    """Return scenes, uint8 (N, 64, 64, 3), and their labels, int64 (N,).

    A label is a place in `SCENE_CLASSES`; the scenes are sorted by it.

    Parameters
    ----------
    split
        ``train`` (500 of each class) or ``test`` (75 of each).
    run
        Not used for a download: there is none.

    Raises
    ------
    ValueError
        If ``split`` is neither.
    """
    _check_split(split)
    path = locate("scenes_64", run) / "scenes_64.zip"
    names = [
        _names_in_zip(path, f"{split}/{scene}/") for scene in SCENE_CLASSES
    ]
    images = _images_in_zip(path, list(chain.from_iterable(names)), (64, 64))
    return images, np.repeat(
        np.arange(len(names), dtype=np.int64),
        [len(of_class) for of_class in names],
    )


# Translation, text to image, style, texture


def facades(split: Split, *, run: Run | None = None) -> tuple[Array, Array]:
    """Return photographs of facades and their label maps, uint8 (N, 128, 128, 3) each.

    Parameters
    ----------
    split
        ``train`` (400 pairs) or ``test`` (106 pairs).
    run
        Not used for a download: there is none.

    Raises
    ------
    ValueError
        If ``split`` is neither.
    """
    _check_split(split)
    folder = locate("facades", run)
    photographs = _by_number((folder / f"{split}A").glob("*.jpg"))
    maps = _by_number((folder / f"{split}B").glob("*.png"))
    if photographs.keys() != maps.keys():
        odd = sorted(photographs.keys() ^ maps.keys())
        raise DataCorruptError(
            f"In {folder}, {split}A has {len(photographs)} photographs and"
            f" {split}B {len(maps)} label maps; without a partner: {odd[:5]}."
            " Each needs its pair."
        )
    return _stack(photographs.values()), _stack(maps.values())


def maps(split: Split, *, run: Run | None = None) -> tuple[Array, Array]:
    """Return aerial photographs and their maps, uint8 (N, 128, 128, 3) each.

    Parameters
    ----------
    split
        ``train`` (1,096 pairs) or ``test`` (150, of pix2pix's ``val``).
    run
        Not used for a download: there is none.

    Raises
    ------
    ValueError
        If ``split`` is neither.
    """
    _check_split(split)
    path = locate("maps", run) / "maps_128.zip"
    names = _names_in_zip(path, "train/" if split == "train" else "val/")
    # The names are numbers without leading zeros: the shorter is the smaller.
    names.sort(key=lambda name: (len(name), name))
    pairs = _images_in_zip(path, names, (128, 256))
    return pairs[:, :, :128], pairs[:, :, 128:]


def summer2winter(
    split: Split, *, run: Run | None = None
) -> tuple[Array, Array]:
    """Return green mountains and snow, uint8 (N, 128, 128, 3) each.

    The two are domains, A and B, and not pairs.

    Parameters
    ----------
    split
        ``train`` (450 of each) or ``test`` (90 of each).
    run
        Not used for a download: there is none.

    Raises
    ------
    ValueError
        If ``split`` is neither.
    """
    folder = locate("summer2winter", run)
    return _domains(folder / "summer2winter_128.zip", split)


def cat2dog(split: Split, *, run: Run | None = None) -> tuple[Array, Array]:
    """Return cats and dogs, uint8 (N, 128, 128, 3) each.

    The two are domains, A and B, and not pairs.

    Parameters
    ----------
    split
        ``train`` (410 of each) or ``test`` (75 of each).
    run
        Not used for a download: there is none.

    Raises
    ------
    ValueError
        If ``split`` is neither.
    """
    return _domains(locate("cat2dog", run) / "cat2dog_128.zip", split)


def flickr8k_dogs_64(
    split: Literal["train", "dev", "test"] = "train",
    *,
    run: Run | None = None,
) -> tuple[Array, list[list[str]]]:
    """Return photographs of dogs with the captions that people wrote.

    Parameters
    ----------
    split
        Flickr8k's own: ``train`` (1,502 photographs), ``dev`` (239) or
        ``test`` (236).
    run
        Not used for a download: there is none.

    Returns
    -------
    images
        uint8 (N, 64, 64, 3), in the order of their names.
    captions
        Five an image, with the spaces before commas and full stops that
        Flickr8k has.

    Raises
    ------
    ValueError
        If ``split`` is none of these.
    """
    _check_split(split, ("train", "dev", "test"))
    folder = locate("flickr8k_dogs_64", run)
    path = folder / "captions.tsv"
    captions = {}
    with reading(path):
        text = path.read_text(encoding="utf-8").rstrip("\n")
        for number, line in enumerate(text.split("\n"), 1):
            name, own_split, *sentences = line.split("\t")
            if len(sentences) != 5:
                raise ValueError(
                    f"line {number} has {len(sentences)} captions, not 5"
                )
            if own_split == split:
                captions[name] = sentences
        if not captions:
            raise ValueError(f"it has no line of the split {split!r}")
    path = folder / "images_64.zip"
    if absent := captions.keys() - set(_names_in_zip(path)):
        raise DataCorruptError(
            f"{path} lacks images that captions.tsv describes: {len(absent)},"
            f" such as {min(absent)}. Make the two from the same list."
        )
    names = sorted(captions)
    images = _images_in_zip(path, names, (64, 64))
    return images, [captions[name] for name in names]


def style_images(*, run: Run | None = None) -> dict[str, Array]:
    """Return the photographs and paintings for style transfer that are there, uint8 (H, W, 3).

    ``Tuebingen_Neckarfront`` and ``vangogh_starry_night`` are always among them.
    """
    return pictures.read_folder(locate("style_images", run))


def paintings(*, run: Run | None = None) -> dict[str, Array]:
    """Return paintings and a print made before 1914, uint8 (H, W, 3), by name.

    Where the data set `paintings` is found they are its fourteen, at most 720 pixels a side;
    elsewhere the six embedded ones, of 320 pixels: composition_vii, shipwreck, starry_night,
    the_scream, vg_wheat_field, wave. Title, painter and origin of these stand in
    `lecture_utils.data.PAINTINGS`.
    """
    if find("paintings") is None:
        return _embedded_images("paintings_small", "RGB")
    return _recorded_images("paintings", run)


def textures_portilla(*, run: Run | None = None) -> dict[str, Array]:
    """Return metal, nuts, reptil_skin and text, uint8 (256, 256), and pebbles, (256, 256, 3)."""
    folder = locate("textures_portilla", run)
    return {
        path.stem: pictures.read(path, "L" if path.suffix == ".pgm" else "RGB")
        for path in pictures.pictures_in(folder)
    }


# Checks

_READ: dict[str, Callable[[], object]] = {
    "photos": photos,
    "textures": textures,
    "lfw_faces": lfw_faces,
    "mnist_5k": mnist_5k,
    "paintings_small": lambda: _embedded_images("paintings_small", "RGB"),
    "set5": set5,
    "set5_lr_bicubic": lambda: [
        set5_lr_bicubic(scale) for scale in (2, 3, 4, 8)
    ],
    "set14": set14,
    "bsd100": bsd100,
    "t91": t91,
    "bsds500_train": bsds500_train,
    "imagenet_256": imagenet_256,
    "flickr8k_256": flickr8k_256,
    "olivetti": olivetti,
    "celeba_10k": lambda: (celeba_10k_attributes(), celeba_10k()),
    "cifar10": cifar10,
    "mnist": lambda: (mnist("train"), mnist("test")),
    "scenes_64": lambda: (scenes_64("train"), scenes_64("test")),
    "facades": lambda: (facades("train"), facades("test")),
    "maps": lambda: (maps("train"), maps("test")),
    "summer2winter": lambda: (summer2winter("train"), summer2winter("test")),
    "cat2dog": lambda: (cat2dog("train"), cat2dog("test")),
    "flickr8k_dogs_64": lambda: (
        flickr8k_dogs_64("train"),
        flickr8k_dogs_64("dev"),
        flickr8k_dogs_64("test"),
    ),
    "style_images": style_images,
    "paintings": lambda: _recorded_images("paintings", None),
    "textures_portilla": textures_portilla,
}


def check(name: str) -> list[str]:
    """Compare a data set's files with their recorded SHA-256 and read all of it.

    Nothing is downloaded.

    Returns
    -------
    problems
        One sentence each; none where all is well.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    """
    record = get(name)
    problems = []
    try:
        folder = locate(name)
        for file in record.files:
            path = (
                embedded_file(file.name)
                if record.embedded
                else folder / file.name
            )
            if not path.is_file():
                continue
            try:
                found = sha256_of(path)
            except DataUnreadableError as error:
                problems.append(str(error))
                continue
            if found != file.sha256:
                why = (
                    "it is damaged; delete it and fetch it again"
                    if file.url
                    else (
                        "it is damaged, or another copy than the one that the"
                        " book was made with"
                    )
                )
                problems.append(
                    f"{path} has the SHA-256 {found}, and its record says"
                    f" {file.sha256}: {why}."
                )
        if name in _READ:
            _READ[name]()
    except (DataNotFoundError, DataCorruptError, DataUnreadableError) as error:
        if str(error) not in problems:
            problems.append(str(error))
    return problems


# Reading


def _stack(paths: Iterable[Path]) -> Array:
    """Read images of 128x128 pixels into one array."""
    images = []
    for path in paths:
        image = pictures.read(path)
        if image.shape != (128, 128, 3):
            raise DataCorruptError(
                f"{path} has {image.shape[0]}x{image.shape[1]} pixels; 128x128"
                " are needed. Resize it, or take it out of the folder with"
                " its partner."
            )
        images.append(image)
    return np.stack(images)


def _embedded_images(name: str, mode: pictures.Mode) -> dict[str, Array]:
    return {
        path.stem: pictures.read(path, mode) for path in _embedded_files(name)
    }


def _embedded_files(name: str) -> list[Path]:
    locate(name)  # so that it counts as used
    return [embedded_file(file.name) for file in get(name).files]


def _recorded_images(
    name: str, run: Run | None, folder: str = ""
) -> dict[str, Array]:
    """Read the images that a record lists, or of them those in one of its folders."""
    place = locate(name, run)
    paths = [
        file_in(place, f.name)
        for f in get(name).files
        if f.name.startswith(folder)
    ]
    return {
        path.stem: pictures.read(path) for path in paths if path is not None
    }


def _names_in_zip(path: Path, folder: str = "") -> list[str]:
    """Return the sorted names of an archive's, or its folder's, JPEG files."""
    with reading(path), zipfile.ZipFile(path) as archive:
        names = sorted(
            name
            for name in archive.namelist()
            if name.endswith(".jpg") and pictures.is_picture(name)
        )
    found = [name for name in names if name.startswith(folder)]
    if not found:
        where = f"its folder {folder.rstrip('/')}" if folder else "it"
        raise DataCorruptError(
            f"{path} has no .jpg file in {where}. Replace it by a good copy."
        )
    return found


def _images_in_zip(
    path: Path, names: list[str], size: tuple[int, int]
) -> Array:
    """Read pictures of an archive, all of one size, into (N, H, W, 3)."""
    images = np.empty((len(names), *size, 3), np.uint8)
    with reading(path), zipfile.ZipFile(path) as archive:
        for place, name in zip(images, names, strict=True):
            image = pictures.decode(
                BytesIO(archive.read(name)), f"{name} in {path}"
            )
            if image.shape != place.shape:
                raise DataCorruptError(
                    f"{name} in {path} has {image.shape[0]}x{image.shape[1]}"
                    f" pixels; {size[0]}x{size[1]} are needed. Resize it, or"
                    " take it out."
                )
            place[...] = image
    return images


def _domains(path: Path, split: Split) -> tuple[Array, Array]:
    """Read the domains A and B, of 128x128 pixels, from an archive."""
    _check_split(split)
    first, second = (
        _images_in_zip(
            path, _names_in_zip(path, f"{split}{domain}/"), (128, 128)
        )
        for domain in "AB"
    )
    return first, second


def _read_idx(path: Path, axes: int) -> Array:
    """Read a compressed IDX file of bytes: 0, 0, 8, number of axes; the sizes; the values."""
    with reading(path):
        content = gzip.decompress(path.read_bytes())
        if content[:4] != bytes((0, 0, 8, axes)):
            raise ValueError(
                f"it begins with {content[:4]!r}, not as IDX bytes of {axes}"
                " axes do"
            )
        sizes = np.frombuffer(content, ">i4", axes, 4)
        return (
            np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
            .reshape(sizes)
            .copy()
        )


def _mnist_sprites(folder: Path, split: Split) -> tuple[Array, Labels]:
    """Read ConvNetJS's layout: batches of 3,000 rows; 0 to 19 are for training, 20 is for testing."""
    path = folder / "mnist_labels.js"
    with reading(path):
        text = path.read_text(encoding="ascii")
        labels = np.array(
            json.loads(text[text.index("[") : text.index("]") + 1]), np.int64
        )
    batches = {
        number: path
        for number, path in _by_number(
            folder.glob("mnist_batch_*.png")
        ).items()
        if (number < 20) == (split == "train")
    }
    if not batches:
        raise DataNotFoundError(
            f"{folder} has no images of MNIST's {split} split. Add the files"
            " mnist_batch_*.png that belong to it (0 to 19 train, 20 test),"
            " or take the other one."
        )
    images = []
    for path in batches.values():
        with reading(path):
            images.append(pictures.read(path, "L").reshape(3000, 28, 28))
    rows = [
        np.arange(3000 * number, 3000 * (number + 1)) for number in batches
    ]
    with reading(folder / "mnist_labels.js"):
        return np.concatenate(images), labels[np.concatenate(rows)]


def _by_number(paths: Iterable[Path]) -> dict[int, Path]:
    """Order files by the number in their name (2 before 10)."""
    numbered = [
        (int(found[0]), path)
        for path in paths
        if pictures.is_picture(path.name)
        and (found := re.findall(r"\d+", path.stem))
    ]
    return dict(sorted(numbered))


def _check_split(
    split: str, splits: tuple[str, ...] = ("train", "test")
) -> None:
    if split not in splits:
        *first, last = map(repr, splits)
        raise ValueError(
            f"The split is {split!r}; it must be {', '.join(first)} or {last}."
        )


def _count(limit: int | None, available: int) -> int:
    if limit is not None and limit < 1:
        raise ValueError(
            f"The limit is {limit}; it must be at least 1, or None for all."
        )
    return available if limit is None else min(limit, available)
