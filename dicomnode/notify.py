"""What the daemon tells systemd: that it is ready, that it lives, that it stops (sd_notify(3))."""

import os
import socket


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
