"""The change dossier as one HTML file that needs no other, for a physicist to read and sign (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from html import escape

from adaptation.case_record import Origin, Structure
from adaptation.dossier import Dossier, counted
from adaptation.dossier_plots import draw_gains, draw_learning, draw_looks, draw_patients
from adaptation.evidence import Finding, Outcome, State
from adaptation.gate_pairs import side_by_side
from adaptation.page import document, folded, image, table
from adaptation.report_page import HOW_TO_COMPARE, differences

COLOUR = {State.PASSED: "better", State.AWAITED: "wait", State.PERSON: "wait", State.FAILED: "worse"}
BANNER = {
    Outcome.PASSED: "better",
    Outcome.PERSON: "wait",
    Outcome.SHADOW: "wait",
    Outcome.REFUSED: "worse",
}
WHAT_NOW = {
    Outcome.PASSED: "It may go into service once a named person promotes it, or by itself where the site allows that.",
    Outcome.PERSON: "It may go into service only if a named person accepts what is marked below.",
    Outcome.SHADOW: "It contours new patients unseen, and is judged again when that is over.",
    Outcome.REFUSED: "The model in service stays as it is.",
}
DEMANDS = {
    "G0": "Integrity",
    "G1": "Benefit",
    "G2": "No organ worse",
    "G3": "No harm",
    "G4": "Nothing forgotten",
    "G5": "No more complaints",
    "G6": "Shadow",
}
UPDATE = """
Versions never change; one pointer says which serves. A series is contoured by one version, which is named in its
structure set.
"""
NOT_SHOWN = """
What this cannot show: failures that are rarer than one in the number of gate cases; whether the approved contours are
themselves right, and so errors that both models share; patients of a kind that the gate does not hold. The watch on
approved contours after promotion is for these.
"""


def page_of(dossier: Dossier) -> str:
    """Return the dossier as HTML: cases by number, no patient's identity and no pseudonym."""
    change = dossier.change
    title = f"Change dossier {change.run}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _answer(dossier),
        "<h2>1 Description of the modification</h2>",
        _description(dossier),
        "<h2>2 Modification protocol</h2><h3>2.1 Data</h3>",
        _data(dossier),
        "<h3>2.2 Re-training</h3>",
        _learning(dossier),
        "<h3>2.3 Evaluation</h3>",
        _evaluation(dossier),
        "<h3>2.4 Update</h3>",
        f"<p>{UPDATE} To go back: <code>{escape(dossier.undo)}</code></p>",
        "<h2>3 Impact assessment</h2>",
        _impact(dossier),
        "<h2>4 Version control</h2>",
        _versions(dossier),
    ]
    return document(title, parts)


def _answer(dossier: Dossier) -> str:
    """Return the verdict, before anything else."""
    verdict = dossier.verdict
    whole = len(verdict.organs) and not verdict.stays
    over = "all organs" if whole else ", ".join(verdict.organs)
    organs = f" Would go over: {escape(over)}." if verdict.organs else ""
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    against = f"What stands against {'the whole' if verdict.single else 'it'}, or is still to come:"
    return (
        f'<div class="banner {BANNER[verdict.outcome]}"><b>{escape(verdict.outcome.value.capitalize())}.</b>'
        f" {WHAT_NOW[verdict.outcome]}{organs}"
        + (f"<p>{against}</p><ul>{reasons}</ul>" if reasons else "")
        + f"</div><p>{dossier.change.at:%Y-%m-%d %H:%M %Z}. Signature of the physicist, and date:"
        " ______________________________</p>"
    )


def _description(dossier: Dossier) -> str:
    change = dossier.change
    return (
        f"<p>{change.layers} layers from {escape(change.place)} on were trained again, from the base model"
        f" <code>{_short(change.base.digest)}</code>, on the site's approved contours; all before them are the base's,"
        f" byte for byte. Judged by generation {change.generation} of the gate's cases. Occasion:"
        f" {escape(change.occasion)}.</p>"
    )


def _data(dossier: Dossier) -> str:
    """Return what was learnt from and judged by, counted."""
    rows = [[part, *_counts(row)] for part, row in counted(dossier.cases).items()]
    left = "".join(f"<li>{count}: {escape(reason)}</li>" for reason, count in dossier.left_out.items())
    listed = [
        [str(number), case.part.value, case.month, *_origins(case.structures.values())]
        for number, case in enumerate(dossier.cases, start=1)
    ]
    head = ["drawn from nothing", "edited", "untouched"]
    return (
        "<p>Each patient belongs to one part for ever. The gate's cases are never learnt from.</p>"
        + table(["part", "cases", *(f"organs {word}" for word in head)], rows)
        + (f"<p>Kept out:</p><ul>{left}</ul>" if left else "")
        + folded(f"{len(listed)} cases", table(["case", "part", "month", *head], listed))
    )


