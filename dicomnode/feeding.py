"""Which open association feeds which series: a series that is being fed is not whole."""

import threading


class Feeding:
    """The open associations and the series that they have sent instances of; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series_of: dict[str, set[str]] = {}

    def begin(self, association_key: str, series_instance_uid: str) -> None:
        """Note that the association sends an instance of the series."""
        with self._lock:
            self._series_of.setdefault(association_key, set()).add(series_instance_uid)

    def end(self, association_key: str) -> None:
        """Note that the association is over; one that is not known is no fault."""
        with self._lock:
            self._series_of.pop(association_key, None)

    def is_fed(self, series_instance_uid: str) -> bool:
        """Whether an open association has sent instances of the series."""
        with self._lock:
            return any(series_instance_uid in fed for fed in self._series_of.values())
