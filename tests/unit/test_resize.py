"""imresize against MATLAB's files, PIL and PyTorch; properties of the resizing matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lecture_utils import data, resize
from lecture_utils.resize import imresize, keys_kernel, modcrop, resize_matrix

pytestmark = pytest.mark.filterwarnings("error")


def without_rounding(image, scale):
    """Resize an 8-bit array, rounding halves up at the end only."""
    values = imresize(torch.from_numpy(image).movedim(-1, 0).double(), scale)
    return (values + 0.5).floor().clip(0, 255).byte().movedim(0, -1).numpy()


@pytest.mark.data
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_imresize_equals_the_published_low_resolution_files(scale):
    if data.find("set5") is None or data.find("set5_lr_bicubic") is None:
        pytest.skip("NOT RUN: Set5 and its low-resolution files are not in LECTURE_DATA_DIR")
    high, low = data.set5(), data.set5_lr_bicubic(scale)
    assert len(low) == 5
    for name, expected in low.items():
        given = modcrop(high[name], scale)
        # The x8 files come from a port that keeps fractions between the passes.
        got = without_rounding(given, 1 / 8) if scale == 8 else imresize(given, 1 / scale)
        np.testing.assert_array_equal(got, expected, err_msg=f"{name} x{scale}")


def test_imresize_matches_pillow_where_both_define_the_same_filter():
    # Pillow's BICUBIC has a = -1/2 and antialiases; inside the image only rounding differs (it
    # resizes columns first and rounds in between), and at the ends it renormalises, not mirrors.
    image = data.photos()["astronaut"][:256, :256]
    ours = without_rounding(image, 0.25)
    theirs = np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC))
    difference = np.abs(ours.astype(int) - theirs.astype(int))[3:-3, 3:-3]
    assert difference.max() <= 2
    assert difference.mean() < 0.15


def test_float_path_equals_torch_with_antialiasing_inside():
    # torchvision's antialiased bi-cubic takes a = -1/2 as well.
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    ours = imresize(image, 0.5)
    theirs = torch.nn.functional.interpolate(
        image, scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False
    )
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], theirs[..., 2:-2, 2:-2], atol=1e-5, rtol=0)


def test_float_path_is_differentiable_and_linear():
    image = torch.rand(2, 6, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: imresize(x, 1.5), image)


@settings(deadline=None, max_examples=60)
@given(
    length=st.integers(4, 40),
    scale=st.sampled_from([1 / 4, 1 / 3, 1 / 2, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0]),
)
def test_resizing_keeps_constants_and_straight_lines(length, scale):
    out = int(np.ceil(length * scale - 1e-9))
    matrix = resize_matrix(length, out, scale)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
    # A cubic convolution with a = -1/2 reproduces straight lines away from the mirrored ends.
    centres = (np.arange(out) + 0.5) / scale - 0.5
    reach = 2 / min(scale, 1)
    inside = (centres - reach >= 0) & (centres + reach <= length - 1)
    if scale >= 1:
        np.testing.assert_allclose((matrix @ np.arange(length))[inside], centres[inside], atol=1e-9)


def test_keys_kernel_interpolates_and_has_the_closed_form_slope():
    np.testing.assert_array_equal(keys_kernel(np.arange(-3.0, 4)), [0, 0, 0, 1, 0, 0, 0])
    for a in (-0.5, -0.75, -1.0):
        slope = (keys_kernel(np.array([1 + 1e-6]), a) - keys_kernel(np.array([1.0]), a)) / 1e-6
        np.testing.assert_allclose(slope, a, atol=1e-4)


def test_resizing_by_one_changes_nothing():
    image = data.photos()["coffee"][:50, :61]
    np.testing.assert_array_equal(imresize(image, 1.0), image)
    grey = image[..., 0]
    np.testing.assert_array_equal(imresize(grey, 2.0), imresize(image, 2.0)[..., 0])


def test_size_and_scale_agree():
    image = data.photos()["coffee"][:60, :90]
    np.testing.assert_array_equal(imresize(image, 1 / 3), imresize(image, size=(20, 30)))


@pytest.mark.parametrize(
    ("image", "kwargs", "words"),
    [
        (np.zeros((8, 8)), {"scale": 2}, "float64.*uint8"),
        (np.zeros((8, 8), np.uint16), {"scale": 2}, "uint16.*257"),
        (np.zeros((8, 8), bool), {"scale": 2}, "bool"),
        (torch.zeros(8, 8, dtype=torch.uint8), {"scale": 2}, "float tensor.*image.float"),
        (torch.zeros(8, 8, 3), {"scale": 2}, "movedim"),
        (np.zeros((3, 8, 8), np.uint8), {"scale": 2}, "moveaxis"),
        (np.zeros((9, 8, 8, 3), np.uint8), {"scale": 2}, "batch"),
        (Image.fromarray(np.zeros((8, 8), np.uint8)), {"scale": 2}, "Pillow"),
        (np.zeros((8, 8), np.uint8), {"scale": float("inf")}, "positive"),
        (np.zeros((8, 8), np.uint8), {"scale": "2"}, "positive"),
        (np.zeros((8, 8), np.uint8), {"size": 4}, "two numbers"),
        (np.zeros((8, 8), np.uint8), {"size": (4.5, 4)}, "rows is 4.5.*whole number"),
        ([[0, 1]], {"scale": 2}, "list"),
        (np.zeros(8, np.uint8), {"scale": 2}, "shape"),
        (np.zeros((8, 8), np.uint8), {}, "exactly one"),
        (np.zeros((8, 8), np.uint8), {"scale": 2, "size": (3, 3)}, "exactly one"),
        (np.zeros((8, 8), np.uint8), {"scale": -1}, "positive"),
        (np.zeros((8, 8), np.uint8), {"scale": float("nan")}, "positive"),
        (np.zeros((8, 8), np.uint8), {"size": (0, 3)}, "rows is 0.*at least 1"),
        (np.zeros((0, 8), np.uint8), {"scale": 2}, "at least one row"),
    ],
)
def test_bad_input_gets_a_sentence(image, kwargs, words):
    with pytest.raises((TypeError, ValueError), match=words):
        imresize(image, **kwargs)


@pytest.mark.parametrize("kind", [np.int64, np.float32, float])
def test_sizes_and_scales_of_any_kind_of_number(kind):
    image = data.photos()["coffee"][:60, :90]
    size = tuple(kind(n) for n in (20, 30))
    np.testing.assert_array_equal(imresize(image, size=size), imresize(image, size=(20, 30)))
    np.testing.assert_array_equal(imresize(image, kind(2)), imresize(image, 2))
    assert modcrop(image, kind(7)).shape == (56, 84, 3)


@pytest.mark.parametrize("shape", [(300, 211, 3), (211, 300), (5, 400, 1), (400, 6, 2)])
@pytest.mark.parametrize("scale", [1 / 8, 1 / 3, 0.37, 0.9, 1.5, 3])
def test_few_taps_give_what_the_whole_matrices_give(shape, scale):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    rows, columns = (int(np.ceil(scale * n - 1e-9)) for n in shape[:2])
    vertical = resize_matrix(shape[0], rows, scale)
    horizontal = resize_matrix(shape[1], columns, scale)
    bands = torch.from_numpy(image.reshape(*shape[:2], -1)).movedim(-1, 0).double()
    expected = vertical @ bands.numpy() @ horizontal.T
    torch.testing.assert_close(
        imresize(bands, scale), torch.from_numpy(expected), atol=1e-9, rtol=0
    )
    down = np.clip(np.floor(vertical @ bands.numpy() + 0.5), 0, 255)
    across = np.clip(np.floor(down @ horizontal.T + 0.5), 0, 255)
    expected = np.moveaxis(across, 0, -1).reshape(rows, columns, *shape[2:])
    # Exact halves are rounded up or down by the last bit of a sum, so by the order of its terms.
    difference = np.abs(imresize(image, scale) - expected)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(kind):
    image = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(0)).to(kind)
    torch.testing.assert_close(
        imresize(image, 1 / 3), imresize(image.float(), 1 / 3).to(kind), atol=0, rtol=0
    )


def test_what_resizing_keeps_is_bounded_in_bytes():
    for k in range(40):  # photographs of many sizes
        imresize(np.zeros((1300 + k, 8), np.uint8), 1 / 2)
        imresize(np.zeros((8, 12_000 - k), np.uint8), 1 / 2)
    assert 0 < resize._KEPT.nbytes <= resize._KEPT.limit
    assert resize._KEPT.limit <= 16_000_000


def test_modcrop():
    assert modcrop(np.zeros((10, 11, 3), np.uint8), 4).shape == (8, 8, 3)
    assert modcrop(torch.zeros(1, 3, 10, 11), 3).shape == (1, 3, 9, 9)
    with pytest.raises(ValueError, match="at least that large"):
        modcrop(np.zeros((2, 9), np.uint8), 3)
    with pytest.raises(ValueError, match="whole number"):
        modcrop(np.zeros((9, 9), np.uint8), 1.5)
    with pytest.raises(ValueError, match="movedim"):
        modcrop(torch.zeros(9, 9, 3), 3)
    with pytest.raises(TypeError, match="a list"):
        modcrop([[0]], 1)
