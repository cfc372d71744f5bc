"""Coverage-guided fuzzing of what reads strangers' bytes, with atheris: one target a run, from the checkout's folder.

    PYTHONPATH=. python benchmarks/fuzz.py data_set -max_total_time=600

Targets: `request` (A-ASSOCIATE-RQ), `p_data` (presentation data values and command sets), `data_set` (walk, header and
acceptance), `file` (what a start may adopt), `structure_set` (reader, summary and lint). What follows the target is
libFuzzer's own. Any exception that is not meant for the user ends the run, and its bytes are left in `crash-...`.

atheris is no dependency of the project: install it into an environment that sees the project's packages too.
"""

import contextlib
import struct
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["dicomnode", "segmentation", "pydicom", "pynetdicom"]):
    from pynetdicom.pdu import A_ASSOCIATE_RQ

    from dicomnode.errors import Refusal
    from dicomnode.instance_file import file_head, parse_file
    from dicomnode.transport.command_set import store_response
    from dicomnode.transport.faults import ProtocolFault
    from dicomnode.transport.incoming import Incoming
    from dicomnode.transport.limits import Limits
    from tests.support.fuzz_cases import instance_files, look_at, look_at_structure_set, structure_set_file
    from tests.support.instances import ct_instance, encode
    from tests.support.wire import CT_CONTEXT, ECHO_CONTEXT, associate_rq, data_value, echo_command, store_command

LIMITS = Limits(message_length=1 << 20)
FILES = instance_files()
FOLDER = TemporaryDirectory()


def request(data: bytes) -> None:
    """Decode an A-ASSOCIATE-RQ: pynetdicom may raise what it likes, which the receiver answers with an abort."""
    with contextlib.suppress(Exception):
        pdu = A_ASSOCIATE_RQ()
        pdu.decode(data)
        pdu.to_primitive()


def p_data(data: bytes) -> None:
    """Receive presentation data values."""
    incoming = Incoming(LIMITS)
    with contextlib.suppress(ProtocolFault):
        while len(data) >= 6:
            size, context_id, control = struct.unpack(">IBB", data[:6])
            fragment = data[6 : 4 + max(size, 2)]
            incoming.room(context_id, control, len(fragment), 0.0)[: len(fragment)] = fragment
            data = data[6 + len(fragment) :]
            if incoming.is_complete(control):
                if incoming.command is not None and incoming.command.is_store_request:
                    assert store_response(incoming.command, CT_CONTEXT, 0, "", 128)  # noqa: S101
                incoming.clear()


def data_set(data: bytes) -> None:
    """Look at a data set; the first byte says in which syntax."""
    with contextlib.suppress(Refusal):
        look_at(data[1:], FILES[data[0] % len(FILES)] if data else FILES[0])


def file(data: bytes) -> None:
    """Look at a file."""
    with contextlib.suppress(Refusal):
        read = parse_file(data)
        look_at(read.data, read)


def structure_set(data: bytes) -> None:
    """Look at a structure set."""
    look_at_structure_set(Path(FOLDER.name) / "structure_set.dcm", data)


SLICE = encode(ct_instance())
STORE = data_value(CT_CONTEXT, store_command("1.2.3"), is_command=True) + data_value(
    CT_CONTEXT, SLICE, is_command=False
)
TARGETS = {
    "request": (request, [associate_rq()]),
    "p_data": (p_data, [STORE, data_value(ECHO_CONTEXT, echo_command(), is_command=True)]),
    "data_set": (data_set, [bytes([number]) + each.data for number, each in enumerate(FILES)]),
    "file": (file, [file_head(each) + each.data for each in FILES]),
    "structure_set": (structure_set, [structure_set_file()]),
}


def main() -> None:
    """Fuzz the target that the command line names, from good examples on."""
    target, examples = TARGETS[sys.argv[1]]
    corpus = Path(FOLDER.name) / "corpus"
    corpus.mkdir()
    for number, example in enumerate(examples):
        (corpus / str(number)).write_bytes(example)
    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
