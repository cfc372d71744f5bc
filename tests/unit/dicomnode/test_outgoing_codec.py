"""What our codec of commands, messages and negotiations writes, pynetdicom reads, and the other way round."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_FIND_RSP, C_STORE_RQ
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ, P_DATA_TF

from dicomnode.errors import PeerFailure
from dicomnode.outgoing import command_set
from dicomnode.outgoing.message_parts import Assembly, Message, cut
from dicomnode.outgoing.negotiation import Agreement, Granted, Names, Offer, agreement, request

CT, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.481.3"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
OFFERS = (Offer(CT, (EXPLICIT, IMPLICIT), as_scp=True), Offer(RTSTRUCT, (IMPLICIT,)))
NAMES = Names("DICOMNODE", "TPS", "2.25.1", "DICOMNODE_0_1")


def messages_of(pdus: bytes, longest: int) -> list[Message]:
    """Return the messages in whole PDUs."""
    assembly, found = Assembly(longest), []
    while pdus:
        length = int.from_bytes(pdus[2:6], "big")
        found += assembly.add(pdus[6 : 6 + length])
        pdus = pdus[6 + length :]
    return found


def test_pynetdicom_reads_our_request() -> None:
    """Titles, contexts, roles, longest PDU and implementation arrive as they were meant."""
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(request(NAMES, OFFERS))
    read = pdu.to_primitive()

    assert (read.calling_ae_title, read.called_ae_title) == ("DICOMNODE", "TPS")
    assert [
        (c.context_id, str(c.abstract_syntax), tuple(map(str, c.transfer_syntax)))
        for c in read.presentation_context_definition_list
    ] == [(1, CT, (EXPLICIT, IMPLICIT)), (3, RTSTRUCT, (IMPLICIT,))]
    assert pdu.user_information.maximum_length == 131072
    roles = pdu.user_information.role_selection
    assert [(str(uid), role.scu_role, role.scp_role) for uid, role in roles.items()] == [(CT, False, True)]


def test_what_an_acceptance_grants_is_understood() -> None:
    """Accepted, rejected and never offered contexts are told apart."""
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(request(NAMES, OFFERS))
    primitive = pdu.to_primitive()
    accepted, refused = primitive.presentation_context_definition_list
    accepted.transfer_syntax, accepted.result = [UID(IMPLICIT)], 0
    refused.transfer_syntax, refused.result = [UID(IMPLICIT)], 3
    primitive.presentation_context_definition_results_list = [accepted, refused]
    primitive.result = 0
    encoded = A_ASSOCIATE_AC(primitive).encode()

    assert agreement(OFFERS, encoded[6:]) == Agreement((Granted(1, CT, IMPLICIT),), 131072, frozenset({CT}))


@pytest.mark.parametrize("longest_pdu", [0, 64, 128, 16382, 131072])
def test_pynetdicom_reads_our_messages(longest_pdu: int) -> None:
    """Whatever the peer's longest PDU is, no PDU is longer and the message is whole."""
    command: command_set.Command = {
        "CommandField": command_set.C_STORE,
        "MessageID": 7,
        "AffectedSOPClassUID": CT,
        "AffectedSOPInstanceUID": "1.2.3",
        "Priority": 0,
    }
    data = bytes(range(256)) * 1000
    pdus, message, lengths = cut(3, command, data, longest_pdu), C_STORE_RQ(), []
    while pdus:
        pdu, length = P_DATA_TF(), int.from_bytes(pdus[2:6], "big")
        pdu.decode(pdus[: 6 + length])
        message.decode_msg(pdu.to_primitive())
        lengths.append(length)
        pdus = pdus[6 + length :]
    read = message.message_to_primitive()

    assert (read.MessageID, read.AffectedSOPInstanceUID, read.DataSet.getvalue()) == (7, "1.2.3", data)
    assert max(lengths) <= (longest_pdu or 131072)


def test_we_read_pynetdicoms_messages() -> None:
    """A response with counts and a data set in small fragments comes out whole."""
    primitive = C_FIND()
    primitive.MessageIDBeingRespondedTo, primitive.AffectedSOPClassUID = 9, "1.2.840.10008.5.1.4.1.2.2.1"
    primitive.Status = 0xFF00
    message = C_FIND_RSP()
    message.primitive_to_message(primitive)
    pdus = b"".join(P_DATA_TF(part).encode() for part in message.encode_msg(5, 64))
    [read] = messages_of(pdus, 1000)

    assert (read.context_id, read.command["Status"], read.command["MessageIDBeingRespondedTo"]) == (5, 0xFF00, 9)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_the_readers(data: bytes) -> None:
    """What is no command set, P-DATA or acceptance is refused by name."""
    for read in (command_set.parse, Assembly(1000).add, lambda body: agreement(OFFERS, bytes(68) + body)):
        with suppress(PeerFailure):
            read(data)


@pytest.mark.parametrize(
    "commands",
    [
        ({"CommandField": 1, "MessageID": 1, "Status": 0xFFFF},),
        ({"CommandField": 0x8030, "ErrorComment": "odd"}, {"CommandField": 0x8001, "Status": 0}),
    ],
)
def test_messages_come_back_in_their_order(commands: tuple[command_set.Command, ...]) -> None:
    """One after the other on the same association."""
    pdus = b"".join(cut(1, command, b"", 64) for command in commands)

    assert [
        {key: value for key, value in message.command.items() if key != "CommandDataSetType"}
        for message in messages_of(pdus, 10)
    ] == list(commands)
