"""Eight peers at once, sixty instances each: nothing is lost, and nothing stays."""

import pytest

from tests.support.siege import Siege
from tests.support.soak import lost_or_altered, soak

pytestmark = pytest.mark.slow


def test_eight_peers_at_work_lose_nothing_and_leave_nothing(siege: Siege) -> None:
    """Every instance is acknowledged and kept byte by byte, and the node holds no more than before."""
    with siege.withstood():
        outcome = soak(siege, clients=8, instances=480, rows=256)

    assert (len(outcome.acknowledged), outcome.refused) == (480, 0)
    assert lost_or_altered(siege, outcome) == []
