"""The child process that holds the model: one JSON request a line on its standard input, one answer a line.

It lives apart from the daemon so that a hang, a crash in a library or a lack of memory costs one series a second try,
and nothing else. What it is asked is in `ANSWERS`; what it answers always has an `outcome`: "done" with the values,
"refused" with the reasons why this series cannot be contoured, "failed" with what went wrong.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import structlog

from dicomnode.child import Answer, answer_requests
from segmentation.autocontour import Output, contour_files, write_outputs
from segmentation.contouring import load_contouring, save_contouring
from segmentation.device import choose_device, describe_device
from segmentation.errors import NotThisModelError, SegmentationError, SeriesError, StructureSetError
from segmentation.golden import check_golden_case
from segmentation.network.engine import Engine
from segmentation.predict import Predictor, load_predictor
from segmentation.profiles import profile_named
from segmentation.review import ReviewLimits, reasons_to_hold
from segmentation.structure_set_identity import StructureSetIdentity
from segmentation.structures import Appearance

log = structlog.get_logger(__name__)


def predictor_for(request: Answer) -> Predictor:
    """Return the model that a request names."""
    return predictor_of(request["bundle"], request["bundle_digest"], request["device"], request["engine"])


@lru_cache(maxsize=2)  # the model in service and the one in its shadow, which take turns
def predictor_of(folder: str, digest: str, device: str, engine: Engine) -> Predictor:  # noqa: ARG001 (a changed bundle is another entry)
    """Return the loaded model; it stays until two others were asked for."""
    predictor = load_predictor(Path(folder), device, engine)
    if predictor.fault:
        log.warning("another engine takes the place of OpenVINO", reason=predictor.fault, engine=predictor.engine)
    return predictor


def contour(request: Answer) -> Answer:
    """Draw the organs on a series and keep them in a file; what the site holds for review is refused."""
    predictor = predictor_for(request)
    contouring = contour_files([Path(path) for path in request["paths"]], predictor, insist=request["insist"])
    reasons = reasons_to_hold(contouring, ReviewLimits(**request.get("review", {})))
    if reasons and not request["insist"]:
        raise SeriesError(reasons)
    save_contouring(contouring, Path(request["out"]))
    return {
        "not_found": list(contouring.not_found),
        "notes": list(contouring.notes),
        "expected_dice": contouring.expected_dice,
        "implausible": list(contouring.doubts),
        "summary": contouring.summary,
        "engine": contouring.engine,
        "seconds": contouring.seconds,
        "organs": sorted(contouring.organs),
    }


def write(request: Answer) -> Answer:
    """Write what the peers get of the organs that `contour` kept."""
    contouring = load_contouring(Path(request["contouring"]))
    appearances = {name: Appearance(**shown) for name, shown in request["appearances"].items()}
    outputs = [
        Output(
            identity=StructureSetIdentity(
                **{**one["identity"], "created": datetime.fromisoformat(one["identity"]["created"])}
            ),
            out=Path(one["out"]),
            profile=profile_named(one["profile"], appearances),
            modality=one["modality"],
        )
        for one in request["outputs"]
    ]
    return asdict(write_outputs([Path(path) for path in request["paths"]], contouring, outputs))


def golden(request: Answer) -> Answer:
    """Contour the golden case and compare it with the kept result."""
    predictor = predictor_for(request)
    beside = Path(request["beside"]) if request["beside"] else None
    outcome = check_golden_case(predictor, Path(request["kept"]), beside)
    return {**asdict(outcome), "device": f"{predictor.device} by {predictor.engine}"}


def device(request: Answer) -> Answer:
    """Say what the network would run on."""
    return {"text": describe_device(choose_device(request["device"]))}


ANSWERS: dict[str, Callable[[Answer], Answer]] = {
    "contour": contour,
    "write": write,
    "golden": golden,
    "device": device,
}


def answer(request: Answer) -> Answer:
    """Return what came of a request; only what leaves the process unfit is raised."""
    try:
        return {"outcome": "done", **ANSWERS[request["ask"]](request)}
    except SeriesError as error:
        return {"outcome": "refused", "reasons": list(error.reasons)}
    except (NotThisModelError, StructureSetError) as error:
        return {"outcome": "refused", "reasons": [str(error)]}
    except (SegmentationError, OSError) as error:
        return {"outcome": "failed", "text": str(error), "retry": False}


if __name__ == "__main__":
    answer_requests(answer)
