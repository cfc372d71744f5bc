"""Whose images a file holds, as the audit names them."""

from pathlib import Path

from dicomnode.acceptance import identify
from dicomnode.audit.message import Study
from dicomnode.errors import DataSetMismatch, NotUnderstood
from dicomnode.instance_file import parse_file


def study_of(path: Path, count: int = 1) -> Study | None:
    """Return whose images a file belongs to, and how many of them there are; None where it cannot be read."""
    try:
        file = parse_file(path.read_bytes())
        instance = identify(
            file.data,
            sop_class_uid=file.sop_class_uid,
            sop_instance_uid=file.sop_instance_uid,
            transfer_syntax_uid=file.transfer_syntax_uid,
        )
    except (OSError, NotUnderstood, DataSetMismatch):
        return None
    header = instance.header
    counted = {file.sop_class_uid: count}
    return Study(instance.study_instance_uid, header.text("PatientID"), header.text("PatientName"), counted)
