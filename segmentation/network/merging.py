"""Two models that share Conv1 to Conv4 made one, so that single organs can go over to the better one.

The trunk is computed once; each further tail costs its Conv5 and head.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor

from segmentation.bundle import WEIGHTS, Manifest, Tail, bundle_digest, verify_bundle
from segmentation.errors import BundleError
from segmentation.network.checkpoint import check_tensors, empty_segmenter, read_tensors, write_bundle

OWN = {"conv5": "trunk.conv5.", "head": "head."}  # where a network's own tail has its tensors
SHARED = "trunk."


def merge(base: Path, candidate: Path, organs: Collection[str], out: Path, *, version: str) -> Manifest:
    """Write a bundle that draws some organs as the candidate does and all others as the base.

    What lies beside the two bundles, as the list of what they have learnt from, is the caller's to merge.

    Args:
        base: the bundle in service; it may itself draw some organs by further tails.
        candidate: a bundle that was trained from the same Conv1 to Conv4, and has them unchanged.
        organs: that go over to the candidate.
        out: folder of the new bundle.
        version: of the new bundle.

    Raises:
        BundleError: the two do not fit together, or it is all organs or none.
    """
    ours, theirs = verify_bundle(base), verify_bundle(candidate)
    if faults := _misfits(ours, theirs, organs):
        raise BundleError(f"{ours.name} {ours.version} and {theirs.version} do not make one model: {'; '.join(faults)}")
    own, other = _tensors(base, ours), _tensors(candidate, theirs)
    if changed := [name for name, value in _shared(own).items() if not torch.equal(value, other[name])]:
        raise BundleError(
            f"{theirs.version} does not share Conv1 to Conv4 with {ours.version}: {changed[0]} is another"
        )
    staying = [
        (index, left)
        for index, tail in enumerate(ours.tails)
        if (left := tuple(organ for organ in tail.organs if organ not in organs))
    ]
    weights = {name: value for name, value in own.items() if not name.startswith("tails.")}
    for to, (index, _) in enumerate(staying):
        weights |= _renamed(own, {f"tails.{index}.": f"tails.{to}."})
    weights |= _renamed(other, {ours_: f"tails.{len(staying)}.{part}." for part, ours_ in OWN.items()})
    tails = [ours.tails[index].model_copy(update={"organs": left}) for index, left in staying]
    going = tuple(organ for organ in ours.organs if organ in organs)
    tails.append(Tail(organs=going, version=theirs.version, digest=bundle_digest(theirs)))
    return write_bundle(out, _manifest(ours, theirs, going, version, tuple(tails)), weights)


def shared_tensors(bundle: Path) -> dict[str, Tensor]:
    """Return the weights of Conv1 to Conv4 as they are in the file, batch counters left out.

    Raises:
        BundleError: it does not verify.
    """
    return _shared(_tensors(bundle, verify_bundle(bundle)))


def _shared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value
        for name, value in tensors.items()
        if name.startswith(SHARED) and not name.startswith(OWN["conv5"]) and value.is_floating_point()
    }


def _misfits(ours: Manifest, theirs: Manifest, organs: Collection[str]) -> list[str]:
    faults = []
    if theirs.tails:
        faults.append("the candidate has further tails")
    faults += [
        f"they differ in {part}"
        for part in ("purpose", "organs", "variant", "preprocessing")
        if getattr(ours, part) != getattr(theirs, part)
    ]
    if unknown := sorted(set(organs) - set(ours.organs)):
        faults.append(f"{', '.join(unknown)} is drawn by neither")
    if not organs or set(organs) >= set(ours.organs):
        faults.append("some organs must go over and some stay")
    return faults


def _tensors(bundle: Path, manifest: Manifest) -> dict[str, Tensor]:
    tensors = read_tensors(bundle / WEIGHTS)
    check_tensors(empty_segmenter(manifest).state_dict(), tensors, manifest.name)
    return tensors


def _renamed(tensors: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    return {
        name.replace(old, new, 1): value
        for name, value in tensors.items()
        for old, new in prefixes.items()
        if name.startswith(old)
    }


def _manifest(
    ours: Manifest, theirs: Manifest, going: tuple[str, ...], version: str, tails: tuple[Tail, ...]
) -> Manifest:
    """Return the base's manifest with what the candidate says of the organs that go over to it."""
    after = {organ: how for organ, how in ours.postprocessing.items() if organ not in going}
    after |= {organ: how for organ, how in theirs.postprocessing.items() if organ in going}
    # Each organ's channel has the weights that it was calibrated with.
    meant = {organ: line for organ, line in ours.calibration.items() if organ not in going}
    meant |= {organ: line for organ, line in theirs.calibration.items() if organ in going}
    data = f"{ours.provenance.data}; {', '.join(going)}: {theirs.provenance.data}"
    command = f"{', '.join(going)} of {theirs.version} merged into {ours.version}"
    provenance = theirs.provenance.model_copy(update={"data": data, "command": command})
    values = {"version": version, "postprocessing": after, "tails": tails, "provenance": provenance}
    values["calibration"] = meant
    # What either reached was measured on it alone.
    return Manifest.model_validate(ours.model_dump() | {"measured": None, "sha256": {}} | values)
