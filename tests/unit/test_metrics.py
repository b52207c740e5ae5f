"""PSNR, SSIM and luminance against scikit-image, closed forms and the papers' numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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
    with pytest.raises(ValueError, match="needs uint8"):
        luminance(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"\(\.\.\., 3, H, W\)"):
        luminance(torch.zeros(1, 4, 4))
