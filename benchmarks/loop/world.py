"""The node of the experiment, its patients, and its nights; time is the experiment's own."""

import json
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from adaptation.case_record import Status
from adaptation.labelled_ct import Case
from adaptation.learnt_from import read_learnt_from, write_learnt_from
from adaptation.night import Night
from benchmarks.loop.arrive import PARTS, arrive, node_of, path_of
from benchmarks.transfer.worlds import Centres, centres_of
from dicomnode.adapting import Asked, build_night
from dicomnode.config import Adaptation, Configuration, Contouring, Nights
from dicomnode.config import Node as NodeSection
from tests.support.node import Node, running
from tests.support.peer import receiving_peer

MODEL = "loop"
FIRST_NIGHT = datetime(2027, 1, 4, 21, 0, tzinfo=UTC)
SETTINGS = Path(__file__).with_name("loop.toml")


@dataclass(frozen=True)
class World:
    """One course of the experiment.

    Args:
        data: of OpenKBP.
        base: bundle that has seen no patient of the target.
        folder: of this course: the node's folder is in it.
    """

    data: Path
    base: Path
    folder: Path

    @cached_property
    def centres(self) -> Centres:
        """The patients, parted once and for all."""
        return centres_of("real", self.data)

    @property
    def arrived(self) -> Path:
        """The folder that says of each patient who came what became of the case."""
        return self.folder / "arrived"

    @property
    def bundles(self) -> Path:
        """The folder with a copy of the base, under the name of the model, which says whom it has learnt from.

        What is forgotten (G4) is seen on patients whom the base has not seen: on those that it has, it is better than
        on any others, and every candidate looks as if it forgot.
        """
        folder = self.folder / "bundles"
        if not (folder / MODEL).exists():
            shutil.copytree(self.base, folder / MODEL)
            if not read_learnt_from(self.base):
                write_learnt_from(folder / MODEL, [case.name for case in self.centres.source])
        return folder

    @contextmanager
    def day(self) -> Iterator[Node]:
        """Have the node run, and a planning system beside it that takes the results."""
        with (
            receiving_peer() as system,
            running(node_of(self.folder / "node", self.bundles, MODEL, system.peer)) as node,
        ):
            yield node

    def come(self, cases: Sequence[Case]) -> None:
        """Have patients arrive over DICOM, be contoured, and come back approved; those who came are not sent again."""
        missing = [case for case in cases if not path_of(case, self.arrived).exists()]
        if missing:
            with self.day() as node:
                arrive(node, missing, self.arrived)

    def come_until(self, count: int) -> int:
        """Have patients to learn from come until so many are admitted, or all have come; return how many are."""
        target, come = self.centres.target, count
        while True:
            self.come(target[:come])
            admitted = self._admitted(target[:come])
            if admitted >= count or come >= len(target):
                return admitted
            come += count - admitted

    def _admitted(self, cases: Sequence[Case]) -> int:
        states = [json.loads(path_of(case, self.arrived).read_text())["status"] for case in cases]
        return states.count(Status.ADMITTED.value)

    def configuration(self) -> Configuration:
        """Return the node's configuration: the shipped demands, but for those of `loop.toml`."""
        changed = tomllib.loads(SETTINGS.read_text())
        run, gate = changed.pop("run"), changed.pop("gate")
        nights = Nights(model=MODEL, source_dir=self.source(), auto_promote=True, training=changed, run=run, gate=gate)
        return Configuration(
            node=NodeSection(data_dir=self.folder / "node" / "data"),
            contouring=Contouring(bundle_dirs=(self.bundles,), device="cpu"),
            adaptation=Adaptation(parts=PARTS),
            nights=nights,
        )

    def source(self) -> Path:
        """Return a folder with patients of the source: those that the base never saw, and some that it did."""
        folder = self.folder / "source"
        if not folder.exists():
            folder.mkdir(parents=True)
            for case in (*self.centres.at_home, *self.centres.source[:20]):
                (folder / Path(case.where).name).symlink_to(Path(case.where).resolve())
        return folder

    def night(self, number: int, *, force: bool = False) -> Night:
        """Return a night by its number, from 1."""
        at = FIRST_NIGHT + timedelta(days=number - 1)
        return build_night(self.configuration(), Asked(f"{at:%Y-%m-%d}", "", force), clock=lambda: at)
