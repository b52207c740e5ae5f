"""Several frames: operator and rank against dense matrices, solutions against least squares."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lecture_utils import data
from lecture_utils.metrics import luminance, psnr, psnr_y
from lecture_utils.super_resolution.degrade import (
    Degradation,
    box_kernel,
    gaussian_kernel,
    gradient,
)
from lecture_utils.super_resolution.multi_frame import (
    Frames,
    estimate_shifts,
    multi_frame,
    noise_gain,
    refine_shifts,
)
from lecture_utils.super_resolution.solvers import tikhonov, tikhonov_cg

POINT = box_kernel(1)
SHIFTS = {
    "whole": torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1], [3, 2]]).double(),
    "anywhere": torch.tensor([[0, 0], [0.31, 1.2], [1.7, 0.4], [-0.8, -1.1], [2.3, 0.9]]).double(),
    "on a line": torch.tensor([[0, 0], [0.5, 0], [0.9, 0], [1.3, 0], [1.6, 0]]).double(),
    "diagonal": torch.tensor([[0, 0], [0.4, 0.4], [0.9, 0.9], [1.2, 1.2], [1.7, 1.7]]).double(),
    "the same": torch.zeros(5, 2, dtype=torch.float64),
    "whole LR pixels": 2 * torch.tensor([[0, 0], [1, 0], [0, 1], [-1, 1], [2, 2]]).double(),
}


def noise(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def grid(scale):
    return torch.cartesian_prod(torch.arange(scale), torch.arange(scale)).double()


def dense(frames, shape):
    """The stacked operator as a matrix, one column for each HR pixel."""
    unit_images = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return frames.apply(unit_images).transpose(0, 1).reshape(math.prod(shape), -1).T


def photo(size=96):
    grey = luminance(data.photos()["astronaut"][:size, 150 : 150 + size]) / 255
    return torch.from_numpy(grey)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_frame_is_the_scene_rolled_blurred_and_sub_sampled(scale):
    x = noise(2, 12, 6 * scale)
    H = Degradation(gaussian_kernel(0.7), scale)
    shifts = torch.tensor([[0, 0], [1, 0], [0, 2], [-3, 5]]).double()
    frames = Frames(H, shifts).apply(x)
    for frame, (down, right) in zip(frames, shifts.long().tolist(), strict=True):
        torch.testing.assert_close(frame, H.apply(x.roll((down, right), dims=(-2, -1))))


def test_a_wave_moves_by_a_fraction_of_a_pixel():
    y, x = torch.meshgrid(torch.arange(12.0).double(), torch.arange(9.0).double(), indexing="ij")

    def wave(down, right):
        return torch.cos(2 * math.pi * (3 * (y - down) / 12 - 2 * (x - right) / 9))

    shifts = torch.tensor([[0.3, -1.7], [5.5, 0.25]], dtype=torch.float64)
    frames = Frames(Degradation(POINT, 1), shifts)
    expected = torch.stack([wave(0.3, -1.7), wave(5.5, 0.25)])
    torch.testing.assert_close(frames.apply(wave(0, 0)), expected, atol=1e-12, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    scale=st.integers(1, 3),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    count=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_the_adjoint_is_the_transpose(scale, rows, columns, count, seed):
    shifts = 3 * noise(count, 2, seed=seed)
    frames = Frames(Degradation(gaussian_kernel(0.8), scale), shifts)
    x = noise(2, scale * rows, scale * columns, seed=seed + 1)
    ys = noise(count, 2, rows, columns, seed=seed + 2)
    there, back = (frames.apply(x) * ys).sum(), (x * frames.adjoint(ys)).sum()
    assert abs(there - back) < 1e-10 * (1 + abs(there))


@pytest.mark.parametrize("kernel", [POINT, gaussian_kernel(0.6), box_kernel(2)])
@pytest.mark.parametrize("kind", SHIFTS)
def test_rank_and_singular_values_are_those_of_the_matrix(kind, kernel):
    shape = (8, 6)
    for count in range(1, 6):
        frames = Frames(Degradation(kernel, 2), SHIFTS[kind][:count])
        matrix = dense(frames, shape)
        assert frames.rank(shape) == int(torch.linalg.matrix_rank(matrix, rtol=1e-9))
        expected = torch.linalg.svdvals(matrix)
        values = frames.singular_values(shape).flatten().sort(descending=True).values
        torch.testing.assert_close(values, expected[: len(values)], atol=1e-12, rtol=0)


def test_the_rank_grows_by_one_frame_until_all_distinct_shifts_are_there():
    H = Degradation(POINT, 3)
    ranks = [Frames(H, grid(3)[:count]).rank((9, 12)) for count in range(1, 10)]
    assert ranks == [12 * count for count in range(1, 10)]
    repeated = torch.cat([grid(3)[:4], grid(3)[:4] + 3])
    assert Frames(H, repeated).rank((9, 12)) == 4 * 12


def test_distinct_shifts_on_a_line_do_not_suffice():
    H, shape = Degradation(POINT, 2), (8, 8)
    assert Frames(H, SHIFTS["on a line"]).rank(shape) == 32  # only rows are told apart
    # On the diagonal of a square of side s there are 2 s - 1 = 3 combinations to tell apart.
    assert Frames(H, SHIFTS["diagonal"]).rank(shape) < 64
    assert Frames(H, SHIFTS["anywhere"]).rank(shape) == 64


def test_a_pixel_as_large_as_the_pitch_hides_frequencies_from_every_frame():
    # The box of 4 pixels has zeros at 1/4, 1/2 and 3/4 cycle a pixel: 3 of 8 rows and columns.
    assert Frames(Degradation(box_kernel(4), 4), grid(4)).rank((8, 8)) == 5 * 5
    assert Frames(Degradation(box_kernel(3), 4), grid(4)).rank((8, 8)) == 64


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kernel", [POINT, gaussian_kernel(0.6)])
def test_all_shifts_without_noise_give_the_image_back(scale, kernel):
    x = noise(2, 3 * scale, 4 * scale)
    H, shifts = Degradation(kernel, scale), grid(scale)
    shifts = shifts[torch.randperm(len(shifts), generator=torch.Generator().manual_seed(0))]
    found = multi_frame(Frames(H, shifts).apply(x), shifts, H, 0.0)
    torch.testing.assert_close(found, x, atol=1e-9, rtol=0)


def test_shifts_anywhere_without_noise_give_the_image_back():
    x, H = noise(8, 6), Degradation(gaussian_kernel(0.6), 2)
    ys = Frames(H, SHIFTS["anywhere"]).apply(x)
    torch.testing.assert_close(multi_frame(ys, SHIFTS["anywhere"], H, 0), x, atol=1e-9, rtol=0)


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("kind", ["whole", "anywhere", "on a line"])
@pytest.mark.parametrize("tau", [0.0, 0.02])
def test_the_solution_is_that_of_dense_least_squares(count, kind, tau):
    shape, shifts = (8, 6), SHIFTS[kind][:count]
    H = Degradation(gaussian_kernel(0.6), 2)
    ys = noise(count, 4, 3)
    matrix, known = dense(Frames(H, shifts), shape), ys.flatten()
    if tau:
        unit_images = torch.eye(48, dtype=torch.float64).reshape(48, *shape)
        slopes = gradient(unit_images).reshape(48, -1).T
        matrix = torch.cat([matrix, math.sqrt(tau) * slopes])
        known = torch.cat([known, known.new_zeros(len(slopes))])
    expected = torch.linalg.lstsq(matrix, known[:, None], rcond=1e-9, driver="gelsd").solution
    found = multi_frame(ys, shifts, H, tau)
    torch.testing.assert_close(found.flatten(), expected[:, 0], atol=1e-9, rtol=1e-9)


def test_one_frame_is_tikhonov():
    H, y = Degradation(gaussian_kernel(1.0), 3), noise(1, 5, 4)
    at_rest = torch.zeros(1, 2, dtype=torch.float64)
    torch.testing.assert_close(multi_frame(y, at_rest, H, 0.1), tikhonov(y[0], H, 0.1))


def test_conjugate_gradients_find_the_same():
    H, shifts = Degradation(box_kernel(3), 2), SHIFTS["anywhere"]
    ys = noise(5, 2, 8, 6)
    iterated = tikhonov_cg(ys, Frames(H, shifts), 0.05, tolerance=1e-10)
    torch.testing.assert_close(multi_frame(ys, shifts, H, 0.05), iterated, atol=1e-7, rtol=0)


def test_noise_gain_is_the_norm_of_the_inverse():
    shape, shifts = (8, 6), SHIFTS["anywhere"]
    H = Degradation(gaussian_kernel(0.6), 2)
    inverse = torch.linalg.pinv(dense(Frames(H, shifts), shape))
    assert noise_gain(shifts, H, 0, shape) == pytest.approx(float(inverse.norm()) / math.sqrt(48))
    sharp = Degradation(POINT, 4)
    assert noise_gain(grid(4), sharp, 0, (8, 8)) == pytest.approx(1)
    assert noise_gain(grid(4).repeat(9, 1), sharp, 0, (8, 8)) == pytest.approx(1 / 3)


def test_noise_gain_is_what_noise_shows():
    H, shifts = Degradation(box_kernel(3), 2), SHIFTS["anywhere"]
    found = multi_frame(noise(5, 400, 6, 6), shifts, H, 0.01)
    assert float(found.std()) == pytest.approx(noise_gain(shifts, H, 0.01, (12, 12)), rel=0.02)


def test_axes_between_are_images_of_their_own_and_the_type_is_kept():
    H, shifts = Degradation(gaussian_kernel(0.6), 2), SHIFTS["anywhere"]
    ys = noise(5, 2, 3, 4, 6)
    together = multi_frame(ys, shifts, H, 0.1)
    assert together.shape == (2, 3, 8, 12)
    torch.testing.assert_close(together[1, 2], multi_frame(ys[:, 1, 2], shifts, H, 0.1))
    single = multi_frame(ys.float(), shifts, H, 0.1)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), together, atol=1e-5, rtol=0)
    assert Frames(H, shifts).apply(together.float()).dtype == torch.float32


def test_phase_correlation_finds_shifts_of_frames_without_aliases():
    smooth = Degradation(gaussian_kernel(3.0), 2)  # nothing is left beyond the Nyquist frequency
    shifts = torch.tensor([[0, 0], [3.4, -1.2], [-7.0, 4.6], [0.5, 0.5]]).double()
    ys = Frames(smooth, shifts).apply(photo())
    for frames in (ys, ys[:, None].expand(-1, 3, -1, -1)):
        torch.testing.assert_close(estimate_shifts(frames, 2), shifts, atol=0.05, rtol=0)


def test_turns_correct_what_aliases_did_to_the_shifts():
    x, H = photo(), Degradation(box_kernel(3), 4)
    shifts = 4 * torch.rand(16, 2, generator=torch.Generator().manual_seed(3)).double()
    shifts -= shifts[0].clone()
    ys = Frames(H, shifts).apply(x)
    ys = ys + 2 / 255 * noise(*ys.shape)

    def error(found):
        return float((found - shifts).square().mean().sqrt())

    first = estimate_shifts(ys, 4)
    again = refine_shifts(ys, first, H, 0.03, rounds=8)
    assert error(first) > 0.15
    assert error(again) < 0.1
    assert torch.equal(again[0], first[0])
    assert torch.equal(refine_shifts(ys, first, H, 0.03, rounds=0), first)
    known = psnr(multi_frame(ys, shifts, H, 0.01), x)
    assert psnr(multi_frame(ys, again, H, 0.01), x) > known - 0.5
    assert psnr(multi_frame(ys, first, H, 0.01), x) < known - 1


@pytest.mark.parametrize(
    "shifts, error, message",
    [
        (np.zeros((3, 2)), TypeError, "ndarray"),
        (torch.zeros(3, 2, dtype=torch.int64), TypeError, "int64"),
        (torch.zeros(3), ValueError, r"shape \(3,\)"),
        (torch.zeros(0, 2), ValueError, "at least one frame"),
        (torch.tensor([[0.0, math.nan]]), ValueError, "NaN"),
    ],
)
def test_wrong_shifts_are_named(shifts, error, message):
    with pytest.raises(error, match=message):
        Frames(Degradation(POINT, 2), shifts)


def test_frames_that_do_not_fit_are_named():
    H, shifts = Degradation(POINT, 2), torch.zeros(3, 2)
    with pytest.raises(ValueError, match="3 shifts"):
        multi_frame(noise(2, 4, 4), shifts, H, 0.1)
    with pytest.raises(ValueError, match="tau is -1"):
        multi_frame(noise(3, 4, 4), shifts, H, -1.0)
    with pytest.raises(ValueError, match="multiples"):
        Frames(H, shifts).apply(noise(5, 4))
    with pytest.raises(TypeError, match="int64"):
        multi_frame(torch.zeros(3, 4, 4, dtype=torch.int64), shifts, H, 0.1)
    with pytest.raises(ValueError, match="singular"):
        blind = Degradation(torch.tensor([[1.0, -1.0]]).double(), 2)
        multi_frame(noise(3, 4, 4), shifts, blind, 0.1)
    with pytest.raises(ValueError, match="upsample"):
        estimate_shifts(noise(3, 4, 4), 2, upsample=0)
    with pytest.raises(ValueError, match=r"upsample is 1\.5"):
        estimate_shifts(noise(3, 4, 4), 2, upsample=1.5)
    frames = noise(3, 8, 8)
    frames[1] = 0.5
    with pytest.raises(ValueError, match="Frame 1 has one value everywhere"):
        estimate_shifts(frames, 2)
    with pytest.raises(ValueError, match="movedim"):
        estimate_shifts(noise(9, 8, 3), 2)
    with pytest.raises(ValueError, match="3 shifts"):
        refine_shifts(noise(2, 4, 4), shifts, H, 0.1)


def test_numbers_may_be_of_any_kind():
    frames = noise(3, 8, 8)
    expected = estimate_shifts(frames, 2, upsample=10)
    got = estimate_shifts(frames, np.int64(2), upsample=np.float64(10))
    torch.testing.assert_close(got, expected, atol=0, rtol=0)


CROPS = {
    "astronaut": (0, 100),
    "chelsea": (20, 130),
    "coffee": (20, 200),
    "rocket": (60, 200),
    "china": (60, 70),
    "flower": (70, 160),
}


@pytest.mark.parametrize("box, single, several", [(3, 27.29, 33.34), (4, 27.59, 31.84)])
def test_the_gain_that_the_section_records(box, single, several):
    """Six photographs, x4, 16 frames with shifts anywhere, noise of 2 grey levels, tau by oracle.

    Other draws of shifts and noise move the means by some tenths of a decibel.
    """
    photos = data.photos()
    truth = [photos[name][t : t + 256, left : left + 256] for name, (t, left) in CROPS.items()]
    x = torch.from_numpy(np.stack(truth)).permute(0, 3, 1, 2).double() / 255
    H, generator = Degradation(box_kernel(box), 4), torch.Generator().manual_seed(1)
    shifts = 4 * torch.rand(16, 2, generator=generator, dtype=torch.float64)
    shifts = shifts - shifts[0]
    ys = Frames(H, shifts).apply(x)
    ys = ys + 2 / 255 * noise(*ys.shape, seed=7)

    def best(solve, taus):
        """The mean over photographs of the largest PSNR over tau."""
        table = []
        for tau in taus:
            image = (255 * solve(tau).clamp(0, 1)).round().byte().permute(0, 2, 3, 1).numpy()
            table.append([psnr_y(a, b, 4) for a, b in zip(image, truth, strict=True)])
        return float(np.max(table, axis=0).mean())

    alone = best(lambda tau: multi_frame(ys[:1], shifts[:1], H, tau), 10 ** np.arange(-5, 0.1, 1))
    together = best(lambda tau: multi_frame(ys, shifts, H, tau), 10 ** np.arange(-3.5, -0.9, 0.5))
    assert alone == pytest.approx(single, abs=0.15)
    assert together == pytest.approx(several, abs=0.6)
    assert together - alone > (5 if box == 3 else 3.5)
