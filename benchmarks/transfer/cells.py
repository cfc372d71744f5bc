"""The cells of the experiment by their value: which model, from how many cases, re-trained from where (pure)."""

from dataclasses import dataclass, replace
from typing import Literal

World = Literal["real", "phantom"]
Network = Literal["plus", "paper", "unet", "nnunet"]
Model = Literal["S", "T", "ST"]

NOTHING = "nothing"  # is frozen
PAPER = "conv4"  # the paper freezes up to here
PLACES = {
    "spp": "none",
    "conv5": "SPP",
    "conv5-b2": "+ Conv5-b3",
    "conv5-b1": "+ Conv5-b2",
    PAPER: "+ Conv5-b1 (the paper)",
    "conv3": "+ Conv4",
    NOTHING: "all",
}
"""Up to where the source model is frozen, and what is then re-trained."""
COUNTS = (5, 10, 20, 40)
BLEND = 0.7  # as the node's nights do
BLENDS = {5: (BLEND,), 10: (0.3, 0.5, BLEND), 20: (BLEND,), 40: (0.5, BLEND)}
"""Shares of the way that are judged, by the number of target cases."""
SHORT = 10  # target cases: where the transfer has most to give


@dataclass(frozen=True)
class Cell:
    """One training and its judgement.

    Args:
        world: real patients, or phantoms.
        model: of the source centre, of the target centre from nothing, or transferred.
        cases: of the target centre that are learnt from; 0 for the source model.
        frozen: up to where the transferred model is; see `PLACES`.
        network: ResNet-SPP with the head `plus` or `paper`, or a peer.
        curve: whether it is looked at on the way.
        blend: share of the way from the source model to the transferred one at which the weights lie that are judged.
    """

    world: World
    model: Model
    cases: int = 0
    frozen: str = NOTHING
    network: Network = "plus"
    curve: bool = False
    blend: float = 1.0

    @property
    def name(self) -> str:
        """Of its files."""
        some = f"-blend{self.blend:g}" if self.blend < 1 else ""
        return f"{self.world}-{self.network}-{self.model}-{self.cases:02d}-{self.frozen}{some}"

    @property
    def source(self) -> "Cell | None":
        """The cell that it begins with."""
        return Cell(self.world, "S", network=self.network) if self.model == "ST" else None

    @property
    def ours(self) -> "Cell":
        """The ResNet-SPP whose processor time a peer is given, and beside which it is judged."""
        return replace(self, network="plus", frozen=PAPER if self.model == "ST" else self.frozen)


REAL = (
    Cell("real", "S"),
    Cell("real", "T", 40, curve=True),
    Cell("real", "T", SHORT, curve=True),
    Cell("real", "ST", 40, PAPER, curve=True),
    Cell("real", "ST", SHORT, PAPER, curve=True),
    *(Cell("real", "ST", 40, frozen) for frozen in PLACES if frozen not in {"spp", PAPER}),
    Cell("real", "ST", 5, PAPER),
    Cell("real", "ST", 20, PAPER),
    Cell("real", "S", network="unet"),
    Cell("real", "ST", 40, network="unet"),
    Cell("real", "ST", SHORT, network="unet"),
)
PHANTOM = (Cell("phantom", "S"), Cell("phantom", "ST", SHORT, PAPER), Cell("phantom", "T", SHORT))
BLENDED = tuple(Cell("real", "ST", number, PAPER, blend=blend) for number, shares in BLENDS.items() for blend in shares)
LATER = (
    Cell("real", "T", 40, network="unet"),
    Cell("real", "T", 20),
    Cell("real", "T", 5),
    Cell("real", "S", network="paper"),
    Cell("real", "ST", 40, PAPER, network="paper"),
    Cell("real", "T", SHORT, network="unet"),
    *(Cell("real", "ST", SHORT, frozen) for frozen in PLACES if frozen not in {"spp", PAPER}),
)
CELLS = REAL + PHANTOM + BLENDED + LATER
NNUNET = (Cell("real", "S", network="nnunet"), *(Cell("real", "T", cases, network="nnunet") for cases in (40, SHORT)))
"""Made by a command of their own, `benchmarks.transfer.nnunet`."""
