"""Data sets that are wrong: hostile UIDs, missing and contradicting values, endless nesting, other content."""

import hashlib
import re
import struct
from pathlib import Path

import pytest

from dicomnode.routing import CT_IMAGE_STORAGE, RT_STRUCTURE_SET_STORAGE
from tests.support.instances import CANARY_BIRTH_DATE, CANARY_ID, CANARY_NAME, ct_instance, encode
from tests.support.siege import Siege
from tests.support.wire import CT_CONTEXT, Wire, message, p_data, store_command

SERIES = "1.2.826.0.1.3680043.8.498.77"
NAMES = re.compile(r"instances/[0-9a-f]{64}/[0-9a-f]{64}\.dcm|conflicts/[0-9a-f]{64}-[0-9a-f]{16}\.dcm")
HOSTILE = (
    *("../../../x", "/var/absolute", "..", ".", "", "*", "1.2\n3", "1.2\x003", "1.2.3/../../4", "C:\\x", "1.2.%2e%2e"),
    *("1." * 200 + "1", "a.b.c", "1..2", "1.2.3 ; rm -rf /", "\u00b5.1", "-1.2", "1,2"),
)
CANARY = "|".join((*CANARY_NAME.split("^"), CANARY_ID, CANARY_BIRTH_DATE))


def outside(siege: Siege) -> set[Path]:
    """Return every file and folder around the node that is no instance."""
    return {
        path for path in siege.node.folder.rglob("*") if "instances" not in path.parts and "sqlite" not in path.name
    }


def answer(peer: Wire, uid: str, data: bytes, sop_class: str = CT_IMAGE_STORAGE) -> str:
    """Return the status of a C-STORE, or that the association ended."""
    try:
        return f"{peer.store(uid, data, sop_class):04X}"
    except ConnectionError:
        return "cut"


@pytest.mark.parametrize("uid", HOSTILE)
def test_a_hostile_uid_is_refused_and_never_part_of_a_path(siege: Siege, uid: str) -> None:
    """Row 17: in the command and in the data set alike; nothing is written, in the data folder or outside."""
    before = outside(siege), siege.files
    data = encode(ct_instance(SOPInstanceUID=uid))

    with siege.inside() as peer:
        said = answer(peer, uid, data)

    assert said in {"C000", "A900", "0117", "cut"}
    assert (outside(siege), siege.files) == before


@pytest.mark.parametrize("keyword", ["SeriesInstanceUID", "StudyInstanceUID"])
@pytest.mark.parametrize("uid", ["../../../x", "/etc/passwd", "*", "..", ""])
def test_a_hostile_series_or_study_is_refused(siege: Siege, keyword: str, uid: str) -> None:
    """Row 17: no UID of the data set names a file or a folder."""
    before = outside(siege), siege.files
    ds = ct_instance(17, series=SERIES, **{keyword: uid})

    with siege.inside() as peer:
        said = answer(peer, ds.SOPInstanceUID, encode(ds))

    assert said == "C000"
    assert (outside(siege), siege.files) == before


def slice_with(**changes: object) -> tuple[str, bytes, str]:
    """Return the command's UID, the data set and the command's class."""
    ds = ct_instance(18, series=SERIES, **changes)
    return f"{SERIES}.18", encode(ds), CT_IMAGE_STORAGE


def truncated(size: int) -> tuple[str, bytes, str]:
    """Return a slice whose last bytes are missing."""
    uid, data, sop_class = slice_with()
    return uid, data[:-size], sop_class


