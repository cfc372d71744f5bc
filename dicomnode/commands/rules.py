"""Which routing rule matches a file, and why the earlier ones do not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pynetdicom.dsutils import split_dataset

from dicomnode.dimse import IMPLICIT_VR_LE
from dicomnode.encoded import walk
from dicomnode.errors import NotUnderstood
from dicomnode.header import Header
from dicomnode.routing import Decision, InstanceFacts, Rule, decide, wanted_attributes


@dataclass(frozen=True)
class RuledFile:
    """What the rules say of one file.

    Args:
        path: of the file.
        decision: what would be done with it, and for each rule up to the one that matches, why; None if the file cannot
            be read.
        fault: why it cannot be read; empty if it can.
    """

    path: Path
    decision: Decision | None
    fault: str


def explain_rules(
    rules: Sequence[Rule], files: Iterable[Path], *, called_ae_title: str, calling_ae_title: str
) -> list[RuledFile]:
    """Return what the rules say of each file, as if it came from this sender."""
    return [_explain(rules, path, called_ae_title, calling_ae_title) for path in files]


def _explain(rules: Sequence[Rule], path: Path, called_ae_title: str, calling_ae_title: str) -> RuledFile:
    try:
        meta, offset = split_dataset(path)
        implicit = meta.TransferSyntaxUID == IMPLICIT_VR_LE
        data = path.read_bytes()[offset:]
        header = Header(data, walk(data, implicit=implicit), implicit=implicit)
    except OSError as error:
        return RuledFile(path, None, f"cannot be read: {error.strerror}")
    except (InvalidDicomError, AttributeError):
        return RuledFile(path, None, "is no DICOM file")
    except NotUnderstood as error:
        return RuledFile(path, None, str(error))
    attributes = {name: header.text(name) for name in wanted_attributes(rules)}
    facts = InstanceFacts(header.text("SOPClassUID"), called_ae_title, calling_ae_title, attributes)
    return RuledFile(path, decide(rules, facts), "")
