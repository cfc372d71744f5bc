"""What the fuzzer does in one case, family by family; what a case raises was not meant for the user, and is a fault."""

import contextlib
import functools
import socket
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

from pydicom import Dataset

from dicomnode.acceptance import identify, require_content, summarise_structure_set
from dicomnode.commands.ct_folder import find_ct_series
from dicomnode.commands.structures import read_structure_set_file, show_structure_set
from dicomnode.dimse import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomnode.errors import NodeError, Refusal
from dicomnode.instance_file import InstanceFile, file_head, parse_file
from dicomnode.routing import DEFAULT_RULES, wanted_attributes
from dicomnode.structure_settings import StructureSettings
from segmentation.ct import read_ct_series
from segmentation.errors import SegmentationError
from segmentation.lint import lint_structure_set
from segmentation.raw_elements import HeaderWalk
from segmentation.rtstruct import build_structure_set, encode_structure_set
from segmentation.rtstruct_reader import read_structure_set
from tests.support.instances import COMPRESSED, ct_instance, encode, instance_file, structure_set
from tests.support.mutation import mutate
from tests.support.siege import Siege
from tests.support.structure_sets import GEOMETRIES, ct_headers, grid_of, identity, organs_of
from tests.support.wire import (
    CT_CONTEXT,
    ECHO_CONTEXT,
    RELEASE,
    Wire,
    associate_rq,
    echo_command,
    message,
    store_command,
)

SERIES = "1.2.826.0.1.3680043.8.498.44"
PATIENCE_S = 0.02  # for an answer; whether there is one is not what these cases ask
HFS = GEOMETRIES["HFS"]
HEADERS, GRID = ct_headers(HFS), grid_of(HFS)
SETTINGS = StructureSettings()

Case = Callable[[Random], None]


def in_process(folder: Path) -> dict[str, Case]:
    """Return the families that need no node.

    Args:
        folder: for a file.
    """
    return {
        "data set": fuzz_data_set,
        "instance file": fuzz_instance_file,
        "CT series": functools.partial(fuzz_ct_series, folder),
        "structure set": functools.partial(fuzz_structure_set, folder / "structure_set.dcm"),
    }


def on_the_wire(siege: Siege) -> dict[str, Case]:
    """Return the families that attack a node."""
    return {
        "association": functools.partial(fuzz_association, siege),
        "PDUs": functools.partial(fuzz_pdus, siege),
        "command set": functools.partial(fuzz_command_set, siege),
        "stored data set": functools.partial(fuzz_stored_data_set, siege),
    }


@functools.cache
def instance_files() -> tuple[InstanceFile, ...]:
    """Return good instances in every encoding that the node takes."""
    return (
        *(instance_file(ct_instance(), syntax) for syntax in (EXPLICIT_VR_LE, IMPLICIT_VR_LE, *COMPRESSED)),
        *(instance_file(structure_set(), syntax) for syntax in (EXPLICIT_VR_LE, IMPLICIT_VR_LE)),
    )


def fuzz_data_set(random: Random) -> None:
    """Look at a data set as the receiver does before it keeps anything."""
    file = random.choice(instance_files())
    with contextlib.suppress(Refusal):
        look_at(mutate(file.data, random), file)


def look_at(data: bytes, file: InstanceFile) -> None:
    """Look at a data set that came under the names of a file.

    Raises:
        Refusal: it is not taken.
    """
    found = identify(
        data,
        sop_class_uid=file.sop_class_uid,
        sop_instance_uid=file.sop_instance_uid,
        transfer_syntax_uid=file.transfer_syntax_uid,
    )
    for keyword in wanted_attributes(DEFAULT_RULES):
        found.header.text(keyword)
    require_content(found, sop_class_uid=file.sop_class_uid, transfer_syntax_uid=file.transfer_syntax_uid)
    summarise_structure_set(found.header)


def fuzz_instance_file(random: Random) -> None:
    """Look at a file as a start does that may adopt it."""
    file = random.choice(instance_files())
    with contextlib.suppress(Refusal):
        read = parse_file(mutate(file_head(file) + file.data, random))
        look_at(read.data, read)


@functools.cache
def ct_files() -> tuple[tuple[bytes, bytes], ...]:
    """Return the files of two good slices in each encoding that needs no codec: one would need its own process."""
    placed = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [1, 1]}
    slices = [ct_instance(number, RescaleSlope="1", RescaleIntercept="-1024", **placed) for number in (1, 2)]
    files = [[instance_file(ds, syntax) for ds in slices] for syntax in (EXPLICIT_VR_LE, IMPLICIT_VR_LE)]
    return tuple((file_head(one) + one.data, file_head(other) + other.data) for one, other in files)


