"""pynetdicom's storage SCP as its documentation shows it: FOLDER PORT."""

import sys
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event


def handle_store(event: Event) -> int:
    """Write the data set under its UID."""
    ds = event.dataset
    ds.file_meta = event.file_meta
    ds.save_as(Path(sys.argv[1]) / ds.SOPInstanceUID, enforce_file_format=True)
    return 0x0000


ae = AE()
ae.supported_contexts = AllStoragePresentationContexts
ae.start_server(("127.0.0.1", int(sys.argv[2])), evt_handlers=[(evt.EVT_C_STORE, handle_store)])
