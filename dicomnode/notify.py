"""What the daemon and systemd tell each other: that it is ready, lives and stops, and where it is to listen."""

import os
import socket

from dicomnode.errors import NodeError

FIRST_PASSED = 3  # descriptor, SD_LISTEN_FDS_START


def notify(state: str) -> None:
    """Send a state, as `READY=1`, to the service manager; does nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())


def watchdog_interval_s() -> float | None:
    """Return how often the service manager wants to hear that the daemon lives; None if it does not ask."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 2e6 if microseconds else None  # half of it, as sd_watchdog_enabled(3) advises


def passed_sockets() -> list[socket.socket]:
    """Return the sockets that a socket unit listens on for us (sd_listen_fds(3)); none where there is none.

    Raises:
        NodeError: if one of them is not of TCP, or does not listen.
    """
    passed, for_whom = os.environ.pop("LISTEN_FDS", "0"), os.environ.pop("LISTEN_PID", "")
    if for_whom != str(os.getpid()):
        return []
    return [_listening(FIRST_PASSED + number) for number in range(int(passed))]


def _listening(descriptor: int) -> socket.socket:
    listening = socket.socket(fileno=descriptor)
    listening.set_inheritable(False)
    is_tcp = listening.family in {socket.AF_INET, socket.AF_INET6} and listening.type == socket.SOCK_STREAM
    if not is_tcp or not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise NodeError("the socket unit passes something that is no listening TCP socket: it needs ListenStream=PORT")
    return listening
