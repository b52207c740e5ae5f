"""Johnson's transform network: style transfer in one pass, for one style or for several."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConditionalInstanceNorm(nn.Module):
    """Instance normalisation with a scale and a shift for each style.

    Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Improved texture networks", CVPR 2017
    (instance normalisation); V. Dumoulin, J. Shlens and M. Kudlur, "A learned representation for
    artistic style", ICLR 2017, equation (5) (one pair of vectors for each style).

    Parameters
    ----------
    channels
        Feature maps.
    styles
        How many styles share the network.

    Attributes
    ----------
    fixed
        Mean and variance of each channel, (C, 1, 1), for parts of an image that need those of the
        whole; without them those of each image.
    """

    def __init__(self, channels: int, styles: int = 1) -> None:
        super().__init__()
        self.fixed: tuple[Tensor, Tensor] | None = None
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """Normalise (N, C, H, W) over its positions; ``mix`` (N, S) weighs the styles."""
        scale = (mix @ self.scale)[:, :, None, None]  # (N, C, 1, 1)
        shift = (mix @ self.shift)[:, :, None, None]
        if self.fixed is not None:
            mean, variance = self.fixed
            return scale * (x - mean) * (variance + 1e-5).rsqrt() + shift
        return scale * nn.functional.instance_norm(x) + shift


class Layer(nn.Module):
    """Convolution with mirrored borders, then instance normalisation, then perhaps a rectifier."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        size: int,
        *,
        styles: int,
        stride: int = 1,
        upsample: int = 1,
        rectify: bool = True,
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.pad = nn.ReflectionPad2d(size // 2)
        self.conv = nn.Conv2d(n_in, n_out, size, stride)
        self.norm = ConditionalInstanceNorm(n_out, styles)
        self.rectify = rectify

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H u / s, W u / s)."""
        if self.upsample > 1:
            x = nn.functional.interpolate(x, scale_factor=self.upsample)
        made: Tensor = self.norm(self.conv(self.pad(x)), mix)
        return made.relu() if self.rectify else made


class Residual(nn.Module):
    """Two layers of 3 x 3 whose result is added to their input."""

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.first = Layer(channels, channels, 3, styles=styles)
        self.second = Layer(
            channels, channels, 3, styles=styles, rectify=False
        )

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        change: Tensor = self.second(self.first(x, mix), mix)
        return x + change


class TransposedLayer(nn.Module):
    """The paper's fractionally strided convolution, which can draw checkerboards."""

    def __init__(self, n_in: int, n_out: int, *, styles: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(
            n_in, n_out, 3, stride=2, padding=1, output_padding=1
        )
        self.norm = ConditionalInstanceNorm(n_out, styles)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', 2 H, 2 W)."""
        made: Tensor = self.norm(self.conv(x), mix)
        return made.relu()


class TransformNetwork(nn.Module):
    """Two strided convolutions, five residual blocks, two enlarging convolutions.

    Source: J. Johnson, A. Alahi and L. Fei-Fei, "Perceptual losses for real-time style transfer and
    super-resolution", ECCV 2016, and its supplement, table 1; instance instead of batch
    normalisation, as in the authors' later code.

    Parameters
    ----------
    width
        Feature maps of the first layer: 32 in the paper, 16 in the shipped networks.
    styles
        How many styles the network can mix.
    upsampling
        ``nearest``: repeat pixels, then convolve (A. Odena, V. Dumoulin and C. Olah, Distill 2016);
        ``transposed``: the paper's fractionally strided convolutions.
    """

    def __init__(
        self, width: int = 32, styles: int = 1, upsampling: str = "nearest"
    ) -> None:
        super().__init__()
        if upsampling not in ("nearest", "transposed"):
            raise ValueError(
                f"The upsampling is {upsampling!r}; it must be 'nearest' or"
                " 'transposed'."
            )
        w, s = width, styles
        self.styles = styles

        def enlarging(n_in: int, n_out: int) -> nn.Module:
            if upsampling == "nearest":
                return Layer(n_in, n_out, 3, styles=s, upsample=2)
            return TransposedLayer(n_in, n_out, styles=s)

        self.layers = nn.ModuleList(
            [
                Layer(3, w, 9, styles=s),  # (N, w, H, W)
                Layer(w, 2 * w, 3, styles=s, stride=2),  # (N, 2w, H/2, W/2)
                Layer(
                    2 * w, 4 * w, 3, styles=s, stride=2
                ),  # (N, 4w, H/4, W/4)
                *(Residual(4 * w, s) for _ in range(5)),
                enlarging(4 * w, 2 * w),  # (N, 2w, H/2, W/2)
                enlarging(2 * w, w),  # (N, w, H, W)
            ]
        )
        self.last = nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(w, 3, 9))

    def forward(self, images: Tensor, mix: Tensor | None = None) -> Tensor:
        """Repaint RGB images (N, 3, H, W) in [0, 1]; sides of any length of at least 16.

        ``mix`` (N, S) weighs the styles; without it the first one is taken.
        """
        if mix is None:
            mix = images.new_zeros(len(images), self.styles)
            mix[:, 0] = 1
        height, width = images.shape[-2:]
        # Whole multiples of 4 pass the two halvings; what is added here is cut off at the end.
        x = nn.functional.pad(
            images, (0, -width % 4, 0, -height % 4), mode="reflect"
        )
        x = 2 * x - 1
        for layer in self.layers:
            x = layer(x, mix)
        # tanh keeps the result within [0, 1] without cutting gradients off.
        x = 0.5 + 0.5 * torch.tanh(self.last(x))
        return x[..., :height, :width]
