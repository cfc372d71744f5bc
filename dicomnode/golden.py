"""The golden case from the daemon's side: asked of the contouring process, its result kept in the data folder."""

from dataclasses import dataclass

from dicomnode.config import Configuration
from dicomnode.contourer import Contourer
from dicomnode.models import Model
from dicomnode.spool import make_directory


@dataclass(frozen=True)
class GoldenReport:
    """What came of the golden case, and where it was computed.

    Args:
        device: as torch calls it, and the engine that computed.
        is_first: nothing was compared: the result is the one that is kept.
        dice: by organ, with the kept result.
        faults: sentences; none if the result is the kept one.
    """

    device: str
    is_first: bool
    dice: dict[str, float]
    faults: tuple[str, ...]


def try_golden_case(
    configuration: Configuration, contourer: Contourer, model: Model, *, beside: Model | None = None
) -> GoldenReport:
    """Have a model contour the golden case.

    Args:
        configuration: of the node.
        contourer: the process that computes.
        model: that is tried.
        beside: a model that was tried before; what it draws there and this one does not is a fault.

    Raises:
        ContouringError: if the contouring process fails.
    """
    folder = configuration.node.data_dir / "golden"
    make_directory(folder)
    reply = contourer.ask(
        {
            "ask": "golden",
            "bundle": str(model.folder),
            "bundle_digest": model.digest,
            "device": configuration.contouring.device,
            "engine": configuration.contouring.engine,
            "kept": str(folder / f"{model.digest}.npz"),
            "beside": str(folder / f"{beside.digest}.npz") if beside else "",
        }
    )
    return GoldenReport(reply["device"], reply["is_first"], reply["dice"], tuple(reply["faults"]))
