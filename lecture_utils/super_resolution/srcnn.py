"""SRCNN: three convolutions from an interpolated to a high-resolution image."""

from __future__ import annotations

from torch import Tensor, nn

from lecture_utils.super_resolution.initialisation import pass_through


class SRCNN(nn.Module):
    """Extract patches, map them non-linearly, reconstruct: three convolutions, no pooling.

    Source: C. Dong, C. C. Loy, K. He and X. Tang, "Image super-resolution using deep convolutional
    networks", IEEE TPAMI 38(2), 2016, section 3. The default 9-1-5 is the lecture's network, 9-5-5
    is SRCNN-Ex.

    Parameters
    ----------
    filters
        The sizes f1, f2, f3 of the three filters; odd.
    widths
        The numbers n1, n2 of feature maps.
    channels
        Channels of the image: 1 for luminance, 3 for colour.
    """

    interpolated = True  # the input is the bi-cubically enlarged LR image

    def __init__(
        self,
        filters: tuple[int, int, int] = (9, 1, 5),
        widths: tuple[int, int] = (64, 32),
        channels: int = 1,
    ) -> None:
        super().__init__()
        f1, f2, f3 = filters
        n1, n2 = widths
        self.extract = nn.Conv2d(channels, n1, f1, padding=f1 // 2)
        self.map = nn.Conv2d(n1, n2, f2, padding=f2 // 2)
        self.reconstruct = nn.Conv2d(n2, channels, f3, padding=f3 // 2)
        self.relu = nn.ReLU()
        for layer in (self.extract, self.map):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.reconstruct.weight, std=1e-3)
        nn.init.zeros_(self.reconstruct.bias)  # type: ignore[arg-type]
        for layer in (self.extract, self.map, self.reconstruct):
            pass_through(layer, channels)

    def forward(self, interpolated: Tensor) -> Tensor:
        """Map an interpolated image (N, C, H, W) in [0, 1] to an estimate of the same shape."""
        features = self.relu(self.extract(interpolated))
        mapped = self.relu(self.map(features))
        estimate: Tensor = self.reconstruct(mapped)
        return estimate