def _counts(row: Mapping[str, int]) -> list[str]:
    return [str(row.get(word, 0)) for word in ("cases", *Origin)]


def _origins(structures: Iterable[Structure]) -> list[str]:
    origins = [one.origin for one in structures]
    return [str(origins.count(origin)) for origin in Origin]


def _learning(dossier: Dossier) -> str:
    learning = dossier.learning
    rows = [[escape(name), escape(value)] for name, value in learning.settings.items()]
    rows += [["seed", str(learning.seed)], ["seconds", f"{learning.seconds:.0f}"]]
    curves = image(draw_learning(learning)) if learning.losses and learning.tuning else ""
    return table(["setting", "value"], rows, texts=(1,)) + curves


def _evaluation(dossier: Dossier) -> str:
    """Return every demand with what was found, and the pictures."""
    evidence, verdict = dossier.evidence, dossier.verdict
    pairs = side_by_side(evidence.gate)
    since = dossier.change.at - timedelta(days=dossier.limits.looks.year_days)
    looks = [look for look in dossier.looks if look.at > since]
    spends = f"may spend an alpha of {verdict.alpha:.4f} of the year's {dossier.limits.looks.year_alpha:g}"
    warning = dossier.warning
    parts = [
        f'<div class="banner worse"><b>{escape(warning[:1].upper())}{escape(warning[1:])}.</b></div>'
        if warning
        else "",
        f"<p>Both models on the same gate cases, against the same approved contours. This look {spends}.</p>",
        _findings(verdict.whole),
        f"<p>The whole did not pass. Organs that are better by themselves:</p>{_findings(verdict.single)}"
        if verdict.single
        else "",
        *([image(draw_gains(pairs, verdict, dossier.limits.gate)), image(draw_patients(pairs))] if pairs else []),
        *([image(draw_looks(looks, dossier.limits.looks.year_alpha))] if looks else []),
        folded("Every metric of every organ", f"<p>{HOW_TO_COMPARE}</p>{differences(dossier.report)}") if pairs else "",
        folded("Every number that was demanded", _limits(dossier)),
    ]
    return "".join(parts)


def _findings(findings: Sequence[Finding]) -> str:
    rows = [
        [
            f"{each.gate} {DEMANDS[each.gate]}",
            f'<span class="{COLOUR[each.state]}">{escape(each.state.value)}</span>',
            escape(each.text),
        ]
        for each in findings
    ]
    return table(["demand", "", "found"], rows, texts=(1, 2))


def _limits(dossier: Dossier) -> str:
    rows = [
        [section, escape(name), f"{value:g}"]
        for section, limits in asdict(dossier.limits).items()
        for name, value in limits.items()
    ]
    return table(["of", "limit", "value"], rows, texts=(1,))


def _impact(dossier: Dossier) -> str:
    """Return what changes for patients: benefits, risks, and what is not known."""
    verdict = dossier.verdict
    stays = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.stays.values())
    benefits = [each for each in (*verdict.whole, *verdict.single) if each.gate == "G1"]
    risks = [
        each
        for each in (*verdict.whole, *verdict.single)
        if each.gate != "G1" and each.state in {State.FAILED, State.PERSON}
    ]
    return (
        f"<p>Benefit: {escape('; '.join(each.text for each in benefits)) or 'none was measured'}.</p>"
        + (f"<p>Risks that were found:</p>{_findings(risks)}" if risks else "<p>No harm was found on these cases.</p>")
        + (f"<p>Organs that stay with the model in service:</p><ul>{stays}</ul>" if stays else "")
        + f"<p>{NOT_SHOWN}</p>"
    )


def _versions(dossier: Dossier) -> str:
    change = dossier.change
    models = (("model in service", change.current), ("candidate", change.candidate), ("base", change.base))
    rows = [[what, escape(model.name), f"<code>{escape(model.digest)}</code>"] for what, model in models]
    software = dossier.learning.software.items()
    rows += [[escape(name), "", f"<code>{escape(version)}</code>"] for name, version in software]
    return table(["what", "name", "digest or version"], rows, texts=(1, 2))


def _short(digest: str) -> str:
    return escape(digest[:16])
