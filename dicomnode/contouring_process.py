"""The child process that holds the model: one JSON request a line on its standard input, one answer a line.

It lives apart from the daemon so that a hang, a crash in a library or a lack of memory costs one series a second try,
and nothing else. What it is asked is in `ANSWERS`; what it answers always has an `outcome`: "done" with the values,
"refused" with the reasons why this series cannot be contoured, "failed" with what went wrong.
"""

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from dicomnode.contourer import KEY_FILE, LOG_FORMAT, LOG_LEVEL, MEMORY_LIMIT
from dicomnode.log import Pseudonyms, load_or_create_key, set_logging_up
from segmentation.autocontour import Output, contour_files, write_outputs
from segmentation.contouring import load_contouring, save_contouring
from segmentation.device import choose_device, describe_device
from segmentation.errors import NotThisModelError, SegmentationError, SeriesError, StructureSetError
from segmentation.golden import check_golden_case
from segmentation.predict import Predictor, load_predictor
from segmentation.profiles import profile_named
from segmentation.structure_set_identity import StructureSetIdentity
from segmentation.structures import Appearance

Answer = dict[str, Any]
FAILURE_CODE = 70  # of BSD's sysexits: the process cannot be trusted any more and asks to be replaced


@lru_cache(maxsize=1)
def predictor_of(folder: str, digest: str, device: str) -> Predictor:  # noqa: ARG001 (a changed bundle is another entry)
    """Return the loaded model; it stays until another one is asked for."""
    return load_predictor(Path(folder), device)


def contour(request: Answer) -> Answer:
    """Draw the organs on a series and keep them in a file."""
    predictor = predictor_of(request["bundle"], request["bundle_digest"], request["device"])
    contouring = contour_files([Path(path) for path in request["paths"]], predictor, insist=request["insist"])
    save_contouring(contouring, Path(request["out"]))
    return {
        "not_found": list(contouring.not_found),
        "notes": list(contouring.notes),
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
    predictor = predictor_of(request["bundle"], request["bundle_digest"], request["device"])
    outcome = check_golden_case(predictor, Path(request["kept"]))
    return {**asdict(outcome), "device": str(predictor.device)}


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


def end_with(parent: int) -> None:
    """End this process when its daemon has died: one that hangs would never see that its pipe was closed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(FAILURE_CODE)


def main() -> None:
    """Answer until the daemon closes the pipe."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    # Libraries may print: the answers have a pipe of their own, and what is printed goes to the log.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    key = os.environ.get(KEY_FILE)
    if key:
        # Warnings of libraries may hold values of a data set.
        form, level = os.environ.get(LOG_FORMAT, "auto"), os.environ.get(LOG_LEVEL, "INFO")
        set_logging_up(form, level, Pseudonyms(load_or_create_key(Path(key))))
    limit = int(os.environ.get(MEMORY_LIMIT, "0"))
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except MemoryError:
            answers.write(json.dumps({"outcome": "failed", "text": "out of memory", "retry": True}) + "\n")
            sys.exit(FAILURE_CODE)
        except RuntimeError as error:
            # torch has no class of its own for most of what goes wrong; its messages hold shapes and sizes, no patient.
            text = f"the network failed: {str(error).splitlines()[0][:200]}"
            answers.write(json.dumps({"outcome": "failed", "text": text, "retry": True}) + "\n")
            sys.exit(FAILURE_CODE)
        answers.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
