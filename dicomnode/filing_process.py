"""The child process that makes cases of approved structure sets; it reads what others wrote, and loads no network.

What it is asked is in `ANSWERS`; its answers are those of the contouring process. It gives way to everything else on
the machine: nobody waits for a case.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from adaptation.admission_limits import AdmissionLimits
from adaptation.approved_set import ApprovedFiles
from adaptation.cases import CaseStore
from adaptation.errors import CaseError
from adaptation.filing import Filing, file_approved_set
from adaptation.limits import PartLimits
from dicomnode.child import Answer, answer_requests, node_pseudonyms
from segmentation.approval import ApprovalRule
from segmentation.approval_facts import approval_facts
from segmentation.errors import StructureSetError
from segmentation.names import own_names

GIVES_WAY = 10  # of 19, the niceness


def inspect(request: Answer) -> Answer:
    """Say what a structure set says of itself; of the patient only a keyed digest."""
    rule = ApprovalRule(**request["rule"])
    facts = approval_facts(dcmread(request["path"]), rule, calling_ae_title=request["calling_ae_title"])
    pseudonyms = node_pseudonyms()
    if pseudonyms is None:
        raise StructureSetError("the process was not told of the key of the pseudonyms")
    return {
        **asdict(facts.approval),
        "identity": pseudonyms.identity_of(facts.patient_id) if facts.patient_id else "",
        "studies": facts.studies,
        "series": facts.series,
        "images": facts.images,
        "reviewed": facts.reviewed,
    }


def file(request: Answer) -> Answer:
    """Make a case of a structure set and its CT."""
    pseudonyms = node_pseudonyms()
    if pseudonyms is None:
        raise CaseError("the process was not told of the key of the pseudonyms")
    filing = Filing(
        ApprovedFiles(
            Path(request["structure_set"]),
            tuple(Path(path) for path in request["slices"]),
            own_names(request["own_names"]),
            request["minimum_slices"],
        ),
        patient=request["patient"],
        ct=request["ct"],
        source=request["source"],
        at=datetime.fromisoformat(request["at"]),
        month=request["month"],
        sent=tuple((Path(path), digest) for path, digest in request["sent"]),
        withheld=tuple((Path(path), digest) for path, digest in request["withheld"]),
        limits=AdmissionLimits(**request["admission"]),
    )
    store = CaseStore(Path(request["store"]), PartLimits(**request["parts"]))
    store.settle()
    record = file_approved_set(filing, store, pseudonyms.of)
    return {
        "case": record.name,
        "status": record.history[0].status,
        "reasons": record.reasons,
        "origins": {organ: structure.origin for organ, structure in record.structures.items()},
    }


ANSWERS: dict[str, Callable[[Answer], Answer]] = {"inspect": inspect, "file": file}


def answer(request: Answer) -> Answer:
    """Return what came of a request; only what leaves the process unfit is raised."""
    try:
        return {"outcome": "done", **ANSWERS[request["ask"]](request)}
    except (CaseError, StructureSetError) as error:
        return {"outcome": "refused", "reasons": [str(error)]}
    except (InvalidDicomError, ValueError) as error:  # whose text may hold a value of the data set
        return {"outcome": "refused", "reasons": [f"the structure set cannot be read: {type(error).__name__}"]}
    except OSError as error:
        return {"outcome": "failed", "text": f"the disk refuses: {error.strerror}", "retry": False}


if __name__ == "__main__":
    os.nice(GIVES_WAY)
    answer_requests(answer)
