"""imresize against MATLAB's files, PIL and PyTorch; properties of the resizing matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lecture_utils import data
from lecture_utils.resize import imresize, keys_kernel, modcrop, resize_matrix

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.data
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_imresize_equals_the_published_low_resolution_files(scale):
    if data.find("set5") is None or data.find("set5_lr_bicubic") is None:
        pytest.skip("NOT RUN: Set5 and its low-resolution files are not in LECTURE_DATA_DIR")
    high, low = data.set5(), data.set5_lr_bicubic(scale)
    assert len(low) == 5
    for name, expected in low.items():
        # The x8 files come from a port that does not round between the passes; see the docstring.
        got = imresize(modcrop(high[name], scale), 1 / scale, round_between=scale != 8)
        np.testing.assert_array_equal(got, expected, err_msg=f"{name} x{scale}")


def test_imresize_matches_pillow_where_both_define_the_same_filter():
    # Pillow's BICUBIC has a = -1/2 and antialiases; inside the image only rounding differs (it
    # resizes columns first and rounds in between), and at the ends it renormalises, not mirrors.
    image = data.photos()["astronaut"][:256, :256]
    ours = imresize(image, 0.25, round_between=False)
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
        (np.zeros((8, 8)), {"scale": 2}, "uint8"),
        (torch.zeros(8, 8, dtype=torch.uint8), {"scale": 2}, "floating-point"),
        ([[0, 1]], {"scale": 2}, "list"),
        (np.zeros(8, np.uint8), {"scale": 2}, "shape"),
        (np.zeros((8, 8), np.uint8), {}, "exactly one"),
        (np.zeros((8, 8), np.uint8), {"scale": 2, "size": (3, 3)}, "exactly one"),
        (np.zeros((8, 8), np.uint8), {"scale": -1}, "positive"),
        (np.zeros((8, 8), np.uint8), {"scale": float("nan")}, "positive"),
        (np.zeros((8, 8), np.uint8), {"size": (0, 3)}, "at least one row"),
        (np.zeros((0, 8), np.uint8), {"scale": 2}, "at least one row"),
    ],
)
def test_bad_input_gets_a_sentence(image, kwargs, words):
    with pytest.raises((TypeError, ValueError), match=words):
        imresize(image, **kwargs)


def test_modcrop():
    assert modcrop(np.zeros((10, 11, 3), np.uint8), 4).shape == (8, 8, 3)
    assert modcrop(torch.zeros(1, 3, 10, 11), 3).shape == (1, 3, 9, 9)
    with pytest.raises(ValueError, match="at least that large"):
        modcrop(np.zeros((2, 9), np.uint8), 3)
