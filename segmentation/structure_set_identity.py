"""What the caller decides about a structure set: UIDs, label, times, and who drew it (pure).

Apart from the writer, so that a process that only decides need not load what draws.
"""

from dataclasses import dataclass, fields
from datetime import datetime

from segmentation.errors import StructureSetError

LONGEST = {  # characters, PS3.5 6.2
    "label": 16,
    "description": 1024,
    "series_description": 64,
    "model_name": 40,  # with the version in one LO of 64
    "model_version": 22,
    "model_digest": 64,
    "software_version": 64,
    "manufacturer": 64,
    "manufacturer_model_name": 64,
    "device_serial_number": 64,
    "institution_name": 64,
}


@dataclass(frozen=True)
class StructureSetIdentity:
    """What the caller decides about a structure set: nothing here is read from a clock or drawn at random.

    All texts are printable ASCII, which every character set of a CT holds; other letters are refused, not changed.

    Args:
        sop_instance_uid: new whenever CT, model or settings differ, the same for a repeat.
        series_instance_uid: one for each result, never the CT's.
        label: at most 16 characters, unique among those of a patient, as a TPS lists it.
        created: date and time that the file bears.
        model_name: at most 40 characters.
        model_version: at most 22 characters.
        model_digest: SHA-256 of the weights, hexadecimal.
        software_version: this program's.
        description: of the structure set, as whom it supersedes; at most 1024 characters.
        series_description: what a PACS lists.
        series_number: of the series.
        instance_number: of the structure set in its series.
        manufacturer: who made the software.
        manufacturer_model_name: what the software is called.
        device_serial_number: of this installation; left out where empty.
        institution_name: left out where empty.

    Raises:
        StructureSetError: for every text that does not fit, in one message.
    """

    sop_instance_uid: str
    series_instance_uid: str
    label: str
    created: datetime
    model_name: str
    model_version: str
    model_digest: str
    software_version: str
    description: str = ""
    series_description: str = "AI OAR - UNREVIEWED"
    series_number: int = 1
    instance_number: int = 1
    manufacturer: str = "dicomnode"
    manufacturer_model_name: str = "dicomnode"
    device_serial_number: str = ""
    institution_name: str = ""

    def __post_init__(self) -> None:
        texts = {field.name: getattr(self, field.name) for field in fields(self) if field.name in LONGEST}
        faults = [
            f"{name} {value!r} must be printable ASCII of at most {LONGEST[name]} characters, without a backslash"
            for name, value in texts.items()
            if not (value.isascii() and (value.isprintable() and "\\" not in value) and len(value) <= LONGEST[name])
        ]
        faults += [f"{name} must not be empty" for name in ("label", "model_name") if not texts[name].strip()]
        if faults:
            raise StructureSetError("; ".join(faults))