def nested(depth: int) -> tuple[str, bytes, str]:
    """Return a slice with sequences in sequences, undefined lengths (PS3.5 7.5)."""
    uid, data, sop_class = slice_with(SourceImageSequence=None)
    begin = struct.pack("<HH2sHI", 0x0008, 0x2112, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    end = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return uid, begin * depth + end * depth + data, sop_class


def huge_length() -> tuple[str, bytes, str]:
    """Return a slice whose pixels say that they have nearly 4 GiB."""
    uid, data, sop_class = slice_with()
    at = data.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    return uid, data[: at + 8] + struct.pack("<I", 0xFFFFFFF0) + data[at + 12 :], sop_class


CASES: dict[str, tuple[str, tuple[str, bytes, str]]] = {
    "pixels cut off by one byte": ("C000", truncated(1)),
    "pixels cut off by a half": ("C000", truncated(48)),
    "nothing but a group": ("C000", (f"{SERIES}.18", b"\x08\x00", CT_IMAGE_STORAGE)),
    "empty": ("A900", (f"{SERIES}.18", b"", CT_IMAGE_STORAGE)),
    "zeros": ("C000", (f"{SERIES}.18", bytes(1000), CT_IMAGE_STORAGE)),
    "no Series Instance UID": ("C000", slice_with(SeriesInstanceUID=None)),
    "no Study Instance UID": ("C000", slice_with(StudyInstanceUID=None)),
    "no Rows": ("C000", slice_with(Rows=None)),
    "no Pixel Data": ("C000", slice_with(PixelData=None)),
    "65535 rows": ("C000", slice_with(Rows=65535)),
    "65535 x 65535": ("C000", slice_with(Rows=65535, Columns=65535, SamplesPerPixel=65535, BitsAllocated=65535)),
    "0 rows": ("C000", slice_with(Rows=0)),
    "two frames": ("C000", slice_with(NumberOfFrames=2)),
    "another UID than the command's": ("A900", slice_with(SOPInstanceUID=f"{SERIES}.19")),
    "no UID": ("A900", slice_with(SOPInstanceUID=None)),
    "another class than the command's": ("A900", slice_with(SOPClassUID=RT_STRUCTURE_SET_STORAGE)),
    "another class than the context's": ("0122", (*slice_with()[:2], RT_STRUCTURE_SET_STORAGE)),
    "65 nested sequences": ("C000", nested(65)),
    "3000 nested sequences": ("C000", nested(3000)),
    "a length of 4 GiB": ("C000", huge_length()),
}


@pytest.mark.parametrize(("status", "what"), CASES.values(), ids=CASES)
def test_a_wrong_data_set_gets_its_status_and_the_association_goes_on(
    siege: Siege, status: str, what: tuple[str, bytes, str]
) -> None:
    """Rows 18 and 21: refused with the reason's status, nothing kept, and the next instance is taken."""
    files = siege.files
    with siege.inside() as peer:
        said = answer_or_empty(peer, *what)
        after = peer.echo()

    assert (said, after) == (status, 0x0000)
    assert siege.files == files


def answer_or_empty(peer: Wire, uid: str, data: bytes, sop_class: str) -> str:
    """Return the status of a C-STORE whose data set may be empty, yet is there."""
    if not data:
        peer.send(p_data(CT_CONTEXT, store_command(uid, sop_class), is_command=True))
        peer.send(p_data(CT_CONTEXT, b"", is_command=False))
        return f"{peer.status():04X}"
    return answer(peer, uid, data, sop_class)


@pytest.mark.parametrize("changes", [{"PatientID": None}, {"PatientID": ""}, {"PatientName": None}])
def test_a_slice_of_nobody_is_kept(siege: Siege, changes: dict[str, object]) -> None:
    """Row 18: what the physicist can mend is stored; that its series is held is tested with the series check."""
    ds = ct_instance(30 + len(str(changes)), series=f"{SERIES}.{len(str(changes))}", **changes)

    with siege.inside() as peer:
        assert answer(peer, ds.SOPInstanceUID, encode(ds)) == "0000"


def test_a_second_content_does_not_replace_the_first(siege: Siege) -> None:
    """Row 19: the same again is Success and no second file; another content is C000, kept apart, and an alarm."""
    first, second = (encode(ct_instance(40, series=SERIES, SliceThickness=mm)) for mm in ("3", "5"))
    uid = f"{SERIES}.40"

    with siege.inside() as peer:
        said = [answer(peer, uid, data) for data in (first, first, second, first)]

    kept = [path for path in siege.files if hashlib.sha256(uid.encode()).hexdigest() == path.stem]
    assert said == ["0000", "0000", "C000", "0000"]
    assert [path.read_bytes().endswith(first) for path in kept] == [True]
    assert [path.read_bytes().endswith(second) for path in (siege.node.data / "conflicts").glob("*.dcm")] == [True]
    assert "conflict" in [alarm["kind"] for alarm in siege.node.status()["alarms"]]


def test_a_message_in_many_small_parts_is_one_message(siege: Siege) -> None:
    """However a peer cuts an instance up, its bytes are kept as they were."""
    ds = ct_instance(50, series=SERIES)
    with siege.inside() as peer:
        peer.send(message(CT_CONTEXT, store_command(ds.SOPInstanceUID), encode(ds), size=7))
        assert peer.status() == 0x0000

    assert any(path.read_bytes().endswith(encode(ds)) for path in siege.files)


def test_all_that_leaves_nothing_behind(siege: Siege) -> None:
    """Rows 17 to 21: every case once more, one after the other, while a peer is at work."""
    with siege.withstood(), siege.inside() as peer:
        for _, what in CASES.values():
            answer_or_empty(peer, *what)


def test_every_file_has_a_name_of_digests(siege: Siege) -> None:
    """Row 17: no character of a peer's is in any name."""
    folders = [siege.node.data / name for name in ("instances", "conflicts", "incoming")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    assert len(files) > 5
    assert [path for path in files if not NAMES.fullmatch(path.relative_to(siege.node.data).as_posix())] == []


def test_no_patient_is_in_the_log(siege: Siege) -> None:
    """Row 30: after all of this, at DEBUG, the log knows neither name nor identity nor birth date."""
    assert len(siege.node.events) > 50
    assert re.findall(CANARY, siege.node.log, re.IGNORECASE) == []
