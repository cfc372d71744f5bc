"""A peer is known by its AE title and by where it comes from."""

import pytest

from dicomnode.peers import Peer, find_peer


def peer(**changes: object) -> Peer:
    return Peer(**{"ae_title": "TPS", "host": "127.0.0.1", "port": 104, **changes})


@pytest.mark.parametrize(
    ("addresses", "source", "expected"),
    [
        ((), "127.0.0.1", True),
        ((), "127.0.0.2", False),
        ((), "::ffff:127.0.0.1", True),
        (("10.1.2.0/24",), "10.1.2.77", True),
        (("10.1.2.0/24",), "127.0.0.1", False),
        (("10.1.2.3/24",), "10.1.2.77", True),
        (("fd00::/8",), "fd12::1%eth0", True),
        (("10.0.0.1", "10.0.0.2"), "10.0.0.2", True),
    ],
)
def test_a_peer_comes_from_its_addresses(addresses: tuple[str, ...], source: str, *, expected: bool) -> None:
    """Where no address is named, only from its host."""
    assert peer(addresses=addresses).comes_from(source) is expected


def test_a_host_name_is_resolved() -> None:
    """A peer that is named by its host name may come from that host."""
    assert peer(host="localhost").comes_from("127.0.0.1")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64, "a..b"])
def test_a_host_that_nobody_knows_is_nowhere(host: str) -> None:
    """A name that cannot be resolved lets nobody in."""
    assert not peer(host=host).comes_from("127.0.0.1")


def test_spaces_around_an_ae_title_do_not_count() -> None:
    """PS3.8 9.3.2 pads AE titles with spaces."""
    assert find_peer([peer()], "TPS   ") == peer()
    assert find_peer([peer()], "tps") is None


@pytest.mark.parametrize(
    "changes", [{"ae_title": ""}, {"ae_title": "A" * 17}, {"ae_title": "A\\B"}, {"host": " "}, {"port": 0}]
)
def test_a_peer_that_exists_is_valid(changes: dict[str, object]) -> None:
    """What no peer can have makes none."""
    with pytest.raises(ValueError, match=r"AE title|host|port"):
        peer(**changes)
