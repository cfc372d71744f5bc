"""How the operator sees it on a terminal."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from dicomnode.commands.jobs import Job
from dicomnode.commands.series import SeriesView
from dicomnode.commands.status import Status
from dicomnode.log import Pseudonyms
from dicomnode.purge import Purged
from dicomnode.query import FoundSeries
from dicomnode.records import AlarmRecord, ApprovalRecord, ConflictRecord, DeliveryRecord, StructureSetRecord
from dicomnode.spool import MIB

KINDS = {"RTSTRUCT": "structure set", "SEG": "segmentation"}
NEWEST = 10  # rows of what only grows; `series list` shows all


def show_status(out: Console, status: Status) -> None:
    """Print the node at a glance: what needs a person first."""
    out.print("the node is running" if status.is_running else "[yellow]the node is not running[/]", soft_wrap=True)
    for model in status.models:
        if model.fault:
            out.print(f"[red]model {model.bundle}[/] ({escape(model.rule)}): {escape(model.fault)}", soft_wrap=True)
        if model.version:
            out.print(
                f"model {model.bundle} {model.version} ({model.digest[:12]}) for rule {escape(model.rule)}",
                soft_wrap=True,
            )
    if status.alarms:
        show_alarms(out, status.alarms)
    if status.conflicts:
        out.print(f"[yellow]{len(status.conflicts)} conflicts wait for a decision: `conflicts list`[/]", soft_wrap=True)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(status.states.items())) or "none yet"
    out.print(f"series: {counts}", soft_wrap=True)
    if status.series:
        show_series_list(out, status.series[-NEWEST:])
    if status.jobs:
        show_jobs(out, status.jobs)
    if status.received:
        _show_received(out, status.received[:NEWEST])
    _show_approvals(out, status.approvals)
    for rule, count in status.ignored.items():
        out.print(f"ignored by rule {escape(rule) or '(none matched)'}: {count} instances", soft_wrap=True)


def show_series_list(out: Console, views: Sequence[SeriesView]) -> None:
    """Print series, a line each."""
    table = Table("no.", _to_copy("series"), "slices", "from", "last received", "state", "why", title="series")
    for view in views:
        record = view.record
        why = "; ".join(record.reasons)
        table.add_row(
            str(record.id),
            view.pseudonym,
            str(view.slices),
            record.calling_ae_title,
            _time(record.last_received),
            str(record.state),
            escape(why),
        )
    out.print(table)


def show_series(out: Console, view: SeriesView, patient: tuple[str, str] | None) -> None:
    """Print one series with all that became of it."""
    record = view.record
    lines = {
        "series": f"{record.id}, pseudonym {view.pseudonym}",
        "Series Instance UID": record.series_instance_uid,
        "Study Instance UID": record.study_instance_uid,
        "slices": str(view.slices),
        "from": f"{record.calling_ae_title}, which called {record.called_ae_title}",
        "received": f"{_time(record.first_received)} to {_time(record.last_received)}",
        "state": f"{record.state}{', released by the operator' if record.released else ''}",
    }
    if patient is not None:
        lines |= {"patient ID": patient[0], "patient name": patient[1]}
    for key, value in lines.items():
        out.print(f"{key}: {escape(value)}", soft_wrap=True)
    for reason in record.reasons:
        out.print(f"  - {escape(reason)}", soft_wrap=True)
    for result in view.results:
        out.print(
            f"{KINDS[result.modality]} {result.label} ({result.profile}): {result.model_name} {result.model_version}, "
            f"{result.sop_instance_uid}"
        )
        volumes = ", ".join(f"{organ} {volume:.1f} cm³" for organ, volume in result.volumes_cm3.items())
        out.print(f"  {volumes}", soft_wrap=True)
        for note in result.notes:
            out.print(f"  {escape(note)}", soft_wrap=True)
        seconds = ", ".join(f"{stage} {value:.1f} s" for stage, value in result.seconds.items())
        out.print(f"  {seconds}", soft_wrap=True)
        for delivery in view.deliveries:
            if delivery.result_id == result.id:
                out.print(f"  {_delivery(delivery)}", soft_wrap=True)


def show_jobs(out: Console, jobs: Sequence[Job]) -> None:
    """Print pieces of work, a line each."""
    table = Table(
        _to_copy("job"),
        _to_copy("series"),
        "to",
        "state",
        "proof",
        "attempts",
        "next attempt",
        "what came of it",
        title="jobs",
    )
    for job in jobs:
        table.add_row(
            job.name,
            job.about,
            job.peer,
            job.state,
            job.proof,
            str(job.attempts),
            _time(job.next_attempt) if job.next_attempt else "",
            escape(job.detail),
        )
    out.print(table)


def show_alarms(out: Console, alarms: Sequence[AlarmRecord]) -> None:
    """Print open alarms, a line each."""
    table = Table("no.", "raised", "kind", "times", "what", title="[red]alarms[/]; `alarms acknowledge NO.`")
    for alarm in alarms:
        table.add_row(str(alarm.id), _time(alarm.raised), alarm.kind, str(alarm.count), escape(alarm.text))
    out.print(table)


def show_purged(out: Console, purged: Sequence[Purged]) -> None:
    """Print what was purged, or would be, a line each."""
    table = Table("what", "about", "old since", "files", "MiB", "rule")
    for one in purged:
        size = f"{one.size / MIB:.1f}"
        table.add_row(one.what, one.about, _time(one.since), str(one.files), size, one.rule)
    out.print(table)


def show_conflicts(out: Console, conflicts: Sequence[ConflictRecord], pseudonyms: Pseudonyms) -> None:
    """Print conflicts, a line each."""
    table = Table(
        "no.",
        _to_copy("instance"),
        _to_copy("series"),
        "from",
        "received",
        title="conflicts; `conflicts accept|reject NO.`",
    )
    for conflict in conflicts:
        table.add_row(
            str(conflict.id),
            pseudonyms.of(conflict.sop_instance_uid),
            pseudonyms.of(conflict.series_instance_uid),
            conflict.calling_ae_title,
            _time(conflict.received),
        )
    out.print(table)


def show_found(out: Console, found: Sequence[FoundSeries]) -> None:
    """Print the series that a peer says it has, a line each."""
    table = Table("modality", "instances", "description", Column("Series Instance UID", overflow="fold"))
    for one in found:
        count = "?" if one.instances is None else str(one.instances)
        table.add_row(escape(one.modality), count, escape(one.description), escape(one.series_instance_uid))
    out.print(table)


def _show_received(out: Console, received: Sequence[StructureSetRecord]) -> None:
    table = Table("received", "from", "label", "ROIs", "approval", "whose", title="structure sets that came in")
    for one in received:
        table.add_row(
            _time(one.received),
            one.calling_ae_title,
            escape(one.label),
            str(one.roi_count),
            one.approval_status,
            "ours, come back" if one.ours else "theirs",
        )
    out.print(table)


def _show_approvals(out: Console, approvals: Sequence[ApprovalRecord]) -> None:
    """Print structure sets on their way to a case, a line each; nothing where there are none."""
    if not approvals:
        return
    title = "structure sets on their way to a case; `adapt retry NO.`"
    table = Table("no.", "received", "state", "why", "looked at again", title=title)
    for one in approvals:
        again = _time(one.next_attempt) if one.next_attempt else ""
        table.add_row(str(one.id), _time(one.received), one.state, escape("; ".join(one.reasons)), again)
    out.print(table)


def _delivery(delivery: DeliveryRecord) -> str:
    status = "" if delivery.status is None else f", status {delivery.status:04X}"
    when = f" {_time(delivery.finished)}" if delivery.finished else ""
    detail = f": {escape(delivery.detail)}" if delivery.detail else ""
    proof = f", {delivery.proof}" if delivery.proof else ""
    return f"deliver-{delivery.id} to {delivery.peer}: {delivery.state}{when}{status}{proof}{detail}"


def _time(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"


def _to_copy(of: str) -> Column:
    """Return a column that shows a pseudonym or the name of a job whole, so that it can be copied."""
    return Column(of, no_wrap=True, min_width=12)
