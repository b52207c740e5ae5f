"""PSNR, SSIM and luminance against scikit-image, closed forms and the papers' numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lecture_utils import data
from lecture_utils.metrics import luminance, psnr, psnr_y, ssim, ssim_y
from lecture_utils.resize import imresize, modcrop


@pytest.mark.data
@pytest.mark.parametrize(("scale", "published"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_bicubic_on_set5_gives_the_published_psnr(scale, published):
    if data.find("set5") is None:
        pytest.skip("NOT RUN: Set5 is not in LECTURE_DATA_DIR")
    values = []
    for image in data.set5().values():
        high = modcrop(image, scale)
        values.append(psnr_y(imresize(imresize(high, 1 / scale), scale), high, scale))
    # The papers resize the luminance alone; resizing RGB instead moves the mean by about 0.02 dB.
    assert np.mean(values) == pytest.approx(published, abs=0.03)


def test_luminance_equals_scikit_image():
    from skimage.color import rgb2ycbcr

    rgb = data.photos()["chelsea"]
    np.testing.assert_allclose(luminance(rgb), rgb2ycbcr(rgb)[..., 0], atol=1e-9)
    tensor = torch.from_numpy(rgb).permute(2, 0, 1).double() / 255
    np.testing.assert_allclose(luminance(tensor)[0].numpy() * 255, luminance(rgb), atol=1e-4)


def test_luminance_of_black_and_white():
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(luminance(ends), [[16, 235]], atol=1e-9)


@given(st.integers(1, 254))
def test_psnr_of_a_constant_error_has_a_closed_form(error):
    black = np.zeros((6, 7), np.uint8)
    assert psnr(black + np.uint8(error), black) == pytest.approx(20 * np.log10(255 / error))


def test_psnr_equals_torchmetrics_and_ssim_its_definition():
    from scipy.signal import convolve2d
    from torchmetrics.functional.image import peak_signal_noise_ratio

    reference = data.textures()["camera"][:128, :160]
    noisy = np.clip(
        reference + np.random.default_rng(0).normal(0, 20, reference.shape), 0, 255
    ).astype(np.uint8)
    x, y = noisy.astype(np.float64), reference.astype(np.float64)
    expected = peak_signal_noise_ratio(torch.from_numpy(x), torch.from_numpy(y), data_range=255.0)
    assert psnr(noisy, reference) == pytest.approx(float(expected))

    # Wang et al. 2004, equations (14) to (16), written out.
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(bell, bell) / bell.sum() ** 2

    def local(image):
        return convolve2d(image, window, mode="valid")

    mean_x, mean_y = local(x), local(y)
    var_x, var_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    covariance = local(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ratio = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    ratio /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    assert ssim(noisy, reference) == pytest.approx(ratio.mean(), abs=1e-9)


def test_border_is_cropped_on_every_side():
    reference = np.full((20, 20), 100, np.uint8)
    framed = reference.copy()
    framed[:3] = framed[-3:] = 0
    framed[:, :3] = framed[:, -3:] = 0
    assert psnr(framed, reference, border=3) == float("inf")
    assert psnr(framed, reference, border=2) < 40
    as_tensor = [torch.from_numpy(x)[None].expand(3, -1, -1) for x in (framed, reference)]
    assert psnr(*as_tensor, border=3) == float("inf")


def test_ssim_y_is_one_for_equal_images():
    image = data.photos()["rocket"][:64, :64]
    assert ssim_y(image, image, 3) == pytest.approx(1)
    assert psnr_y(image, image, 3) == float("inf")


def test_bad_input_gets_a_sentence():
    a = np.zeros((16, 16), np.uint8)
    with pytest.raises(ValueError, match="one shape"):
        psnr(a, a[:8])
    with pytest.raises(ValueError, match="both in 8 bits"):
        psnr(a, a / 255.0)
    with pytest.raises(ValueError, match="nothing is left"):
        psnr(a, a, border=8)
    with pytest.raises(ValueError, match="at least 11"):
        ssim(a, a, border=3)
    with pytest.raises(TypeError, match="needs uint8"):
        luminance(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"\(\.\.\., 3, H, W\)"):
        luminance(torch.zeros(1, 4, 4))


# Every other type and layout that stands for the same two pictures: the same number, or a sentence.

A = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
B = np.clip(A.astype(int) + np.random.default_rng(1).integers(-9, 10, A.shape), 0, 255)
B = B.astype(np.uint8)
TENSORS = [torch.from_numpy(x).movedim(-1, -3) for x in (A, B)]
DECIBELS = psnr(A, B)


def test_the_reference_number_is_right():
    assert pytest.approx(20 * np.log10(255 / np.sqrt(((A / 1.0 - B) ** 2).mean()))) == DECIBELS


@pytest.mark.parametrize(
    ("pair", "peak"),
    [
        ([x / 255 for x in (A, B)], None),
        ([(x / 255).astype(np.float32) for x in (A, B)], None),
        (TENSORS, None),
        ([x / 255 for x in TENSORS], None),
        ([x.to(torch.float64) for x in TENSORS], 255),
        ([x.astype(np.int64) for x in (A, B)], 255),
        ([x.astype(np.int16) for x in (A, B)], 255.0),
        ([x.astype(np.uint16) * 257 for x in (A, B)], 65535),
        ([torch.from_numpy(x.astype(np.uint16)).movedim(-1, -3) for x in (A, B)], 255),
        ([x.long() for x in TENSORS], np.int64(255)),
    ],
)
def test_psnr_is_the_same_in_every_type_that_holds_the_values(pair, peak):
    assert psnr(*pair, peak=peak) == pytest.approx(DECIBELS, abs=1e-4)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_measured(kind):
    pair = [(x / 255).to(kind) for x in TENSORS]
    # 8 bits of mantissa round a bright pixel by up to half a grey level.
    assert psnr(*pair) == pytest.approx(DECIBELS, abs=0.2)
    grey = [x[0] for x in pair]
    assert ssim(*grey) == pytest.approx(ssim(A[..., 0], B[..., 0]), abs=1e-3)
    y = luminance(pair[0])
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, luminance(TENSORS[0] / 255), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("pair", "peak", "error", "words"),
    [
        ([x.astype(np.int64) for x in (A, B)], None, TypeError, "int64.*peak=255"),
        ([x.astype(np.int16) for x in (A, B)], None, TypeError, "int16.*peak=255"),
        ([x.astype(np.uint16) * 257 for x in (A, B)], None, TypeError, "uint16.*peak=65535"),
        ([x.long() for x in TENSORS], None, TypeError, "int64"),
        ([A.astype(np.int64), B / 255], None, TypeError, "int64.*float64"),
        ([x.astype(float) for x in (A, B)], None, ValueError, "from 0 to 255.*peak=255"),
        ([A.astype(float), B / 255], None, ValueError, "from 0 to 255"),
        ([A / 255, B.astype(float)], None, ValueError, "from 0 to 255"),
        ([x.float() for x in TENSORS], None, ValueError, "from 0 to 255"),
        ([x / 255 for x in (A, B)], 255, ValueError, "go up to 1"),
        ([x.astype(np.uint16) for x in (A, B)], 65535, ValueError, "go up to 255"),
        ([A, B], 1, ValueError, "from 0 to 255"),
        ([A, B], -255, ValueError, "above 0"),
        ([A, B], "255", ValueError, "finite number"),
        ([A, B[..., 0]], None, ValueError, "grey with grey"),
        ([x.movedim(-3, -1) for x in TENSORS], None, ValueError, "movedim"),
        ([np.moveaxis(x, -1, 0) for x in (A, B)], None, ValueError, "moveaxis"),
        ([x[None] for x in (A, B)], None, ValueError, "out of a batch"),
        ([np.dstack([x, x[..., 0]]) for x in (A, B)], None, ValueError, "alpha"),
        ([x.astype(complex) for x in (A, B)], 255, TypeError, "real numbers"),
        ([A.tolist(), B.tolist()], None, TypeError, "a list.*makes an array"),
        ([Image.fromarray(x) for x in (A, B)], None, TypeError, "Pillow.*convert"),
    ],
)
def test_what_would_give_a_wrong_number_gets_a_sentence(pair, peak, error, words):
    with pytest.raises(error, match=words):
        psnr(*pair, peak=peak)


def test_an_estimate_may_overshoot_and_a_hole_stays_visible():
    estimate = A / 255 + np.random.default_rng(0).normal(0, 0.2, A.shape)
    assert estimate.min() < -0.3
    assert psnr(estimate, A / 255) == pytest.approx(14, abs=0.2)
    wild = 40 * (A / 255 - 0.5)
    with pytest.raises(ValueError, match="peak=1"):
        psnr(wild, A / 255)
    assert psnr(wild, A / 255, peak=1) < -20
    estimate[0, 0, 0] = np.nan
    assert np.isnan(psnr(estimate, A / 255))
    assert psnr(np.zeros((4, 4)), np.zeros((4, 4)), peak=255) == float("inf")


@pytest.mark.parametrize(
    ("pair", "error", "words"),
    [
        ([A / 255, B / 255], TypeError, "float64.*rint"),
        ([A[..., 0] / 255, B[..., 0] / 255], TypeError, "float64"),
        ([A.astype(np.uint16), B.astype(np.uint16)], TypeError, "uint16.*257"),
        ([A > 127, B > 127], TypeError, "bool"),
        ([x / 255 for x in TENSORS], TypeError, "tensor of float32.*numpy"),
        (TENSORS, TypeError, "tensor of uint8"),
        ([A, B[..., 0]], ValueError, "grey with grey"),
        ([A, B[:-1]], ValueError, "one shape"),
        ([np.dstack([x, x[..., 0]]) for x in (A, B)], ValueError, "alpha"),
        ([np.moveaxis(x, -1, 0) for x in (A, B)], ValueError, "moveaxis"),
    ],
)
@pytest.mark.parametrize("measure", [psnr_y, ssim_y])
def test_the_papers_measure_takes_eight_bits_only(measure, pair, error, words):
    with pytest.raises(error, match=f"{measure.__name__} got.*{words}"):
        measure(*pair, 2)


def test_grey_images_with_and_without_an_axis_for_the_channel_are_the_same():
    grey, other = A[..., :1], B[..., :1]
    assert psnr_y(grey, other, 2) == psnr_y(grey[..., 0], other[..., 0], 2)
    # In three channels the same grey ends at 235 instead of 255.
    as_colour = psnr_y(np.repeat(grey, 3, 2), np.repeat(other, 3, 2), 2)
    assert as_colour - psnr_y(grey, other, 2) == pytest.approx(20 * np.log10(255 / 219), abs=1e-3)


def test_luminance_of_tensors_of_eight_bits_and_what_it_refuses():
    torch.testing.assert_close(luminance(TENSORS[0]), luminance(TENSORS[0] / 255))
    for image, error, words in [
        (TENSORS[0].long(), TypeError, "int64"),
        (TENSORS[0].bool(), TypeError, "bool"),
        (TENSORS[0].float(), ValueError, "from 0 to 255.*Divide"),
        (TENSORS[0].movedim(0, -1) / 255, ValueError, "movedim"),
        (A.tolist(), TypeError, "a list"),
    ]:
        with pytest.raises(error, match=f"luminance got.*{words}"):
            luminance(image)


def test_borders_are_whole_numbers_of_any_kind():
    for border in (np.int64(2), 2.0, np.float32(2), torch.tensor(2)):
        assert psnr(A, B, border=border) == psnr(A, B, border=2)
    for border in (-1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="whole number of at least 0"):
            psnr(A, B, border=border)
