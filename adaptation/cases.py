"""The case store: what was approved, as arrays and a record each, under pseudonyms and without a word of DICOM.

`<patient>/<revision>/` holds `arrays.npz` and `case.json`, `<patient>/part.json` what the patient is for. A revision
appears whole or not at all; only its record is ever written anew, when somebody decides. What a power cut or a
`kill -9` left half done begins with a point.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from adaptation.case_arrays import digest_of, load_arrays, save_arrays
from adaptation.case_record import CaseRecord, Ruling, Status, Structure, encode_record, parse_record
from adaptation.errors import CaseError
from adaptation.gate_generations import belongs, open_generation
from adaptation.labelled_ct import Case, LabelledCt
from adaptation.limits import PartLimits
from adaptation.partition import Part, encode_place, parse_place, part_for
from segmentation.durable import write_whole

ARRAYS, RECORD = "arrays.npz", "case.json"
PLACE = "part.json"  # of a patient, beside the revisions
GROUP = "site"  # of the cases, beside those of other origins in a training
ADMISSION = "admission"  # who decides when no person has


@dataclass(frozen=True)
class NewCase:
    """What is to be filed beside the arrays; the words are those of `CaseRecord`."""

    patient: str
    ct: str
    source: str
    structures: Mapping[str, Structure]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    model_digest: str = ""
    scanner: str = ""
    month: str = ""


@dataclass(frozen=True)
class CaseStore:
    """The cases in a folder; it is made when the first one is filed.

    One process files at a time; records may be read and decided on meanwhile.

    Args:
        folder: of the store.
        limits: how patients are parted.
    """

    folder: Path
    limits: PartLimits = field(default_factory=PartLimits)

    def records(self) -> tuple[CaseRecord, ...]:
        """Return the newest revision of each case, that is of each CT of each patient, oldest first.

        Raises:
            CaseError: a record cannot be read.
        """
        newest = {(record.patient, record.ct): record for record in self.all_records()}
        return tuple(sorted(newest.values(), key=lambda record: (record.filed, record.name)))

    def all_records(self) -> tuple[CaseRecord, ...]:
        """Return every revision, those that were replaced too, by patient and revision.

        Raises:
            CaseError: a record cannot be read.
        """
        return tuple(self._read())

    def record(self, name: str) -> CaseRecord:
        """Return the record of a case by its name.

        Raises:
            CaseError: there is none of this name.
        """
        path = self.path_of(name) / RECORD
        if not path.is_file():
            raise CaseError(f"there is no case {name}")
        return parse_record(path.read_bytes())

    def load(self, record: CaseRecord) -> LabelledCt:
        """Return the CT of a case with what was drawn on it.

        Raises:
            CaseError: the arrays are not there or cannot be read.
        """
        return load_arrays(self.path_of(record.name) / ARRAYS)

    def case_of(self, record: CaseRecord) -> Case:
        """Return a case as training and evaluation take it, loaded when it is needed."""
        return Case(record.name, GROUP, partial(self.load, record), tuple(record.structures), record.patient)

    def part_of(self, patient: str) -> Part:
        """Return the part of a patient: what was decided once, else the one of a newcomer.

        Raises:
            CaseError: what was decided cannot be read.
        """
        return self._place_of(patient)[0]

    def _place_of(self, patient: str) -> tuple[Part, int]:
        """Return the part of a patient, and the generation of the gate."""
        path = self._patient_folder(patient) / PLACE
        if path.is_file():
            return parse_place(path.read_bytes())
        records = self.all_records()
        for record in records:
            if record.patient == patient:
                return record.part, record.generation
        newest = open_generation(self.folder.parent)
        gate = {one.patient for one in records if belongs(one, newest) and one.status is Status.ADMITTED}
        part = part_for(patient, len(gate), self.limits)
        return part, newest if part is Part.GATE else 1

    def _keep_place(self, patient: str, part: Part, generation: int) -> None:
        """Have a patient's part stand when no case does any more: who was learnt from is never the gate's."""
        path = self._patient_folder(patient) / PLACE
        if not path.is_file():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, encode_place(part, generation))

    def file(self, new: NewCase, case: LabelledCt, at: datetime) -> CaseRecord:
        """File a case: admitted if there is no reason against it, else set aside; the same source twice is one case.

        Args:
            new: what is known of it.
            case: the CT with the organs.
            at: UTC.

        Raises:
            OSError: the disk refuses.
            CaseError: a record of the patient cannot be read.
        """
        before = self._of_patient(new.patient)
        for record in before:
            if record.source == new.source:
                return record
        status = Status.SET_ASIDE if new.reasons else Status.ADMITTED
        why = "; ".join(new.reasons) or "nothing speaks against it"
        part, generation = self._place_of(new.patient)
        record = CaseRecord(
            **vars(new),
            revision=max((record.revision for record in before), default=0) + 1,
            filed=at,
            part=part,
            generation=generation,
            history=(Ruling(at, status, ADMISSION, why),),
            ct_digest=digest_of(case),
        )
        self._keep_place(new.patient, part, generation)
        self._write(record, lambda folder: save_arrays(folder / ARRAYS, case))
        return record

    def decide(self, name: str, status: Status, *, by: str, why: str, at: datetime) -> CaseRecord:
        """Have a person's word of a case hold, and keep it with the case.

        Args:
            name: of the case.
            status: admitted or rejected.
            by: the person.
            why: in words.
            at: UTC.

        Raises:
            CaseError: there is no such case, it was replaced, or another case of the patient is admitted.
            OSError: the disk refuses.
        """
        record = self.record(name)
        current = [one for one in self.records() if one.patient == record.patient]
        if record.name not in {one.name for one in current}:
            raise CaseError(f"{name} was replaced by a later set on the same CT")
        admitted = [one.name for one in current if one.status is Status.ADMITTED and one.name != name]
        if status is Status.ADMITTED and admitted:
            raise CaseError(f"of this patient {admitted[0]} is admitted, and one case of a patient is learnt from")
        decided = replace(record, history=(*record.history, Ruling(at, status, by, why)))
        write_whole(self.path_of(name) / RECORD, encode_record(decided))
        return decided

    def forget(self, patient: str) -> tuple[str, ...]:
        """Destroy everything of a patient, what was replaced and what was never finished too.

        Returns:
            the names of the cases that there were.

        Raises:
            OSError: the disk refuses.
        """
        folder = self._patient_folder(patient)
        self._end_forgetting()
        if not folder.is_dir():
            return ()
        names = tuple(f"{patient}-{path.name}" for path in folder.iterdir() if path.name.isdigit())
        self._destroy(folder)
        return names

    def forget_ct(self, ct: str) -> tuple[str, ...]:
        """Destroy every case on a CT, by the pseudonym of its series; return their names.

        Raises:
            OSError: the disk refuses.
            CaseError: a record cannot be read.
        """
        self._end_forgetting()
        mine = self.on_ct(ct)
        self._destroy_cases(mine)
        return tuple(record.name for record in mine)

    def on_ct(self, ct: str) -> tuple[CaseRecord, ...]:
        """Return every revision on a CT, by the pseudonym of its series.

        Raises:
            CaseError: a record cannot be read.
        """
        return tuple(record for record in self.all_records() if record.ct == ct)

    def purge(self, before: datetime) -> tuple[str, ...]:
        """Destroy what was replaced or rejected and filed before a time; return the names.

        Raises:
            OSError: the disk refuses.
            CaseError: a record cannot be read.
        """
        old = self.old(before)
        self._destroy_cases(old)
        return tuple(record.name for record in old)

    def old(self, before: datetime) -> tuple[CaseRecord, ...]:
        """Return what was replaced or rejected and filed before a time.

        Raises:
            CaseError: a record cannot be read.
        """
        current = {record.name for record in self.records() if record.status is not Status.REJECTED}
        return tuple(record for record in self.all_records() if record.name not in current and record.filed < before)

    def export(self, name: str, out: Path) -> Path:
        """Copy a case to a folder of its name under `out`, as it lies in the store; return that folder.

        Raises:
            CaseError: there is no such case, or the folder is there already.
            OSError: the disk refuses.
        """
        record, target = self.record(name), out / name
        if target.exists():
            raise CaseError(f"{target} is there already")
        shutil.copytree(self.path_of(record.name), target)
        return target

    def settle(self) -> None:
        """Remove what was left half done; only for whoever files, as nobody else does at that time."""
        for path in [*self.folder.glob(".*"), *self.folder.glob("*/.*")]:
            shutil.rmtree(path)

    def path_of(self, name: str) -> Path:
        """Return the folder of a case.

        Raises:
            CaseError: this cannot be the name of one.
        """
        patient, _, revision = name.rpartition("-")
        if not revision.isdecimal():
            raise CaseError(f"there is no case {name}")
        return self._patient_folder(patient) / revision

    def _patient_folder(self, patient: str) -> Path:
        if not (patient.isascii() and patient.isalnum()):  # nothing that leads out of the store
            raise CaseError(f"{patient!r} is no pseudonym")
        return self.folder / patient

    def _revisions(self, patient: str = "*") -> Iterator[Path]:
        found = self.folder.glob(f"{patient}/*/")
        whole = [path for path in found if path.name.isdigit() and not path.parent.name.startswith(".")]
        yield from sorted(whole, key=lambda path: (path.parent.name, int(path.name)))

    def _read(self, patient: str = "*") -> Iterator[CaseRecord]:
        for path in self._revisions(patient):
            try:
                content = (path / RECORD).read_bytes()
            except FileNotFoundError:  # its patient was forgotten since the folder was listed
                continue
            yield parse_record(content)

    def _of_patient(self, patient: str) -> list[CaseRecord]:
        return list(self._read(self._patient_folder(patient).name))

    def _write(self, record: CaseRecord, write_arrays: Callable[[Path], None]) -> None:
        """Have a revision appear whole."""
        folder = self.path_of(record.name)
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = folder.with_name(f".{uuid4().hex}")
        unfinished.mkdir(mode=0o700)
        try:
            write_arrays(unfinished)
            write_whole(unfinished / RECORD, encode_record(record))
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        for each in (folder.parent, self.folder, self.folder.parent):
            _sync(each)

    def _destroy_cases(self, records: Sequence[CaseRecord]) -> None:
        """Destroy cases whose patients are not forgotten: their part stays."""
        for record in records:
            self._keep_place(record.patient, record.part, record.generation)
            self._destroy(self.path_of(record.name))

    def _destroy(self, folder: Path) -> None:
        """Let a folder be gone whole at once, then its bytes."""
        gone = self.folder / f".{uuid4().hex}"
        folder.rename(gone)
        for each in {folder.parent, self.folder}:
            _sync(each)
        shutil.rmtree(gone)

    def _end_forgetting(self) -> None:
        """Remove the bytes of what somebody destroyed who was killed at it."""
        for unfinished in self.folder.glob(".*"):
            shutil.rmtree(unfinished)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
