"""What every step of a night works with: the run, the cases, the models, the settings, and who asks it to give way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from adaptation.cases import CaseStore
from adaptation.dossier import Limits
from adaptation.errors import AdaptationError, Paused
from adaptation.labelled_ct import Case
from adaptation.night_settings import NightSettings
from adaptation.run_plan import Learner, PlannedCase
from adaptation.runs import Run, Runs
from adaptation.team import ALONE, Team
from segmentation.bundle import bundle_digest, verify_bundle
from segmentation.errors import BundleError
from segmentation.golden import golden_volume
from segmentation.network.engine import Engine
from segmentation.registry import Registry
from segmentation.registry_version import Version
from segmentation.volume import Volume


@dataclass(frozen=True)
class Night:
    """One run, for those who do a step of it.

    Args:
        root: folder of runs, features and scores.
        name: of the run.
        store: of the cases.
        registry: of the versions.
        model: name under which versions are kept.
        base: bundle that every run begins with: the site's or the shipped one.
        settings: how to adapt.
        limits: what is demanded.
        source: cases of the kind that the base was made from, in the order in which they are taken.
        device: that trains and judges.
        engine: that computes the models that are judged, both of them; trainings are torch's.
        by: the person who asked for the run; empty for the schedule.
        force: whether what only has to be waited for is not waited for.
        promotes: whether a candidate that passed goes into service by itself.
        objection: why the node will not have a version in service, in words; nothing where it will.
        clock: the present time, in UTC.
        seconds: of a clock that only goes on.
        must_pause: whether clinical work waits.
        team: of processes that train.
        software: what runs, by name, with version.
        golden: the CT on which a candidate's files are looked at.
    """

    root: Path
    name: str
    store: CaseStore
    registry: Registry
    model: str
    base: Path
    settings: NightSettings
    limits: Limits
    clock: Callable[[], datetime]
    seconds: Callable[[], float]
    source: tuple[Case, ...] = ()
    device: str = "auto"
    engine: Engine = "auto"
    by: str = ""
    force: bool = False
    promotes: bool = False
    objection: Callable[[Version], str] = lambda _version: ""
    must_pause: Callable[[], bool] = lambda: False
    team: Team = ALONE
    software: Mapping[str, str] = field(default_factory=dict)
    golden: Callable[[], Volume] = golden_volume

    @property
    def runs(self) -> Runs:
        """All runs."""
        return Runs(self.root / "runs")

    @property
    def run(self) -> Run:
        """This one."""
        return self.runs.run(self.name)

    @property
    def candidate(self) -> Path:
        """The bundle that the training writes."""
        return self.run.work / "candidate"

    def give_way(self) -> None:
        """Stop behind a piece of work where clinical work waits; what was kept is gone on from.

        Raises:
            Paused: it waits.
        """
        if self.must_pause():
            raise Paused("clinical work waits")

    def case_of(self, planned: PlannedCase) -> Case:
        """Return a case of the plan.

        Raises:
            CaseError: it is not in the store any more.
        """
        return self.store.case_of(self.store.record(planned.name))

    @property
    def regression(self) -> tuple[Case, ...]:
        """The source's cases on which it is seen what is forgotten; never learnt from."""
        return self.source[: self.limits.gate.base_cases]

    @property
    def replay(self) -> tuple[Case, ...]:
        """The source's cases that are learnt from, so that they are not forgotten."""
        first = self.limits.gate.base_cases
        return self.source[first : first + self.settings.source_cases]


def learner_of(folder: Path) -> Learner:
    """Return a bundle as a plan names it.

    Raises:
        BundleError: it does not verify.
    """
    manifest = verify_bundle(folder)
    return Learner(str(folder), bundle_digest(manifest), f"{manifest.name} {manifest.version}")


def folder_of(learner: Learner) -> Path:
    """Return the folder of a bundle that a plan names.

    Raises:
        AdaptationError: it is not the bundle that the run was planned with.
    """
    try:
        if bundle_digest(verify_bundle(Path(learner.folder))) == learner.digest:
            return Path(learner.folder)
    except BundleError as error:
        raise AdaptationError(str(error)) from error
    raise AdaptationError(f"{learner.name} is not the bundle that the run was planned with")
