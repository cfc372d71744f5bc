"""Every audit message is one by PS3.15 A.5, and names nobody unless the site wants it."""

from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from pydicom.sr._concepts_dict import concepts

from dicomnode.audit.message import (
    SOP_CLASS_UID,
    STUDY_INSTANCE_UID,
    Event,
    Kind,
    Outcome,
    Party,
    Query,
    Role,
    Study,
    audit_message,
    pseudonymous,
)
from dicomnode.outgoing.data_set import IMPLICIT_VR_LE, decode
from dicomnode.query import STUDY_ROOT_FIND
from dicomnode.routing import CT_IMAGE_STORAGE
from tests.support.instances import CANARY_ID, CANARY_NAME, SERIES, STUDY

SCHEMA = etree.RelaxNG.from_rnc_string((Path(__file__).parents[3] / "support" / "audit_message.rnc").read_text())
WHEN = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)
SENDER = Party("TPS", Role.SOURCE, "192.0.2.7", is_requestor=True)
OWN = Party("DICOMNODE", Role.DESTINATION, "node.example", user_name="Somebody")
OBJECTS = [STUDY_INSTANCE_UID, SOP_CLASS_UID]
CODES = [code for kind in Kind for code in kind.value[:2] if code] + [r.value for r in Role] + OBJECTS


def event(kind: Kind = Kind.INSTANCES_RECEIVED, text: str = "") -> Event:
    """Return an event with everything that an event can have."""
    study = Study(STUDY, CANARY_ID, CANARY_NAME, {CT_IMAGE_STORAGE: 200})
    query = Query(STUDY_ROOT_FIND, "SERIES", {"StudyInstanceUID": STUDY, "SeriesInstanceUID": ""})
    return Event(kind, WHEN, (SENDER, OWN), Outcome.MINOR_FAILURE, text, study, query)


def parsed(one: Event, site: str = "") -> etree._Element:
    """Return the message of an event, which the schema must allow."""
    root = etree.fromstring(audit_message(one, source_id="DICOMNODE", site=site))
    SCHEMA.assertValid(root)
    return root


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_message_is_valid(kind: Kind) -> None:
    """With all that it can hold and with as little as possible, the schema allows it."""
    parsed(event(kind, "series release 5"), site="Hospital")

    parsed(Event(kind, WHEN, (Party("root", None),)))


@pytest.mark.parametrize("code", CODES, ids=[code for code, _ in CODES])
def test_codes_are_those_of_the_dictionary(code: tuple[str, str]) -> None:
    """Value and meaning stand so in PS3.16."""
    known = {(value, meaning) for entry in concepts["DCM"].values() for value, (meaning, _) in entry.items()}

    assert code in known


def test_the_schema_refuses_what_is_none() -> None:
    """The other tests would see a wrong message."""
    root = parsed(event())
    del root.find("EventIdentification").attrib["EventDateTime"]

    assert not SCHEMA.validate(root)


def test_a_peer_cannot_write_into_the_message() -> None:
    """What XML forbids and what would end the line is replaced, what it reserves is escaped."""
    hostile = "</x>\n\x00\x1b[31m\ud800\u2028"
    one = Event(Kind.STRANGER, WHEN, (Party(hostile, Role.SOURCE, hostile),), text=hostile)

    message = audit_message(one, source_id=hostile, site=hostile)

    assert message.isprintable()
    assert etree.fromstring(message).find("ActiveParticipant").get("UserID") == "</x>???[31m??"


def test_pseudonyms_replace_every_identifier() -> None:
    """Patient, study and UIDs in the text are named as the log names them, and the message says so."""
    one = pseudonymous(event(text=f"series {SERIES}"), lambda name: f"p{len(name)}", lambda text: text[:6])

    message = audit_message(one, source_id="DICOMNODE", site="")
    known = (*CANARY_NAME.split("^"), CANARY_ID, STUDY, SERIES)
    assert [word for word in known if word in message] == []
    assert "<Anonymized>true</Anonymized>" in message
    assert queried(etree.fromstring(message)) == ("SERIES", f"p{len(STUDY)}", "")


def test_identities_stand_where_they_belong() -> None:
    """Without pseudonyms the objects are the study by its UID and the patient by ID and name."""
    _, study, patient = parsed(event()).findall("ParticipantObjectIdentification")

    assert study.get("ParticipantObjectID") == STUDY
    assert (patient.get("ParticipantObjectID"), patient.find("ParticipantObjectName").text) == (CANARY_ID, CANARY_NAME)
    assert study.find(".//SOPClass").attrib == {"UID": CT_IMAGE_STORAGE, "NumberOfInstances": "200"}


def queried(root: etree._Element) -> tuple[str, str, str]:
    """Return level, study and series of the identifier that a message holds."""
    query = root.find("ParticipantObjectIdentification")
    syntax = b64decode(query.find("ParticipantObjectDetail").get("value")).decode()
    assert (query.get("ParticipantObjectID"), syntax) == (STUDY_ROOT_FIND, IMPLICIT_VR_LE)
    ds = decode(b64decode(query.find("ParticipantObjectQuery").text), syntax)
    raw = [ds.get_item(keyword).value or b"" for keyword in ("StudyInstanceUID", "SeriesInstanceUID")]
    return ds.QueryRetrieveLevel, *(value.decode().strip("\0") for value in raw)


def test_a_query_stands_there_as_it_was_asked() -> None:
    """The SOP class, and the identifier with the transfer syntax of its bytes (PS3.15 A.5.3.10)."""
    assert queried(parsed(event(Kind.QUERY))) == ("SERIES", STUDY, "")
