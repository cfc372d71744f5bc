"""What associations bring is counted, and told to the audit once each."""

from datetime import timedelta

import pytest

from dicomnode.acceptance import Instance, identify
from dicomnode.audit.message import Event, Kind
from dicomnode.dimse import EXPLICIT_VR_LE, STATUS_OF
from dicomnode.errors import NotUnderstood, SpoolFull
from dicomnode.routing import CT_IMAGE_STORAGE
from dicomnode.visits import MOST_STUDIES, REASON_OF, Visits
from tests.support.books import Clock
from tests.support.instances import CANARY_ID, STUDY, ct_instance, encode


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def visits(clock: Clock, told: list[Event]) -> Visits:
    return Visits("DICOMNODE", told.append, clock)


def brought(number: int, study: str = STUDY) -> Instance:
    """Return an instance of a study."""
    ds = ct_instance(number, StudyInstanceUID=study)
    return identify(
        encode(ds),
        sop_class_uid=CT_IMAGE_STORAGE,
        sop_instance_uid=str(ds.SOPInstanceUID),
        transfer_syntax_uid=EXPLICIT_VR_LE,
    )


def test_each_study_of_an_association_is_told_once(visits: Visits, told: list[Event]) -> None:
    """However many instances it brought, when it is over there is one event for each study, with their number."""
    visits.accepted("a", "TPS", "192.0.2.7")
    for number in range(1, 6):
        visits.kept("a", brought(number, f"{STUDY}.{number % 2}"))
    visits.over("a")
    visits.over("a")

    assert [event.kind for event in told] == [Kind.INSTANCES_RECEIVED] * 2
    assert [event.study.instances for event in told if event.study] == [{CT_IMAGE_STORAGE: 3}, {CT_IMAGE_STORAGE: 2}]
    assert told[0].study is not None
    assert told[0].study.patient_id == CANARY_ID
    assert [party.user_id for party in told[0].parties] == ["TPS", "DICOMNODE"]
    assert (visits.received, visits.open_associations) == ({"TPS": 5}, 0)


@pytest.mark.parametrize("begin", ["accepted", "begun"])
def test_who_asked_for_a_transfer_is_its_requestor(visits: Visits, told: list[Event], begin: str) -> None:
    """The peer where it sends by itself, this node where it has asked the peer to send."""
    getattr(visits, begin)("a", "TPS", "192.0.2.7")
    visits.kept("a", brought(1))
    visits.over("a")

    assert [party.user_id for party in told[0].parties if party.is_requestor] == [
        {"accepted": "TPS", "begun": "DICOMNODE"}[begin]
    ]


def test_hostile_instances_are_an_alert_and_a_full_disk_is_none(visits: Visits, told: list[Event]) -> None:
    """What a peer should not send is told with its number; what is this node's own trouble is only counted."""
    visits.accepted("a", "TPS", "192.0.2.7")
    visits.refused_one("a", NotUnderstood("cut off"))
    visits.refused_one("a", NotUnderstood("cut off"))
    visits.refused_one("a", SpoolFull("no room"))
    visits.over("a")

    assert [(event.kind, event.text) for event in told] == [
        (Kind.HOSTILE_INPUT, "instances refused: not understood: 2")
    ]
    assert {reason: count for reason, count in visits.refused.items() if count} == {"not understood": 2, "no space": 1}


def test_a_flood_at_the_door_is_no_flood_of_records(visits: Visits, told: list[Event], clock: Clock) -> None:
    """Of one address there is one alert a minute, and the next says how many were silent."""
    for _ in range(100):
        visits.rejected("X", "192.0.2.9", "it is no peer")
    clock.now += timedelta(minutes=1)
    visits.rejected("X", "192.0.2.9", "it is no peer")
    visits.rejected("X", "192.0.2.10", "it is no peer")

    assert [event.text.partition("; ")[2] for event in told] == ["", "and 99 times before", ""]
    assert visits.associations == {"accepted": 0, "rejected": 102}


def test_an_association_with_a_study_for_each_instance_costs_no_memory(visits: Visits, told: list[Event]) -> None:
    """Many studies are told before the association is over."""
    visits.accepted("a", "TPS", "192.0.2.7")
    for number in range(1, MOST_STUDIES + 3):
        visits.kept("a", brought(number, f"{STUDY}.{number}"))

    assert len(told) == MOST_STUDIES + 1


def test_every_refusal_has_its_word() -> None:
    """What the receiver can refuse with is what metrics and audit can count."""
    assert set(REASON_OF) == set(STATUS_OF)
