"""Losses that compare images, by pixels or by VGG's features."""

from __future__ import annotations

from torch import Tensor, nn

from lecture_utils.vgg import VGG


def feature_distance(features: Tensor, reference: Tensor) -> Tensor:
    """Return ||h - h*||^2 / ||h*||^2 over a batch: 0 for equal features, about 1 for unlike ones.

    The division makes layers comparable, whatever the size of their responses.

    Parameters
    ----------
    features, reference
        Two tensors of one shape.
    """
    return (features - reference).square().sum() / reference.square().sum()


class ContentLoss(nn.Module):
    """How far super-resolved images are from the HR ones: the L_content of SRGAN.

    Source: C. Ledig et al., CVPR 2017, equations (4) and (5). The paper scales the features by a
    constant; here the distance is relative (see :func:`feature_distance`).

    Parameters
    ----------
    layer
        ``mse`` for pixels, or a layer of VGG such as ``relu2_2``.
    vgg
        The network that finds the features; not needed for ``mse``.
    """

    def __init__(self, layer: str = "mse", vgg: VGG | None = None) -> None:
        super().__init__()
        if layer != "mse" and (vgg is None or layer not in vgg.layers):
            raise ValueError(
                f"The content loss on {layer!r} got "
                + (
                    "no VGG"
                    if vgg is None
                    else f"a VGG that returns {vgg.layers}"
                )
                + f"; it needs one that returns {layer!r}:"
                f" load_vgg([{layer!r}], run)."
            )
        self.layer = layer
        self.vgg = vgg

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Return the loss of RGB images (N, 3, H, W) in [0, 1], a scalar."""
        if self.vgg is None or self.layer == "mse":
            return (estimate - reference).square().mean()
        target = self.vgg(reference)[self.layer].detach()
        return feature_distance(self.vgg(estimate)[self.layer], target)
