"""What an operator does at the command line, told to the audit."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from dicomnode.audit.message import Event, Kind, Outcome, Party, Role, Study
from dicomnode.node import Books


@contextmanager
def audited(books: Books, action: str) -> Iterator[None]:
    """Audit what an operator does, whether it can be done or not.

    Args:
        books: of the node.
        action: the command, as "series release 5".

    Raises:
        OSError: the audit cannot be written.
    """
    try:
        yield
    except Exception:
        books.auditor.write(operator_event(books, Kind.OPERATOR, action, Outcome.MINOR_FAILURE))
        raise
    books.auditor.write(operator_event(books, Kind.OPERATOR, action))


def note_access(books: Books, study: Study) -> None:
    """Audit that an operator was shown who a patient is."""
    books.auditor.write(operator_event(books, Kind.INSTANCES_ACCESSED, "series show --patient", study=study))


def operator_event(
    books: Books, kind: Kind, action: str, outcome: Outcome = Outcome.SUCCESS, study: Study | None = None
) -> Event:
    """Return what the operator at this terminal does, as an event of a kind."""
    node = Party(books.configuration.node.ae_title, Role.APPLICATION)
    return Event(kind, datetime.now(UTC), (_operator(), node), outcome, action, study)


def operator_name() -> str:
    """Return who decides at this terminal, as a record keeps it: who is behind sudo, else the account."""
    operator = _operator()
    return operator.user_name or operator.user_id


def _operator() -> Party:
    """Return the person at the terminal, as this machine knows them: by the account, and by sudo who is behind it."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = str(os.getuid())
    return Party(account, None, os.uname().nodename, is_requestor=True, user_name=os.environ.get("SUDO_USER", ""))
