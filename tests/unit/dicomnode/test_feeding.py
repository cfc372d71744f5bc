"""A series is fed while an association that sent some of it is open."""

from dicomnode.feeding import Feeding


def test_a_series_is_fed_until_every_association_that_sent_of_it_is_over() -> None:
    """Two scanners may send halves of one series."""
    feeding = Feeding()
    feeding.begin("a", "1.2")
    feeding.begin("b", "1.2")
    feeding.begin("b", "1.3")

    feeding.end("a")
    fed_by_b = feeding.is_fed("1.2")
    feeding.end("b")
    feeding.end("b")

    assert fed_by_b
    assert not feeding.is_fed("1.2")
    assert not feeding.is_fed("1.3")
