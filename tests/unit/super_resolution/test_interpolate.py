"""Interpolation against PyTorch, SciPy, scikit-image and closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lecture_utils.resize import imresize
from lecture_utils.super_resolution import interpolate


def noise(*shape, dtype=torch.float64):
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


def ramp(height=9, width=11):
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64),
        torch.arange(width, dtype=torch.float64),
        indexing="ij",
    )
    return 0.3 + 0.05 * x - 0.02 * y


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(
    "mode, ours, options",
    [
        ("nearest-exact", interpolate.nearest, {}),
        ("bilinear", interpolate.bilinear, {"align_corners": False}),
        ("bicubic", lambda x, s: interpolate.bicubic(x, s, a=-0.75), {"align_corners": False}),
    ],
)
def test_each_method_equals_pytorch(mode, ours, options, scale):
    image = noise(2, 3, 13, 10)
    theirs = F.interpolate(image, scale_factor=scale, mode=mode, **options)
    torch.testing.assert_close(ours(image, scale), theirs, atol=1e-12, rtol=0)


@given(
    height=st.integers(1, 9), width=st.integers(1, 9), scale=st.integers(1, 5), seed=st.integers(0)
)
def test_each_method_equals_pytorch_on_any_small_shape(height, width, scale, seed):
    generator = torch.Generator().manual_seed(seed % 2**31)
    image = torch.rand(1, 1, height, width, dtype=torch.float64, generator=generator)
    for mode, ours in (
        ("bilinear", interpolate.bilinear(image, scale)),
        ("bicubic", interpolate.bicubic(image, scale, a=-0.75)),
    ):
        theirs = F.interpolate(image, scale_factor=scale, mode=mode, align_corners=False)
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_keys_bicubic_equals_imresize_once_the_borders_are_mirrored(scale):
    image = noise(12, 9)
    mirrored = torch.from_numpy(np.pad(image.numpy(), 2, mode="symmetric"))
    cropped = interpolate.bicubic(mirrored, scale)[2 * scale : -2 * scale, 2 * scale : -2 * scale]
    torch.testing.assert_close(cropped, imresize(image, scale), atol=1e-12, rtol=0)


@pytest.mark.parametrize("scale", [2, 3])
def test_nearest_takes_the_pixel_that_minimises_the_distance(scale):
    image = noise(5, 4)
    xs, ys = interpolate.hr_positions(4, scale), interpolate.hr_positions(5, scale)
    result = interpolate.nearest(image, scale)
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            distance = {(k, m): (m - x) ** 2 + (k - y) ** 2 for k in range(5) for m in range(4)}
            assert result[i, j] == image[min(distance, key=distance.get)]


def test_positions_are_pixel_centres_spread_evenly_and_symmetrically():
    positions = interpolate.hr_positions(3, 2)
    np.testing.assert_allclose(positions, [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25])
    np.testing.assert_allclose(positions + positions[::-1], 2.0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_each_method_reproduces(scale):
    """Bi-linear and Keys keep a plane in the interior, a = -3/4 does not; all keep a constant."""
    image = ramp()
    x = torch.from_numpy(interpolate.hr_positions(11, scale))
    y = torch.from_numpy(interpolate.hr_positions(9, scale))
    exact = 0.3 + 0.05 * x[None] - 0.02 * y[:, None]
    inside = (slice(2 * scale, -2 * scale),) * 2
    for plane in (interpolate.bilinear(image, scale), interpolate.bicubic(image, scale)):
        torch.testing.assert_close(plane[inside], exact[inside], atol=1e-12, rtol=0)
    steep = interpolate.bicubic(image, scale, a=-0.75)
    assert (steep[inside] - exact[inside]).abs().max() > 1e-3
    flat = torch.full((6, 7), 0.4, dtype=torch.float64)
    for method in (interpolate.nearest, interpolate.bilinear, interpolate.bicubic):
        torch.testing.assert_close(method(flat, scale), flat.new_full((6 * scale, 7 * scale), 0.4))


def test_keys_reproduces_a_parabola_inside_and_bilinear_does_not():
    x = torch.arange(12, dtype=torch.float64)
    image = (0.01 * x**2).expand(6, 12)
    exact = 0.01 * torch.from_numpy(interpolate.hr_positions(12, 3)) ** 2
    inside = slice(6, -6)
    result = interpolate.bicubic(image, 3)[9, inside]
    torch.testing.assert_close(result, exact[inside], atol=1e-12, rtol=0)
    assert (interpolate.bilinear(image, 3)[9, inside] - exact[inside]).abs().max() > 1e-3


@pytest.mark.parametrize("a, overshoot", [(-0.5, 2 / 27), (-0.75, 1 / 9)])
def test_overshoot_at_a_step_is_minus_4a_over_27(a, overshoot):
    step = torch.zeros(4, 12, dtype=torch.float64)
    step[:, 6:] = 1
    # Scale 3 puts an HR centre at every third of a cell, where the overshoot is largest.
    result = interpolate.bicubic(step, 3, a=a)
    assert result.max().item() == pytest.approx(1 + overshoot, abs=1e-12)
    assert result.min().item() == pytest.approx(-overshoot, abs=1e-12)
    linear = interpolate.bilinear(step, 3)
    assert (linear.min(), linear.max()) == (0, 1)


def test_turning_the_image_turns_the_result():
    image = noise(7, 8)
    for method in (interpolate.nearest, interpolate.bilinear, interpolate.bicubic):
        turned = torch.rot90(method(torch.rot90(image), 3), -1)
        torch.testing.assert_close(turned, method(image, 3), atol=1e-12, rtol=0)


def test_type_channels_and_gradient_are_kept():
    image = noise(2, 3, 4, 5, dtype=torch.float32).requires_grad_()
    for method in (interpolate.nearest, interpolate.bilinear, interpolate.bicubic):
        result = method(image, 2)
        assert result.shape == (2, 3, 8, 10)
        assert result.dtype == torch.float32
        (gradient,) = torch.autograd.grad(result.sum(), image)
        # Every weight of an HR pixel sums to one, so the gradients add up to the HR pixels.
        assert gradient.sum().item() == pytest.approx(result.numel(), rel=1e-5)


def test_gaussian_blur_equals_scipy():
    from scipy.ndimage import gaussian_filter

    image = noise(20, 17)
    for sigma in (0.5, 1.0, 2.5):
        theirs = gaussian_filter(
            image.numpy(), sigma, mode="nearest", radius=int(np.ceil(4 * sigma))
        )
        ours = interpolate.gaussian_blur(image, sigma)
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


def test_sharpen_equals_scikit_image():
    from skimage.filters import unsharp_mask

    image = 0.3 + 0.4 * noise(24, 18)  # stays within [0, 1], where scikit-image clips
    # With sigma = 1 scikit-image also cuts the Gaussian at four standard deviations; it mirrors
    # the image at its borders, where we repeat the last pixel, so only the interior is the same.
    theirs = unsharp_mask(image.numpy(), radius=1.0, amount=0.5)[4:-4, 4:-4]
    ours = interpolate.sharpen(image, 0.5, 1.0)[4:-4, 4:-4]
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


def test_sharpen_by_nothing_and_of_a_constant_changes_nothing():
    image = noise(8, 8)
    torch.testing.assert_close(interpolate.sharpen(image, 0.0), image)
    flat = torch.full((8, 8), 0.6, dtype=torch.float64)
    torch.testing.assert_close(interpolate.sharpen(flat, 3.0, 2.0), flat)


@pytest.mark.parametrize("frequency", [1 / 32, 1 / 8, 1 / 4])
def test_sharpen_multiplies_a_wave_by_its_transfer_function(frequency):
    x = torch.arange(128, dtype=torch.float64)
    wave = (0.5 + 0.1 * torch.cos(2 * torch.pi * frequency * x)).expand(24, 128)
    sigma, amount = 1.5, 0.8
    gain = 1 + amount * (1 - np.exp(-2 * (np.pi * sigma * frequency) ** 2))
    result = interpolate.sharpen(wave, amount, sigma)[12, 16:-16]
    expected = 0.5 + gain * (wave[12, 16:-16] - 0.5)
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)


def test_bad_input_is_told_in_a_sentence():
    image = noise(4, 4)
    with pytest.raises(TypeError, match="needs a float tensor"):
        interpolate.bilinear(torch.zeros(4, 4, dtype=torch.uint8), 2)
    with pytest.raises(TypeError, match=r"nearest got an array of float64.*from_numpy"):
        interpolate.nearest(np.zeros((4, 4)), 2)
    with pytest.raises(ValueError, match=r"bilinear got a tensor.*movedim"):
        interpolate.bilinear(torch.zeros(8, 8, 3), 2)
    with pytest.raises(ValueError, match=r"gaussian_blur got a tensor.*movedim"):
        interpolate.sharpen(torch.zeros(8, 8, 3), 1)
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        interpolate.bicubic(image[0], 2)
    with pytest.raises(ValueError, match="at least one row"):
        interpolate.bicubic(image[:0], 2)
    for scale in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="whole number"):
            interpolate.nearest(image, scale)
    for sigma in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="sigma is"):
            interpolate.gaussian_blur(image, sigma)
    with pytest.raises(ValueError, match="amount is -1"):
        interpolate.sharpen(image, -1)


@pytest.mark.data
def test_the_table_of_set5():
    """The numbers that the section on interpolation prints as its record."""
    from lecture_utils import data
    from lecture_utils.metrics import psnr_y
    from lecture_utils.resize import modcrop

    if data.find("set5") is None:
        pytest.skip("not run: Set5 is not in LECTURE_DATA_DIR")
    recorded = {2: (30.86, 32.25, 33.68, 33.97), 3: (27.93, 29.54, 30.40, 30.63),
                4: (26.26, 27.56, 28.43, 28.63)}  # fmt: skip
    methods = (
        interpolate.nearest,
        interpolate.bilinear,
        interpolate.bicubic,
        lambda image, s: interpolate.bicubic(image, s, a=-0.75),
    )
    for scale, expected in recorded.items():
        scores = []
        for image in data.set5().values():
            reference = modcrop(image, scale)
            small = torch.from_numpy(imresize(reference, 1 / scale)).permute(2, 0, 1).double() / 255
            enlarged = [method(small, scale).clamp(0, 1) * 255 for method in methods]
            scores.append([
                psnr_y(result.round().byte().permute(1, 2, 0).numpy(), reference, scale)
                for result in enlarged
            ])  # fmt: skip
        np.testing.assert_allclose(np.mean(scores, axis=0), expected, atol=0.0051)


@pytest.mark.data
def test_without_antialiasing_the_two_kernels_change_places_from_x3_on():
    """What the section says of a = -1/2 and a = -3/4 on LR images that are point samples."""
    from lecture_utils import data
    from lecture_utils.metrics import psnr_y
    from lecture_utils.resize import modcrop

    if data.find("set5") is None:
        pytest.skip("not run: Set5 is not in LECTURE_DATA_DIR")
    for scale, expected in {2: (34.36, 34.49), 3: (29.74, 29.64), 4: (28.00, 27.93)}.items():
        scores = []
        for image in data.set5().values():
            reference = modcrop(image, scale)
            small = imresize(reference, 1 / scale, antialias=False)
            small = torch.from_numpy(small).permute(2, 0, 1).double() / 255
            both = [interpolate.bicubic(small, scale, a=a).clamp(0, 1) * 255 for a in (-0.5, -0.75)]
            both = [result.round().byte().permute(1, 2, 0).numpy() for result in both]
            scores.append([psnr_y(result, reference, scale) for result in both])
        np.testing.assert_allclose(np.mean(scores, axis=0), expected, atol=0.0051)


@pytest.mark.parametrize("kind", [np.int64, float, np.float32, torch.tensor])
@pytest.mark.parametrize("method", [interpolate.nearest, interpolate.bilinear, interpolate.bicubic])
def test_the_scale_may_be_any_kind_of_whole_number(method, kind):
    image = noise(4, 5)
    torch.testing.assert_close(method(image, kind(3)), method(image, 3), atol=0, rtol=0)
