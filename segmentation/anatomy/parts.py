"""A part of the body: a solid, what it is made of, and whose organ it is (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from segmentation.anatomy.shapes import Mirrored, Shape


@dataclass(frozen=True)
class Part:
    """A solid that is painted over those before it.

    Args:
        tissue: a key of `TISSUES`.
        shape: where.
        group: parts of one group are moved and scaled together between patients.
        organ: TG-263 name of the organ that the solid is part of; None ends other organs where it lies.
        lets_organ: a vessel that runs through an organ: painted, but the organ's mask stays.
        within_brain: cut to the brain, so that it ends where the skull begins.
    """

    tissue: str
    shape: Shape
    group: str = ""
    organ: str | None = None
    lets_organ: bool = False
    within_brain: bool = False


def both_sides(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return parts of the left side, each followed by its counterpart on the right.

    Groups and organs of the left side bear no side in `parts`; here they get `_L` and `_R`.
    """
    return tuple(sided for part in parts for sided in (on_side(part, "_L"), on_side(part, "_R")))


def on_side(part: Part, suffix: str) -> Part:
    """Return a part of the left side as the part of the side that `suffix` names, `_L` or `_R`."""
    return replace(
        part,
        shape=part.shape if suffix == "_L" else Mirrored(part.shape),
        group=part.group + suffix if part.group else "",
        organ=part.organ + suffix if part.organ and part.organ != "Bone_Mandible" else part.organ,
    )
