"""What the receiver reads of a command set, and what it answers."""

from io import BytesIO

import pytest
from pynetdicom.dsutils import decode

from dicomnode.routing import CT_IMAGE_STORAGE
from dicomnode.transport.command_set import Command, parse_command, store_response
from tests.support.wire import echo_command, statuses_of, store_command

STORE = Command(0x0001, has_data_set=True, message_id=7, sop_class_uid=CT_IMAGE_STORAGE, sop_instance_uid="1.2.3")


def test_a_store_request_is_read() -> None:
    """Field, message, UIDs, and that a data set follows."""
    command = parse_command(store_command("1.2.3", message=7))

    assert command == STORE
    assert command.is_store_request


def test_another_command_is_none_of_ours() -> None:
    """It goes pynetdicom's way."""
    assert not parse_command(echo_command()).is_store_request


@pytest.mark.parametrize("bad", [b"", b"\0", store_command("1.2.3")[:-3], store_command("../../x"), store_command("")])
def test_what_is_malformed_is_no_store_request(bad: bytes) -> None:
    """Cut off, or without a UID that is one: pynetdicom aborts it."""
    assert not parse_command(bad).is_store_request


@pytest.mark.parametrize("comment", ["", "odd", "even"])
def test_the_response_is_what_pynetdicom_reads(comment: str) -> None:
    """One PDU with the status, the UIDs and the comment."""
    pdu = store_response(STORE, 3, 0xC000, comment, 16384)

    ds = decode(BytesIO(pdu[12:]), is_implicit_vr=True, is_little_endian=True)
    assert (pdu[0], pdu[10], pdu[11], len(pdu) - 6) == (4, 3, 3, int.from_bytes(pdu[2:6]))
    assert (ds.CommandField, ds.MessageIDBeingRespondedTo, ds.Status) == (0x8001, 7, 0xC000)
    assert (ds.AffectedSOPClassUID, ds.AffectedSOPInstanceUID) == (CT_IMAGE_STORAGE, "1.2.3")
    assert ds.get("ErrorComment", "") == comment
    assert ds.CommandGroupLength == len(pdu) - 12 - 12


def test_a_peer_with_small_pdus_gets_small_pdus() -> None:
    """None is longer than it announced, and together they are the same response."""
    whole, rest, parts = store_response(STORE, 3, 0, "", 0), store_response(STORE, 3, 0, "", 40), []
    while rest:
        length = int.from_bytes(rest[2:6])
        parts.append((length, rest[11], rest[12 : 6 + length]))
        rest = rest[6 + length :]

    assert max(length for length, _, _ in parts) <= 40
    assert [control for _, control, _ in parts] == [1] * (len(parts) - 1) + [3]
    assert b"".join(part for _, _, part in parts) == whole[12:]
    assert statuses_of(whole[6:]) == [0]
