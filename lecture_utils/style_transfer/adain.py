"""Adaptive instance normalisation: any image as style, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lecture_utils.feature_network import teacher_channels

Rule = Callable[[Tensor, Tensor], Tensor]


def adaptive_instance_norm(
    content: Tensor, style: Tensor, eps: float = 1e-5
) -> Tensor:
    """Give each channel of the content's features the mean and the spread of the style's.

    Source: X. Huang and S. Belongie, "Arbitrary style transfer in real-time with adaptive instance
    normalization", ICCV 2017, equation (8).

    Parameters
    ----------
    content, style
        (N, C, H, W) and (N, C, H', W').
    eps
        Added to the content's variance, so that a flat channel stays finite.

    Returns
    -------
    Tensor
        (N, C, H, W).
    """
    variance, mean = torch.var_mean(content, dim=(2, 3), keepdim=True)
    wanted, centre = torch.var_mean(style, dim=(2, 3), keepdim=True)
    return (
        centre + (content - mean) * ((wanted + eps) / (variance + eps)).sqrt()
    )


class Decoder(nn.Module):
    """Turns features back into an image: the encoder's way in reverse, without normalisations.

    Convolutions have mirrored borders; in place of each of the encoder's poolings pixels are
    repeated. Normalisations would undo what the style's statistics say.

    Source: X. Huang and S. Belongie, "Arbitrary style transfer in real-time with adaptive instance
    normalization", ICCV 2017, section 6 (of the paper's widths a quarter).

    Parameters
    ----------
    layer
        The features that are decoded, such as ``relu4_1``.
    width
        Feature maps at the image's own size.

    Attributes
    ----------
    unit
        What features are divided by: their root mean square on photographs, set by the training.
    """

    def __init__(self, layer: str = "relu4_1", width: int = 32) -> None:
        super().__init__()
        self.unit: Tensor
        self.register_buffer("unit", torch.ones(()))
        n_in, steps = teacher_channels(layer), []
        for level in reversed(range(1, int(layer[4]))):
            n_out = width * 2 ** min(level - 1, 2)
            steps += [*_convolution(n_in, n_out), nn.ReLU()]
            steps += [nn.UpsamplingNearest2d(scale_factor=2)]
            steps += [*_convolution(n_out, n_out), nn.ReLU()]
            n_in = n_out
        self.steps = nn.Sequential(*steps, *_convolution(n_in, 3))
        # PyTorch's own start halves the spread in each layer, and no
        # normalisation restores it.
        for step in self.steps:
            if isinstance(step, nn.Conv2d) and step.bias is not None:
                nn.init.kaiming_normal_(step.weight, nonlinearity="relu")
                nn.init.zeros_(step.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, C, H / 2^b, W / 2^b) to images (N, 3, H, W) in [0, 1]."""
        image: Tensor = self.steps(features / self.unit)
        return 0.5 + 0.5 * torch.tanh(image)


def _convolution(n_in: int, n_out: int) -> tuple[nn.Module, nn.Module]:
    return nn.ReflectionPad2d(1), nn.Conv2d(n_in, n_out, 3)


def repaint(
    encoder: Callable[[Tensor], Mapping[str, Tensor]],
    decoder: nn.Module,
    content: Tensor,
    style: Tensor,
    *,
    layer: str = "relu4_1",
    strength: float = 1.0,
    rule: Rule = adaptive_instance_norm,
) -> Tensor:
    """Paint an image in the style of any other.

    Parameters
    ----------
    encoder
        Maps images to features by layer.
    decoder
        Maps features of ``layer`` to images.
    content, style
        (1, 3, H, W) and (1, 3, H', W') in [0, 1], sides of at least 16 pixels.
    layer
        Whose statistics are changed.
    strength
        0 for the content's features, 1 for the changed ones; between them a blend.
    rule
        Gives features the style's statistics; `adaptive_instance_norm` is one.

    Returns
    -------
    Tensor
        (1, 3, H, W) in [0, 1].
    """
    height, width = content.shape[-2:]
    # Whole multiples of 8 pass three poolings; what is added is cut off again.
    padded = nn.functional.pad(
        content, (0, -width % 8, 0, -height % 8), mode="reflect"
    )
    own = encoder(padded)[layer]
    wanted = rule(own, encoder(style)[layer])
    image: Tensor = decoder(own + strength * (wanted - own))
    return image[..., :height, :width]
