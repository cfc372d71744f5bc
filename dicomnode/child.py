"""The loop of a child process: a JSON request a line on its standard input, an answer a line, until the pipe closes."""

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dicomnode.contourer import KEY_FILE, LOG_FORMAT, LOG_LEVEL, MEMORY_LIMIT
from dicomnode.log import Pseudonyms, load_or_create_key, set_logging_up

Answer = dict[str, Any]
FAILURE_CODE = 70  # of BSD's sysexits: the process cannot be trusted any more and asks to be replaced


def end_with(parent: int) -> None:
    """End this process when its daemon has died: one that hangs would never see that its pipe was closed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(FAILURE_CODE)


def node_pseudonyms() -> Pseudonyms | None:
    """Return the node's pseudonyms, None where this process was not told of its key."""
    key = os.environ.get(KEY_FILE)
    return Pseudonyms(load_or_create_key(Path(key))) if key else None


def answer_requests(answer: Callable[[Answer], Answer]) -> None:
    """Answer until the daemon closes the pipe.

    Args:
        answer: what comes of a request, with its `outcome`; what leaves the process unfit is raised.
    """
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    # Libraries may print: the answers have a pipe of their own, and what is printed goes to the log.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if (pseudonyms := node_pseudonyms()) is not None:
        # Warnings of libraries may hold values of a data set.
        form, level = os.environ.get(LOG_FORMAT, "auto"), os.environ.get(LOG_LEVEL, "INFO")
        set_logging_up(form, level, pseudonyms)
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
