"""Rules of the lint about attributes: that they fit their VR, and hold what the Standard lists (pure)."""

import re
from collections.abc import Iterator

from segmentation.lint_rule import Fault, Rule, Severity
from segmentation.lint_subject import Subject
from segmentation.lint_values import places, raw_bytes, text_of

LONGEST_DS = 16  # bytes, PS3.5 6.2
LONGEST_EXPLICIT = 65534  # bytes of a value with a 16-bit length, PS3.5 7.1.2
TOO_LONG = re.compile(rb"[^\\]{%d}" % (LONGEST_DS + 1))
DECIMAL = re.compile(rb" *[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)? *", re.ASCII)
PLAIN = re.compile(rb"(-?\d+(\.\d+)?\\)*-?\d+(\.\d+)? ?", re.ASCII)  # what nearly all are, seen at one look
INTERPRETED_TYPES = frozenset(
    {  # PS3.3 C.8.8.8.1, with OAR of the newer editions and DEVICE of CP-2343
        *("EXTERNAL", "PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN"),
        *("MARKER", "REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY"),
        *("BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "SUPPORT", "FIXATION", "DOSE_REGION", "CONTROL"),
        *("DOSE_MEASUREMENT", "DEVICE"),
    }
)
GENERATION_ALGORITHMS = frozenset({"AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"})  # PS3.3 C.8.8.5
APPROVAL_STATUSES = frozenset({"APPROVED", "UNAPPROVED", "REJECTED"})  # PS3.3 C.8.8.16
REVIEW = ("ReviewDate", "ReviewTime", "ReviewerName")


def _ds_length(subject: Subject) -> Iterator[Fault]:
    for path, vr, value in subject.elements:
        if vr == "DS" and TOO_LONG.search(value):
            lengths = [len(part.rstrip(b" \0")) for part in value.split(b"\\")]
            long = sum(length > LONGEST_DS for length in lengths)
            if long:
                said = f"{long} of {len(lengths)} decimal strings are longer than 16 bytes, the longest {max(lengths)}."
                yield path, said


def _ds_text(subject: Subject) -> Iterator[Fault]:
    for path, vr, value in subject.elements:
        if vr == "DS" and not PLAIN.fullmatch(value):
            parts = value.rstrip(b"\0").split(b"\\")
            bad = sum(not DECIMAL.fullmatch(part) for part in parts if part.strip())
            if bad:
                yield path, f"{bad} of {len(parts)} values are no decimal strings."


def _even(subject: Subject) -> Iterator[Fault]:
    for path, vr, value in subject.elements:
        if vr != "SQ" and len(value) % 2:
            yield path, f"The value is {len(value)} bytes long, an odd number."


def _contour_data_length(subject: Subject) -> Iterator[Fault]:
    for contour in subject.every_contour:
        length = len(raw_bytes(contour.item, "ContourData") or b"")
        if length >= LONGEST_EXPLICIT:
            said = f"It is {length} bytes long: an explicit VR cannot say that of a DS, and toolkits make it UN."
            yield f"{contour.path}.ContourData", said


def _label_length(subject: Subject) -> Iterator[Fault]:
    length = len(text_of(subject.ds, "StructureSetLabel", subject.encodings))
    if length > 16:
        yield "StructureSetLabel", f"It has {length} characters, a short string (SH) at most 16."


def _observation_label_length(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ("RTROIObservationsSequence",)):
        length = len(text_of(item, "ROIObservationLabel", subject.encodings))
        if length > 16:
            yield f"{path}ROIObservationLabel", f"It has {length} characters, a short string (SH) at most 16."


def _name_too_long(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ("StructureSetROISequence",)):
        length = len(text_of(item, "ROIName", subject.encodings))
        if length > 64:
            yield f"{path}ROIName", f"It has {length} characters, a long string (LO) at most 64."


def _name_length(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ("StructureSetROISequence",)):
        length = len(text_of(item, "ROIName", subject.encodings))
        if 16 < length <= 64:
            yield f"{path}ROIName", f"It has {length} characters; systems that keep 16 cut it off."


def _approval_status(subject: Subject) -> Iterator[Fault]:
    status = text_of(subject.ds, "ApprovalStatus")
    if "ApprovalStatus" in subject.ds and status not in APPROVAL_STATUSES:
        yield "ApprovalStatus", f"It is {status!r}, and may be APPROVED, UNAPPROVED or REJECTED."


def _review(subject: Subject) -> Iterator[Fault]:
    status = text_of(subject.ds, "ApprovalStatus")
    for keyword in REVIEW:
        if status in {"APPROVED", "REJECTED"} and keyword not in subject.ds:
            yield keyword, f"It is missing, although the approval status is {status}."


def _review_of_nothing(subject: Subject) -> Iterator[Fault]:
    status = text_of(subject.ds, "ApprovalStatus")
    for keyword in REVIEW:
        if status not in {"APPROVED", "REJECTED"} and text_of(subject.ds, keyword):
            yield keyword, f"There is a review, although the approval status is {status or 'missing'}."


def _colour(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ("ROIContourSequence",)):
        parts = text_of(item, "ROIDisplayColor").split("\\")
        is_good = len(parts) == 3 and all(part.strip().isdecimal() and int(part) <= 255 for part in parts)
        if "ROIDisplayColor" in item and not is_good:
            yield f"{path}ROIDisplayColor", "A colour is three whole numbers from 0 to 255."


def _interpreted_type(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ("RTROIObservationsSequence",)):
        kind = text_of(item, "RTROIInterpretedType")
        if kind and kind not in INTERPRETED_TYPES:
            yield f"{path}RTROIInterpretedType", f"{kind!r} is none of the Standard's defined terms."


def _interpreted_type_empty(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ("RTROIObservationsSequence",)):
        if "RTROIInterpretedType" in item and not text_of(item, "RTROIInterpretedType"):
            yield f"{path}RTROIInterpretedType", "It is empty: a TPS has to guess whether this is a target or an organ."


def _generation_algorithm(subject: Subject) -> Iterator[Fault]:
    for path, item in places(subject.ds, ("StructureSetROISequence",)):
        algorithm = text_of(item, "ROIGenerationAlgorithm")
        if algorithm and algorithm not in GENERATION_ALGORITHMS:
            yield f"{path}ROIGenerationAlgorithm", f"{algorithm!r} is none of the Standard's defined terms."


def _code_context(subject: Subject) -> Iterator[Fault]:
    for path, code in places(subject.ds, ("RTROIObservationsSequence", "RTROIIdentificationCodeSequence")):
        if text_of(code, "ContextIdentifier"):
            for keyword in ("MappingResource", "ContextGroupVersion"):
                if not text_of(code, keyword):
                    yield f"{path}{keyword}", "It is missing, and there is a Context Identifier (type 1C)."


ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
ATTRIBUTE_RULES = (
    Rule("ds-length", ERROR, "PS3.5 6.2", "A decimal string (DS) has at most 16 bytes.", _ds_length),
    Rule("ds-text", ERROR, "PS3.5 6.2", "A decimal string (DS) is a number.", _ds_text),
    Rule("even-length", ERROR, "PS3.5 7.1.1", "Every value has an even number of bytes.", _even),
    Rule(
        "contour-data-length",
        WARNING,
        "PS3.5 7.1.2; https://github.com/pydicom/pydicom/issues/903",
        "Contour Data has less than 65534 bytes.",
        _contour_data_length,
    ),
    Rule("label-length", ERROR, "PS3.5 6.2", "Structure Set Label has at most 16 characters.", _label_length),
    Rule(
        "observation-label-length",
        ERROR,
        "PS3.5 6.2",
        "ROI Observation Label has at most 16 characters.",
        _observation_label_length,
    ),
    Rule("name-too-long", ERROR, "PS3.5 6.2", "ROI Name has at most 64 characters.", _name_too_long),
    Rule(
        "name-length",
        WARNING,
        "AAPM TG-263 (Mayo et al. 2018), guiding principles",
        "ROI Name has at most 16 characters.",
        _name_length,
    ),
    Rule("approval-status", ERROR, "PS3.3 C.8.8.16", "Approval Status is one of the three.", _approval_status),
    Rule(
        "approval-review",
        ERROR,
        "PS3.3 C.8.8.16 (type 2C)",
        "What was approved or rejected says by whom and when.",
        _review,
    ),
    Rule("review-unapproved", WARNING, "PS3.3 C.8.8.16", "What was not reviewed says no review.", _review_of_nothing),
    Rule("colour", ERROR, "PS3.3 C.8.8.6", "ROI Display Color is three numbers from 0 to 255.", _colour),
    Rule(
        "interpreted-type",
        WARNING,
        "PS3.3 C.8.8.8.1",
        "RT ROI Interpreted Type is a defined term.",
        _interpreted_type,
    ),
    Rule(
        "interpreted-type-empty",
        NOTE,
        "PS3.3 C.8.8.8 (type 2); https://github.com/qurit/rt-utils/issues/73",
        "RT ROI Interpreted Type has a value.",
        _interpreted_type_empty,
    ),
    Rule(
        "generation-algorithm",
        WARNING,
        "PS3.3 C.8.8.5",
        "ROI Generation Algorithm is a defined term.",
        _generation_algorithm,
    ),
    Rule(
        "code-context",
        ERROR,
        "PS3.3 8.8 (Enhanced Encoding Mode)",
        "A code of an organ that names its context group says of whom and of which version.",
        _code_context,
    ),
)
