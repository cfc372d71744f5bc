"""Whose images a file holds, as the audit names them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
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


def studies_of(paths: Iterable[Path]) -> list[Study]:
    """Return whose images some files belong to, and how many of each SOP class; without files that cannot be read."""
    found: dict[tuple[str, str, str], Study] = {}
    for study in filter(None, map(study_of, paths)):
        owner = (study.study_instance_uid, study.patient_id, study.patient_name)
        counted = Counter(found[owner].instances if owner in found else {})
        counted.update(study.instances)
        found[owner] = replace(study, instances=dict(counted))
    return list(found.values())
