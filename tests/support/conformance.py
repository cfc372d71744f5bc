"""The tables of docs/conformance.md, as the code has them; `python -m tests.support.conformance` writes them anew."""

import re
from collections.abc import Callable, Iterable

from pydicom.uid import UID

from dicomnode.audit.message import Kind
from dicomnode.config import Delivering, Receiving
from dicomnode.dimse import ACCEPTED, RIGHT_TO_SEND, STATUS_OF, STORAGE_COMMITMENT, SUCCESS, VERIFICATION
from dicomnode.errors import Refusal
from dicomnode.fetch import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from dicomnode.instance_file import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomnode.query import STUDY_ROOT_FIND
from dicomnode.routing import RT_STRUCTURE_SET_STORAGE
from dicomnode.scp import UNKNOWN_APPLICATION_CONTEXT, UNKNOWN_CALLED_AE, UNKNOWN_CALLING_AE
from dicomnode.tls.contexts import SUITES
from dicomnode.transport.limits import Limits
from tests.support.rooms import ROOT

DOCUMENT = ROOT / "docs" / "conformance.md"
SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
USED = (
    VERIFICATION,
    RT_STRUCTURE_SET_STORAGE,
    SEGMENTATION_STORAGE,
    STORAGE_COMMITMENT,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    STUDY_ROOT_GET,
)
"""What the node asks of peers by itself; the command `send` offers the class of whatever file it is given."""

REASONS = {
    UNKNOWN_APPLICATION_CONTEXT: "the application context name is not DICOM's",
    UNKNOWN_CALLED_AE: "the called AE title is not this node's",
    UNKNOWN_CALLING_AE: "the calling AE title is no peer's, or its address or certificate is not that peer's",
    (1, 2, 2): "the protocol version is not 1",
    (2, 3, 2): "as many associations are open as the configuration allows",
}


def services() -> str:
    """Return which SOP classes the node supports in which role."""
    rows = [
        (UID(uid).name, f"`{uid}`", "yes" if uid in USED else "no", "yes" if uid in ACCEPTED else "no")
        for uid in sorted({*USED, *ACCEPTED}, key=lambda uid: UID(uid).name)
    ]
    return _table(("SOP class", "UID", "SCU", "SCP"), rows)


def contexts() -> str:
    """Return in which transfer syntaxes each SOP class is accepted, and which right its sender needs."""
    rows = [
        (UID(sop_class).name, f"{UID(syntax).name} `{syntax}`", f"`{right}`" if right else "none")
        for sop_class, syntaxes in ACCEPTED.items()
        for syntax in syntaxes
        for right in (RIGHT_TO_SEND.get(sop_class, ""),)
    ]
    return _table(("SOP class", "transfer syntax", "right of the peer"), rows)


def statuses() -> str:
    """Return what the storage SCP answers with."""
    rows = [(f"{SUCCESS:04X}", "Success", "the instance is on disk, and no power cut can undo it")]
    rows += [(f"{status:04X}", _words(kind), _sentence(kind)) for kind, status in STATUS_OF.items()]
    return _table(("status", "kind", "meaning"), rows)


def rejections() -> str:
    """Return with what associations are rejected."""
    return _table(
        ("result, source, reason", "when"), [("/".join(map(str, code)), when) for code, when in REASONS.items()]
    )


def limits() -> str:
    """Return what a peer may count on, by default."""
    receiving, delivering, bounds = Receiving(), Delivering(), Limits()
    return _table(
        ("what", "default"),
        [
            ("Implementation Class UID", f"`{IMPLEMENTATION_CLASS_UID}`"),
            ("Implementation Version Name", f"`{IMPLEMENTATION_VERSION_NAME}`"),
            ("largest PDU received", f"{bounds.pdu_length} bytes"),
            ("largest data set", f"{receiving.message_limit_mib} MiB (`receiving.message_limit_mib`)"),
            (
                "associations at once as acceptor",
                f"{receiving.maximum_associations} (`receiving.maximum_associations`)",
            ),
            ("connections of one address", f"{bounds.connections_of_one_address}"),
            ("time for a request of an association", f"{bounds.request_s:g} s"),
            ("time for a PDU", f"{bounds.pdu_s:g} s"),
            ("silence on an association", f"{receiving.network_timeout_s:g} s (`receiving.network_timeout_s`)"),
            ("wait for an answer as SCU", f"{delivering.dimse_timeout_s:g} s (`delivering.dimse_timeout_s`)"),
            ("asynchronous operations", "none: one operation at a time"),
        ],
    )


def audit() -> str:
    """Return which audit messages the node writes."""
    rows = []
    for kind in Kind:
        event, event_type, action = kind.value
        rows.append((f"{event[0]} {event[1]}", f"{event_type[0]} {event_type[1]}" if event_type else "", action))
    return _table(("EventID", "EventTypeCode", "EventActionCode"), rows)


def suites() -> str:
    """Return the cipher suites of TLS 1.2."""
    return _table(("suite of TLS 1.2, by OpenSSL's name",), [(f"`{suite}`",) for suite in SUITES])


TABLES: dict[str, Callable[[], str]] = {
    each.__name__: each for each in (services, contexts, statuses, rejections, limits, audit, suites)
}


def written(name: str) -> str:
    """Return a table as it stands in the document."""
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return match[1] if match else ""


def main() -> None:
    """Write the tables anew."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        new = f"<!-- {name} -->\n{table()}<!-- end -->"
        text = re.sub(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, new=new: new, text, flags=re.DOTALL)
    DOCUMENT.write_text(text, encoding="utf-8")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def _words(kind: type[Refusal]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()


def _sentence(kind: type[Refusal]) -> str:
    return (kind.__doc__ or "").partition("\n")[0].rstrip(".")


if __name__ == "__main__":
    main()
