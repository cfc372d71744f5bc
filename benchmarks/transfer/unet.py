"""The peer: MONAI's U-Net on the same slices, trained by the same loop."""

from torch import Tensor, nn

FEATURES = (24, 24, 48, 96, 192, 24)  # 1.0 million parameters in two dimensions
CELL = 16  # pixels; four times halved


class Peer(nn.Module):
    """MONAI's BasicUNet where the loop expects a network; all of it counts as head, so that nothing is drawn back."""

    def __init__(self, in_channels: int, organs: int) -> None:
        from monai.networks.nets import BasicUNet  # noqa: PLC0415  # who reads results need not have MONAI

        super().__init__()
        self.head = BasicUNet(spatial_dims=2, in_channels=in_channels, out_channels=organs, features=FEATURES)

    def forward(self, slices: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to logits, (B, organs, H, W)."""
        logits: Tensor = self.head(slices)
        return logits
