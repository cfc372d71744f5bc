"""What a series that went quiet needs: to be held, contoured, sent again, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from dicomnode.blinding import is_chosen
from dicomnode.errors import ConfigurationError, TransitionError
from dicomnode.identity import segmentation_uid, structure_set_uid
from dicomnode.ledger import Ledger
from dicomnode.log import Pseudonyms
from dicomnode.models import Model, Models
from dicomnode.peers import Peer, find_peer
from dicomnode.records import ReceivedInstance, ResultRecord, SeriesRecord
from dicomnode.routing import Rule
from dicomnode.series import State, content_digest
from dicomnode.structure_settings import StructureSettings, writing_settings
from segmentation.ct_header import parse_slice_header, read_headers
from segmentation.errors import BundleError, SeriesError
from segmentation.hold_reason import Reason
from segmentation.profiles import CLINICAL, PROFILES
from segmentation.series_check import check_series

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Route:
    """What the rules say about a series: with which model, and where the result goes."""

    rule: Rule
    peers: tuple[str, ...]


@dataclass(frozen=True)
class Dispatch:
    """One instance that is made of a series, and who gets it.

    Args:
        modality: RTSTRUCT or SEG.
        profile: for whom a structure set is written.
        peers: AE titles.
    """

    modality: str
    profile: str
    peers: tuple[str, ...]


class Examiner:
    """Looks at a series that is whole and decides what becomes of it.

    Args:
        ledger: where the decision is written, with the work that it calls for.
        data_dir: which the paths of instances are relative to.
        rules: of the configuration.
        peers: of the configuration.
        structures: how the site names and shows the organs.
        models: where they are looked for.
        minimum_slices: fewer are held.
        pseudonyms: by which the log speaks of a series.
        blind_share: share of the patients who are contoured blind.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        data_dir: Path,
        rules: Sequence[Rule],
        peers: Sequence[Peer],
        structures: StructureSettings,
        models: Models,
        minimum_slices: int,
        pseudonyms: Pseudonyms,
        blind_share: float = 0.0,
    ) -> None:
        self._ledger = ledger
        self._data_dir = data_dir
        self._rules = {rule.name: rule for rule in rules}
        self._peers = tuple(peers)
        self.structures = structures
        self.models = models
        self._minimum_slices = minimum_slices
        self._pseudonyms = pseudonyms
        self._blind_share = blind_share

    def paths_of(self, instances: Sequence[ReceivedInstance]) -> list[Path]:
        """Return the files of instances."""
        return [self._data_dir / instance.path for instance in instances]

    def route_of(self, record: SeriesRecord, instances: Sequence[ReceivedInstance]) -> Route:
        """Return the route of a series.

        Raises:
            ConfigurationError: if its instances matched several rules, or one that the configuration no longer has.
        """
        names = sorted({instance.rule for instance in instances})
        if len(names) != 1:
            raise ConfigurationError([f"the slices of the series matched {len(names)} rules: {'; '.join(names)}"])
        rule = self._rules.get(names[0])
        if rule is None:
            raise ConfigurationError([f"the rule {names[0]}, which the series matched, is no longer configured"])
        return Route(rule, rule.send_to or (record.calling_ae_title,))

    def dispatches_of(self, route: Route) -> tuple[Dispatch, ...]:
        """Return what is made of a series on this route, and for whom.

        A structure set in each profile that the peers ask for, and a segmentation if one of them may receive it.
        """
        structure_sets: dict[str, list[str]] = {}
        segmentations: list[str] = []
        for ae_title in route.peers:
            peer = find_peer(self._peers, ae_title)
            if peer and peer.allows("receive_segmentations"):
                segmentations.append(ae_title)
                if not peer.allows("receive_results"):
                    continue
            profile = PROFILES[peer.profile] if peer else CLINICAL
            structure_sets.setdefault(profile.name, []).append(ae_title)
        wanted = [Dispatch("RTSTRUCT", profile, tuple(peers)) for profile, peers in structure_sets.items()]
        return (*wanted, *([Dispatch("SEG", CLINICAL.name, tuple(segmentations))] if segmentations else []))

    def uid_of(self, dispatch: Dispatch, content: str, model_digest: str) -> str:
        """Return the SOP Instance UID of what a model makes of a series of this content."""
        uid = structure_set_uid(content, model_digest, writing_settings(dispatch.profile, self.structures))
        return segmentation_uid(uid) if dispatch.modality == "SEG" else uid

    def model_of(self, route: Route) -> Model:
        """Return the model that a route names; raises as `model_named`."""
        return self.model_named(route.rule.bundle)

    def model_named(self, name: str) -> Model:
        """Return the model of this name, its files verified.

        Raises:
            BundleError: if it does not verify.
            ConfigurationError: if there is none.
        """
        return self.models.find(name)

    def examine(self, record: SeriesRecord) -> None:
        """Decide what a series that went quiet needs."""
        instances = self._ledger.instances_of(record.series_instance_uid)
        content = content_digest(instance.sha256 for instance in instances)
        is_known = record.completed is not None and record.content == content
        if is_known and not self._ledger.all_came_again(record):
            # A sender that repeats a few slices after a lost connection brings nothing new.
            self._ledger.settle(record.id)
            return
        released = is_known and record.released
        reasons, patient = self._look(record, instances)
        held = [reason for reason in reasons if not (released and reason.releasable)]
        if held:
            self._hold(record, content, held)
        elif is_known and (same := self._same_results(record, instances)):
            if self.is_blind(record):
                self.tell_blind(record)  # whoever sent it again may wait for contours
                self._ledger.settle(record.id)
                return
            log.info("a series came again whole: its structure set is sent again", series=self._name(record))
            for result, peers in same:
                self._ledger.deliver_again(result.id, peers)
        else:
            log.info("a series is whole", series=self._name(record), slices=len(instances))
            self._ledger.complete(record.id, content, released=released, patient=patient)

    def is_blind(self, record: SeriesRecord) -> bool:
        """Whether nobody is to see our contours of a series: not once somebody has got any of the patient."""
        chosen = not record.released and is_chosen(record.patient, self._blind_share)
        return chosen and self._ledger.first_delivery_of(record.patient) is None

    def tell_blind(self, record: SeriesRecord) -> None:
        """Tell the operator that no contours of a series will come, and what to do where they are needed."""
        name = self._name(record)
        log.warning("a series is contoured blind: its structure set is kept and not sent", series=name)
        text = (
            f"series {name} is contoured blind, so that the physician draws from nothing: no contours will come;"
            f" `series release {name}` has them sent"
        )
        self._ledger.raise_alarm("blind", text, name)

    def release(self, record: SeriesRecord) -> None:
        """Have a series that is held or blind contoured in the operator's name, and sent.

        Raises:
            TransitionError: if it is neither, or for a reason that nobody can release.
        """
        if record.state not in (State.HELD, State.BLIND):
            raise TransitionError(f"the series is {record.state}, not held or blind: there is nothing to release")
        instances = self._images_of(record)
        reasons, patient = self._look(record, instances)
        final = [reason.text for reason in reasons if not reason.releasable]
        if final:
            raise TransitionError(f"the series cannot be contoured: {'; '.join(final)}")
        content = content_digest(instance.sha256 for instance in instances)
        self._ledger.complete(record.id, content, released=True, patient=patient)

    def recontour(self, record: SeriesRecord) -> None:
        """Have a series contoured once more with the model that is in service.

        Raises:
            TransitionError: if it is held, still arriving or already on its way, or its images were purged.
        """
        if record.state in (State.HELD, State.RECEIVING, State.COMPLETE):
            raise TransitionError(f"the series is {record.state}: it cannot be contoured again now")
        self._images_of(record)
        self._ledger.complete(record.id, record.content, released=record.released)

    def resend(self, record: SeriesRecord) -> None:
        """Send what was last made of a series again.

        Raises:
            TransitionError: if there is nothing, or none of it is what the peers get by the present configuration,
                or the series is blind, or its images were purged.
        """
        results = self._ledger.results_of(record.id)
        if not results:
            raise TransitionError("the series has no structure set yet")
        if record.state is State.BLIND or self.is_blind(record):
            raise TransitionError("the series is contoured blind: `series release` has its structure set sent")
        instances = self._images_of(record)
        newest = max(result.generation for result in results)
        peers_of = {
            (each.modality, each.profile): each.peers for each in self.dispatches_of(self.route_of(record, instances))
        }
        again = [
            (result.id, peers_of[result.modality, result.profile])
            for result in results
            if result.generation == newest and (result.modality, result.profile) in peers_of
        ]
        if not again:
            raise TransitionError("the peers get another profile now: contour the series again")
        for result_id, peers in again:
            self._ledger.deliver_again(result_id, peers)

    def _same_results(
        self, record: SeriesRecord, instances: Sequence[ReceivedInstance]
    ) -> list[tuple[ResultRecord, tuple[str, ...]]]:
        """Return what the model in service has already made of this content, and for whom; nothing if not all of it."""
        route = self.route_of(record, instances)
        digest = self.model_of(route).digest
        same = []
        for dispatch in self.dispatches_of(route):
            result = self._ledger.find_result(self.uid_of(dispatch, record.content, digest))
            if result is None or not (self._data_dir / result.path).is_file():
                return []
            same.append((result, dispatch.peers))
        return same

    def _images_of(self, record: SeriesRecord) -> list[ReceivedInstance]:
        """Return the instances of a series.

        Raises:
            TransitionError: if they were purged.
        """
        instances = self._ledger.instances_of(record.series_instance_uid)
        if not instances:
            raise TransitionError("the images of the series were purged: it must be sent again")
        return instances

    def _look(self, record: SeriesRecord, instances: Sequence[ReceivedInstance]) -> tuple[list[Reason], str]:
        """Return what stands against contouring a series, and whose it is: the keyed digest of the Patient ID."""
        reasons: list[Reason] = []
        try:
            self.model_of(self.route_of(record, instances))
        except (ConfigurationError, BundleError) as error:
            reasons.append(Reason("no-route", str(error), releasable=False))
        try:
            headers = [parse_slice_header(ds) for ds in read_headers(self.paths_of(instances))]
        except SeriesError as error:
            return [*reasons, *(Reason("unreadable", text, releasable=False) for text in error.reasons)], ""
        except OSError as error:
            return [*reasons, Reason("unreadable", f"a slice cannot be read: {error.strerror}", releasable=False)], ""
        patient = headers[0].patient_id.strip()
        identity = self._pseudonyms.identity_of(patient) if patient else ""
        return [*reasons, *check_series(headers, minimum_slices=self._minimum_slices)], identity

    def _hold(self, record: SeriesRecord, content: str, reasons: Sequence[Reason]) -> None:
        words = [reason.text for reason in reasons]
        self._ledger.hold(record.id, words, content=content)
        name = self._name(record)
        log.warning("a series is held", series=name, reasons=words)
        self._ledger.raise_alarm("held", f"series {name} is held: {'; '.join(words)}", name)

    def _name(self, record: SeriesRecord) -> str:
        return self._pseudonyms.of(record.series_instance_uid)
