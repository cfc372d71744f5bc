"""The cases to learn from: shown, decided on, copied, forgotten; and what waits to become one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adaptation.case_record import CaseRecord, Status, as_json
from adaptation.forgetting import forget_ct, forget_patient, mark_models, mark_models_on
from dicomnode.audit.operator import operator_name
from dicomnode.errors import NodeError, NotFound, TransitionError
from dicomnode.node import Books, case_store
from dicomnode.records import ApprovalRecord, ApprovalState
from dicomnode.tables import compact

SHOWN = (ApprovalState.PENDING, ApprovalState.LOOKING, ApprovalState.WAITING, ApprovalState.FAILED)


@dataclass(frozen=True)
class Cases:
    """What there is to learn from.

    Args:
        cases: the newest revision of each, oldest first.
        on_the_way: structure sets that wait to become one, or could not.
        not_taken: those from which nothing is learnt, with the reason.
    """

    cases: tuple[CaseRecord, ...]
    on_the_way: tuple[ApprovalRecord, ...]
    not_taken: tuple[ApprovalRecord, ...]


def list_cases(books: Books) -> Cases:
    """Return what there is to learn from, and what waits."""
    return Cases(
        case_store(books.configuration).records(),
        tuple(books.ledger.approvals(*SHOWN)),
        tuple(books.ledger.approvals(ApprovalState.NOT_TAKEN)),
    )


def show_case(books: Books, name: str) -> tuple[CaseRecord, ...]:
    """Return every revision on the CT of a case, the one that was named last.

    Raises:
        CaseError: there is none of this name.
    """
    store = case_store(books.configuration)
    record = store.record(name)
    earlier = [one for one in store.all_records() if (one.patient, one.ct) == (record.patient, record.ct)]
    return (*(one for one in earlier if one.name != name), record)


def decide_case(books: Books, name: str, status: Status, why: str) -> CaseRecord:
    """Admit or reject a case in the operator's name.

    Raises:
        NodeError: no word of why.
        CaseError: it cannot be decided on.
    """
    if not why.strip():
        raise NodeError("say why, in a word: it is kept with the case")
    store = case_store(books.configuration)
    record = store.decide(name, status, by=operator_name(), why=why.strip(), at=datetime.now(UTC))
    for alarm in books.ledger.alarms():
        if alarm.about == name:
            books.ledger.acknowledge(alarm.id)
    return record


def export_case(books: Books, name: str, out: Path) -> Path:
    """Copy a case as it lies in the store; return the folder.

    Raises:
        CaseError: there is none of this name, or the folder is there.
    """
    return case_store(books.configuration).export(name, out)


def retry_case(books: Books, approval_id: int) -> None:
    """Have a structure set looked at once more, whatever became of it.

    Raises:
        NotFound: there is none of this number.
    """
    books.ledger.order_again(approval_id)


def forget_case(books: Books, name: str) -> tuple[str, ...]:
    """Forget everything that learning has of the patient of a case; return the names of the cases.

    Raises:
        CaseError: there is none of this name.
        TransitionError: a structure set is just being looked at.
    """
    return forget_learnt(books, [case_store(books.configuration).record(name).patient])


def forget_patient_id(books: Books, patient_id: str) -> tuple[str, ...]:
    """Forget everything that learning has of a patient, by the Patient ID; return the names of the cases.

    Raises:
        NotFound: nothing was learnt of this patient.
        TransitionError: a structure set is just being looked at.
    """
    pseudonym = books.ledger.find_pseudonym(books.pseudonyms.identity_of(patient_id))
    if pseudonym is None:
        raise NotFound("nothing is kept to learn from of this patient")
    return forget_learnt(books, [pseudonym])


def forget_learnt(books: Books, pseudonyms: Iterable[str]) -> tuple[str, ...]:
    """Forget everything that learning has of some patients, and mark the models that saw them; return the cases' names.

    Raises:
        TransitionError: a structure set is just being looked at.
        LedgerUnavailable: somebody reads the ledger for too long, whose journal still holds what was deleted.
    """
    names: list[str] = []
    store, registry = case_store(books.configuration), books.examiner.models.registry
    for pseudonym in pseudonyms:
        # Marks first and the mapping last: who is killed in between can ask again, and nothing is left out.
        mark_models(registry, pseudonym, by=operator_name(), at=datetime.now(UTC))
        names += forget_patient(store, pseudonym, datetime.now(UTC))
        if not books.ledger.forget_pseudonym(pseudonym):
            raise TransitionError("a structure set is just being looked at: try again in a moment")
        forget_patient(store, pseudonym, datetime.now(UTC))  # what was filed between the two
    compact(books.engine)
    return tuple(names)


def forget_learnt_on(books: Books, ct: str) -> tuple[str, ...]:
    """Forget the cases on a CT wherever learning names them, and mark the models that saw them; return their names.

    The patient is known by the same pseudonym as before if another CT comes, and so keeps the part.

    Args:
        books: of the node.
        ct: pseudonym of the series.
    """
    store, registry = case_store(books.configuration), books.examiner.models.registry
    mark_models_on(registry, store, ct, by=operator_name(), at=datetime.now(UTC))
    return forget_ct(store, ct, datetime.now(UTC))


def cases_json(cases: Cases) -> dict[str, Any]:
    """Return the cases as JSON has them."""
    return {
        "cases": [as_json(record) for record in cases.cases],
        "on_the_way": [approval_json(record) for record in cases.on_the_way],
        "not_taken": [approval_json(record) for record in cases.not_taken],
    }


def approval_json(record: ApprovalRecord) -> dict[str, Any]:
    """Return an approval as JSON has it, without a UID or a pseudonym of the patient."""
    next_attempt = record.next_attempt.isoformat() if record.next_attempt else None
    return {
        "id": record.id,
        "state": record.state.value,
        "reasons": list(record.reasons),
        "received": record.received.isoformat(),
        "next_attempt": next_attempt,
    }
