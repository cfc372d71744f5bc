"""What peers want to be sure of: that the instances which they sent are kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from dicomnode.chapters.page import Page, record_of
from dicomnode.records import CommitmentOrder, CommitmentRequest
from dicomnode.tables import commitment_requests

AFTER_RESPONSE_S = 1.0  # for the response to the request to go out before its answer does


class CommitmentRequests(Page):
    """The chapter of the peers' requests for storage commitment."""

    def note_commitment_request(self, peer: str, transaction_uid: str, references: Sequence[tuple[str, str]]) -> None:
        """Remember a request and order its answer, in one transaction; the same again is answered again."""
        with self._begin() as connection:
            now = self._now()
            new = (
                sa.insert(commitment_requests)
                .values(
                    transaction_uid=transaction_uid,
                    peer=peer,
                    references=[list(reference) for reference in references],
                    attempts=0,
                    received=now,
                    next_attempt=now,
                )
                .returning(commitment_requests.c.id)
            )
            request_id = int(connection.execute(new).scalar_one())
            self._order(connection, CommitmentOrder(request_id, attempt=1, delay_s=AFTER_RESPONSE_S))

    def find_commitment_request(self, request_id: int) -> CommitmentRequest | None:
        """Return one request, None where it was answered and forgotten."""
        wanted = sa.select(commitment_requests).where(commitment_requests.c.id == request_id)
        with self._begin() as connection:
            row = connection.execute(wanted).mappings().first()
            return record_of(CommitmentRequest, row) if row else None

    def forget_commitment_request(self, request_id: int) -> None:
        """Forget a request: the peer has its answer, or could not be told for long enough."""
        with self._begin() as connection:
            connection.execute(sa.delete(commitment_requests).where(commitment_requests.c.id == request_id))

    def answer_commitment_later(self, request_id: int, delay: timedelta) -> None:
        """Remember that the peer could not be told now, and order another attempt, in one transaction."""
        with self._begin() as connection:
            changed = (
                sa.update(commitment_requests)
                .where(commitment_requests.c.id == request_id)
                .values(attempts=commitment_requests.c.attempts + 1, next_attempt=self._now() + delay)
                .returning(commitment_requests.c.attempts)
            )
            attempts = int(connection.execute(changed).scalar_one())
            self._order(connection, CommitmentOrder(request_id, attempts + 1, delay.total_seconds()))

    def overdue_commitments(self, since: datetime) -> list[CommitmentRequest]:
        """Return the requests that should have been answered before `since` and were not tried."""
        wanted = sa.select(commitment_requests).where(commitment_requests.c.next_attempt < since)
        with self._begin() as connection:
            return [record_of(CommitmentRequest, row) for row in connection.execute(wanted).mappings()]
