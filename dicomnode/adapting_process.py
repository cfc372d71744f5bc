"""The child process that adapts: one turn of a run, as a file asks for it; what came of it is in the run's folder.

`python -m dicomnode.adapting_process REQUEST`, or several of them by torchrun for a training that GPUs share.
"""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from adaptation.runs import Run
from adaptation.team import Team, device_of_process, team_of_torchrun
from dicomnode.adapting import Asked, build_night, take_turn
from dicomnode.config import Configuration
from dicomnode.contourer import KEY_FILE, LOG_FORMAT, LOG_LEVEL
from dicomnode.errors import AlreadyRunning
from dicomnode.log import Pseudonyms, load_or_create_key, set_logging_up
from dicomnode.nights import BUSY_CODE, held
from segmentation.device import choose_device


def turn(request: Path, team: Team) -> int:
    """Take one turn; return the exit code."""
    asked = json.loads(request.read_bytes())
    configuration = Configuration.model_validate(asked["configuration"])
    pause, daemon = Path(asked["pause"]), Path("/proc") / str(asked["daemon"])

    run = Run(request.parents[1])

    def must_pause() -> bool:
        # Without its daemon the next one takes the run up; it is ended from outside where a patient was forgotten.
        return pause.exists() or not daemon.exists() or run.is_ended

    try:
        with held(configuration.node.data_dir / "adaptation") if team.leads else nullcontext():
            night = build_night(configuration, Asked(**asked["asked"]), must_pause=must_pause, team=team)
            take_turn(night, alone=asked["alone"])
    except AlreadyRunning:
        return BUSY_CODE
    return 0


def main() -> None:
    """Take the turn that the command line names."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries may print
    key = os.environ.get(KEY_FILE)
    if key:
        form, level = os.environ.get(LOG_FORMAT, "auto"), os.environ.get(LOG_LEVEL, "INFO")
        set_logging_up(form, level, Pseudonyms(load_or_create_key(Path(key))))
    with team_of_torchrun(device_of_process(choose_device("auto"))) as team:
        code = turn(Path(sys.argv[1]), team)
    sys.exit(code)


if __name__ == "__main__":
    main()