def fuzz_ct_series(folder: Path, random: Random) -> None:
    """Find and read a series of which a slice is wrong, and its header behind a sound one as by itself."""
    files = list(random.choice(ct_files()))
    files[1] = mutate(files[1], random)
    paths = [folder / f"slice_{number}.dcm" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(NodeError, SegmentationError):
            find_ct_series(folder)
        with contextlib.suppress(SegmentationError):
            read_ct_series(paths)
    walk = HeaderWalk()
    behind = [walk.plain_header(content) for content in files][1]
    assert _elements(behind) == _elements(HeaderWalk().plain_header(files[1])), "another slice changed a header"


def _elements(header: tuple[Dataset, int] | None) -> object:
    """Return what a walk found, but for where in its file each value was."""
    if header is None:
        return None
    found = [part.get_item(tag) for part in (header[0].file_meta, header[0]) for tag in part.keys()]  # noqa: SIM118
    return header[1], [(element.tag, element.VR, element.value) for element in found]


@functools.cache
def structure_set_file() -> bytes:
    """Return a good structure set of several organs."""
    return encode_structure_set(build_structure_set(organs_of(HFS), HEADERS, GRID, identity()))


def fuzz_structure_set(path: Path, random: Random) -> None:
    """Read, show and lint a structure set."""
    look_at_structure_set(path, mutate(structure_set_file(), random, most=12))


def look_at_structure_set(path: Path, content: bytes) -> None:
    """Look at a structure set as the operator's commands do.

    Args:
        path: where it is written.
        content: of the file.
    """
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says of a value what the commands say of it in their own words
        with contextlib.suppress(NodeError, SegmentationError):
            ds, _ = read_structure_set_file(path)
            read_structure_set(ds, HEADERS, GRID)
        with contextlib.suppress(NodeError, SegmentationError):
            show_structure_set(path, SETTINGS)
        with contextlib.suppress(SegmentationError):
            lint_structure_set(content, HEADERS)


def fuzz_association(siege: Siege, random: Random) -> None:
    """Ask for an association in wrong words, and go on as if it had been given."""
    with contextlib.suppress(OSError), siege.attacker() as peer:
        peer.send(mutate(associate_rq("MALLORY"), random))
        if random.random() < 0.5:
            peer.send(message(ECHO_CONTEXT, echo_command()))
        leave(peer, random)


def fuzz_pdus(siege: Siege, random: Random) -> None:
    """Send wrong PDUs on a right association."""
    number = random.randrange(1000)
    ds = ct_instance(number, series=SERIES)
    store = message(CT_CONTEXT, store_command(ds.SOPInstanceUID), encode(ds), size=random.choice((100, 16000)))
    good = random.choice(
        (message(ECHO_CONTEXT, echo_command()), store, store + RELEASE, RELEASE, associate_rq("MALLORY"))
    )
    with contextlib.suppress(OSError), siege.inside() as peer:
        peer.send(mutate(good, random))
        leave(peer, random)


def fuzz_command_set(siege: Siege, random: Random) -> None:
    """Send a wrong command set in right PDUs, and the data set that it may have announced."""
    ds = ct_instance(random.randrange(1000), series=SERIES)
    good = random.choice((echo_command(), store_command(ds.SOPInstanceUID)))
    context = random.choice((ECHO_CONTEXT, CT_CONTEXT))
    with contextlib.suppress(OSError), siege.inside() as peer:
        peer.send(message(context, mutate(good, random), encode(ds) if random.random() < 0.7 else b""))
        leave(peer, random)


def fuzz_stored_data_set(siege: Siege, random: Random) -> None:
    """Store a wrong data set; there must be an answer."""
    ds = ct_instance(random.randrange(1000), series=SERIES)
    data = mutate(encode(ds), random) or b"\0"
    with siege.inside() as peer, contextlib.suppress(ConnectionError):
        peer.store(ds.SOPInstanceUID, data)
        assert peer.echo() == 0x0000, "an association that got its answer does not go on"


def leave(peer: Wire, random: Random) -> None:
    """End a connection in one of the ways in which peers do."""
    peer.is_cut_within(random.choice((PATIENCE_S, 0.001)))
    if random.random() < 0.3:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif random.random() < 0.3:
        peer.socket.shutdown(socket.SHUT_WR)
        peer.is_cut_within(PATIENCE_S)


def kept_and_not_whole(siege: Siege) -> list[str]:
    """Return the files of a node that are no whole instance."""
    found = []
    for path in siege.files:
        try:
            file = parse_file(path.read_bytes())
            look_at(file.data, file)
        except Refusal as refusal:
            found.append(f"{path.name}: {refusal}")
    return found
