"""A newer pynetdicom fails here first where it changed what the room overrides, copies or leans on."""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import StateMachine
from pynetdicom.transport import AssociationServer, AssociationSocket, RequestHandler, ThreadedAssociationServer

from dicomnode.transport.association import BoundedAssociation
from dicomnode.transport.dul import BoundedDUL
from dicomnode.transport.server import BoundedRequestHandler, BoundedServer
from dicomnode.transport.socket import BoundedSocket

OURS: dict[type, type] = {
    BoundedAssociation: Association,
    BoundedDUL: DULServiceProvider,
    BoundedRequestHandler: RequestHandler,
    BoundedServer: ThreadedAssociationServer,
    BoundedSocket: AssociationSocket,
}
"""Class of the room -> its base in pynetdicom."""

LEANED_ON: tuple[Callable[..., Any], ...] = (
    ACSE._negotiate_as_acceptor,
    ACSE.is_aborted,
    ACSE.is_release_requested,
    ACSE.send_abort,
    Association._abort_blocking,
    Association._serve_request,
    AssociationServer.server_close,
    AssociationSocket.close,
    DIMSEServiceProvider.get_msg,
    DIMSEServiceProvider.receive_primitive,
    DULServiceProvider._decode_pdu,
    DULServiceProvider._is_transport_event,
    DULServiceProvider._process_recv_primitive,
    DULServiceProvider.stop_dul,
    StateMachine.do_action,
)
"""Not overridden, but a change of it changes what our code must do."""

KNOWN: dict[str, str] = {
    "ACSE._negotiate_as_acceptor": "fffd360957c4",
    "ACSE.is_aborted": "ad2eb3f545a9",
    "ACSE.is_release_requested": "894b33d21a8d",
    "ACSE.send_abort": "6707ebd82b15",
    "Association.__init__": "eb07516b8009",
    "Association._abort_blocking": "10b43ef8c63c",
    "Association._run_reactor": "f28838c5559e",
    "Association._serve_request": "2f24c1759cdf",
    "Association.kill": "8f9713666a7f",
    "Association.run_reactor": "ed8bbbe3b3d6",
    "Association.send_n_event_report": "e3d427e77369",
    "AssociationServer.__init__": "edacb98bdfb7",
    "AssociationServer.active_associations": "2dc018cb7d13",
    "AssociationServer.get_request": "925a4f3a3042",
    "AssociationServer.server_bind": "cf69278a05a5",
    "AssociationServer.server_close": "3fa1b358badb",
    "AssociationServer.service_actions": "0a0853a3615a",
    "AssociationSocket.__init__": "1f0325fdef2c",
    "AssociationSocket._shutdown_socket": "e2b2628faa81",
    "AssociationSocket.close": "c726c8db5381",
    "AssociationSocket.send": "1ea8158c0b51",
    "DIMSEServiceProvider.get_msg": "890e3e04283f",
    "DIMSEServiceProvider.receive_primitive": "5f99c86b14a1",
    "DULServiceProvider.__init__": "c82dafa9438d",
    "DULServiceProvider._decode_pdu": "fc71dd1bf853",
    "DULServiceProvider._is_transport_event": "8725ed03bb8f",
    "DULServiceProvider._process_recv_primitive": "4c0ebbb3e646",
    "DULServiceProvider._read_pdu_data": "19f2d4e38c13",
    "DULServiceProvider._send": "a850a7919e68",
    "DULServiceProvider.kill_dul": "5ceccf8dd01c",
    "DULServiceProvider.run_reactor": "e3a10eb3a093",
    "DULServiceProvider.send_pdu": "7cbce5da8594",
    "DULServiceProvider.stop_dul": "28a7e0be126e",
    "RequestHandler._create_association": "05c8d12b7986",
    "RequestHandler.handle": "034823fb4df3",
    "StateMachine.do_action": "9a883f44c7f3",
}
"""Name -> the first 12 digits of the SHA-256 of its source in pynetdicom 3.0.4."""


def overridden() -> dict[str, Callable[..., Any]]:
    """Return every function of pynetdicom that a class of the room replaces."""
    found = {}
    for ours, base in OURS.items():
        for name in vars(ours):
            theirs = inspect.getattr_static(base, name, None)
            function = theirs.fget if isinstance(theirs, property) else theirs
            if inspect.isfunction(function) and function.__module__.startswith("pynetdicom"):
                found[function.__qualname__] = function
    return found


WATCHED = overridden() | {function.__qualname__: function for function in LEANED_ON}


def digest(function: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]


@pytest.mark.parametrize("name", sorted(WATCHED))
def test_pynetdicom_is_as_it_was_when_the_room_was_built(name: str) -> None:
    """What is overridden or leaned on has the source that we read."""
    assert digest(WATCHED[name]) == KNOWN.get(name), (
        f"pynetdicom's {name} is not the one that dicomnode/transport was written for. Read the change and what "
        f"overrides it or leans on it, mend that, run tests/attacks, and write {digest(WATCHED[name])!r} into KNOWN."
    )


def test_nothing_is_watched_that_is_not_used() -> None:
    """The table has no name that the room no longer overrides or leans on."""
    assert KNOWN.keys() == WATCHED.keys()
