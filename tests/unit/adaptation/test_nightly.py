import json
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from adaptation.case_record import Origin, Status
from adaptation.forgetting import MARK, forget_ct, forget_patient, mark_models, mark_models_on
from adaptation.labelled_ct import Case
from adaptation.learnt_from import read_learnt_from
from adaptation.limits import GateLimits
from adaptation.night import learner_of
from adaptation.night_judging import SITE, outcomes
from adaptation.nightly import STEPS, Progress, advance
from adaptation.partition import Part
from adaptation.runs import Run
from adaptation.score_file import DEFINITION
from segmentation.bundle import read_manifest, verify_bundle
from segmentation.registry import Registry
from segmentation.registry_version import Standing
from tests.support.nights import (
    EVENING,
    LIMITS,
    SETTINGS,
    SLICES,
    filed,
    fill,
    night,
    patients,
    site_case,
    with_limits,
)
from tests.support.tiny import ORGAN_HU, marked_phantom, write_tiny_bundle

pytestmark = pytest.mark.slow
QUICK = replace(SETTINGS, steps=4, tune_every=2)


def finish(one):
    """Take turns until the run has ended, as many as there may be."""
    for _ in range(200):
        progress = advance(one)
        if progress.is_ended:
            return progress
    raise AssertionError("the run does not end")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A night that was never interrupted."""
    one = night(tmp_path_factory.mktemp("done"))
    fill(one.store)
    finish(one)
    return one


def test_night_makes_a_better_version(done):
    """It passes the gate, is kept beside its base, and serves nobody until a person wants it."""
    (version,) = done.registry.versions("tiny")

    assert done.run.read("judge")["outcome"] == "passed"
    assert done.run.read("end")["text"] == "passed; added"
    assert version.record.parent == done.run.plan().base.digest
    assert version.standing is Standing.CANDIDATE
    assert done.registry.current("tiny").version is None


def test_version_says_what_it_learnt_from(done):
    """Cases of training and tuning, by their pseudonyms; none of the gate's."""
    (version,) = done.registry.versions("tiny")
    plan = done.run.plan()

    learnt = json.loads((version.folder / "learnt_from.json").read_bytes())
    assert learnt == sorted(case.name for part in (Part.TRAIN, Part.TUNE) for case in plan.cases[part])


def test_night_leaves_a_dossier_and_no_checkpoint(done):
    """What is needed only until the end is gone; features stay for the next night."""
    assert json.loads((done.run.folder / "dossier.json").read_bytes())["impact_assessment"]["outcome"] == "passed"
    assert "Passed." in (done.run.folder / "dossier.html").read_text()
    assert not done.run.work.exists()
    assert list((done.root / "features").rglob("*.features"))


def test_night_has_taken_one_look(done):
    """What it spent is in the account of the year."""
    (look,) = done.runs.looks()

    assert look.at == EVENING
    assert look.alpha == pytest.approx(0.25)
    assert look.promoted


def test_ended_night_does_nothing(done):
    """Whatever fires twice, the run is one."""
    assert advance(done) == Progress("", is_paused=False, is_ended=True)
    assert len(done.registry.versions("tiny")) == 1


def test_night_without_new_cases_waits(done):
    """The next night has seen all cases already: it says so and takes no look."""
    next_night = replace(done, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))

    finish(next_night)

    assert next_night.run.read("end")["outcome"] == "did not start"
    assert "0 new cases since the last run" in next_night.run.read("end")["text"]
    assert len(done.runs.looks()) == 1


def test_kill_at_any_step_changes_nothing(done, tmp_path, monkeypatch):
    """Killed before and behind the record of every step, the night comes to the same model, one look, one version."""

    class Killed(BaseException):
        pass

    one, kept, struck = night(tmp_path), Run.keep, set()
    fill(one.store)

    def killed(self, step, values):
        if (step, "before") not in struck:
            struck.add((step, "before"))
            raise Killed
        kept(self, step, values)
        if (step, "behind") not in struck:
            struck.add((step, "behind"))
            raise Killed

    monkeypatch.setattr(Run, "keep", killed)
    kills = 0
    while not one.run.is_ended:
        try:
            advance(one)
        except Killed:
            kills += 1

    assert kills == 2 * (len(STEPS) + 1)
    assert one.run.read("train")["digest"] == done.run.read("train")["digest"]
    assert len(one.runs.looks()) == len(one.registry.versions("tiny")) == 1
    assert one.registry.verify("tiny") == ()


def test_night_that_gives_way_after_every_step_comes_to_the_same(tmp_path):
    """Where clinical work waits all the time, a turn is a step of the training, or one case of features or scores."""
    busy = night(tmp_path / "busy", settings=QUICK)
    calm = night(tmp_path / "calm", settings=QUICK)
    turns = []
    for one in (busy, calm):
        fill(one.store, gate=5)
    waiting = replace(busy, must_pause=lambda: True)

    for _ in range(200):
        turns.append(advance(waiting))
        if turns[-1].is_ended:
            break
    finish(calm)

    assert [turn.step for turn in turns if turn.is_paused] == ["features"] * 3 + ["train"] * 3 + ["scores"] * 10
    assert busy.run.read("train")["digest"] == calm.run.read("train")["digest"]


def test_too_few_cases_are_not_learnt_from(tmp_path):
    """Each shortage is said; a person cannot force it."""
    one = night(tmp_path, force=True, by="physicist", limits=with_limits(train=50, train_shadow=40))
    fill(one.store)

    finish(one)

    assert one.run.read("end")["outcome"] == "did not start"
    assert "3 cases to learn from, 50 are needed" in one.run.read("end")["text"]


def test_person_need_not_wait(done):
    """What only has to be waited for is not waited for where somebody says so."""
    forced = replace(done, name="2026-03-12-by-hand", force=True, by="physicist", settings=QUICK)

    advance(forced)
    advance(forced)

    assert forced.run.plan().starts
    assert "physicist asked for it" in forced.run.plan().occasion


def test_candidate_that_is_no_better_on_the_tuning_cases_takes_no_look(tmp_path):
    """The gate is not asked about what the run itself does not think well of."""
    one = night(tmp_path, settings=QUICK, limits=replace(LIMITS, looks=replace(LIMITS.looks, tune_gain=1.0)))
    fill(one.store)

    finish(one)

    assert one.run.read("end")["text"].startswith("no better on the tuning cases")
    assert one.runs.looks() == ()
    assert one.registry.versions("tiny") == ()


def test_night_without_a_gain_is_refused(tmp_path):
    """What the base draws well needs no other model: no version, the reasons, and the look is spent."""
    one = night(tmp_path, settings=replace(SETTINGS, steps=1), limits=with_limits(tune=0))
    fill(one.store, hu=tuple(ORGAN_HU.values()), tune=0)

    finish(one)

    assert one.run.read("judge")["outcome"] == "refused"
    assert one.run.read("end")["text"] == "refused; refused"
    assert one.registry.versions("tiny") == ()
    assert any("median gain" in reason for reason in one.run.read("judge")["reasons"])


def test_untouched_contours_count_a_quarter(tmp_path):
    """What a physician left as it was is in the plan with its weight."""
    one = night(tmp_path)
    fill(one.store)
    (patient,) = patients(Part.TRAIN, 1, first=100)
    filed(one.store, patient, origin=Origin.UNTOUCHED)

    advance(one)
    advance(one)

    weights = {case.patient: case.weights for case in one.run.plan().cases[Part.TRAIN]}
    assert weights[patient] == {"Brainstem": 0.25, "Parotid_L": 0.25, "Parotid_R": 0.25}
    assert weights[patients(Part.TRAIN, 1)[0]] == {}


def test_cases_that_are_not_admitted_are_not_learnt_from(tmp_path):
    """What a person rejected is in no part."""
    one = night(tmp_path)
    fill(one.store)
    rejected = one.store.records()[0]
    one.store.decide(rejected.name, Status.REJECTED, by="physicist", why="another patient's", at=EVENING)

    advance(one)
    advance(one)

    assert rejected.name not in one.run.plan().names


def test_little_time_makes_few_steps(tmp_path):
    """Steps are planned by how long the first ones take, so that the rate falls to nothing within the time box."""
    one = night(tmp_path, settings=replace(SETTINGS, minutes=0.1 / 60 / 0.9))
    fill(one.store)

    for _ in range(4):
        advance(one)

    assert 1 <= one.run.read("pace")["steps"] < 10


def test_training_that_takes_too_long_ends_where_it_is(tmp_path):
    """A machine that became slower does not train into the day; what there is comes out."""
    one = night(tmp_path)
    fill(one.store)
    for _ in range(4):
        advance(one)
    slow = iter(range(0, 10**9, 3600))

    advance(replace(one, seconds=lambda: float(next(slow))))

    assert one.run.read("train")["steps"] < one.run.read("pace")["steps"]


def test_night_without_kept_features_learns_from_slices(tmp_path):
    """Where the disk has no room, or the site wants no features, the trunk computes along."""
    one = night(tmp_path, settings=replace(QUICK, keep_features=False))
    fill(one.store)

    finish(one)

    assert one.run.read("features")["views"] == 0
    assert one.run.read("end")["outcome"] == "done"


def test_source_is_learnt_from_and_watched(tmp_path):
    """The first of its cases show what is forgotten, the next are replayed; both are in the records."""
    source = tuple(Case(f"source/pt_{n}", "source", lambda n=n: site_case(1000 + n)) for n in range(3))
    limits = replace(LIMITS, gate=replace(LIMITS.gate, base_cases=2))
    one = night(tmp_path, settings=QUICK, source=source, limits=limits)
    fill(one.store)

    finish(one)

    assert one.run.read("scores") == {"gate": 5, "base": 2}
    assert len(list((one.root / "features" / "source").glob("*.features"))) == 1
    assert "source/pt_2" not in {case.name for case in one.regression}


def lacking(store, organ):
    """File a fifth case of the gate in which an organ was not drawn."""
    patient = patients(Part.GATE, 5)[4]
    whole = site_case(int(patient[-5:]))
    some = {name: mask for name, mask in whole.masks.items() if name != organ}
    filed(store, patient, case=replace(whole, masks=some), organs=tuple(some))


def test_organ_with_too_few_cases_stays_with_the_model_in_service(tmp_path):
    """The version draws the others by the candidate's tail and it by the old one."""
    one = night(tmp_path, limits=with_limits(organ_gate=5))
    fill(one.store, gate=4)
    lacking(one.store, "Parotid_R")

    finish(one)

    (version,) = one.registry.versions("tiny")
    assert "drawn in 4 cases of the gate, 5 are needed" in one.run.read("judge")["stays"]["Parotid_R"]
    assert [tail.organs for tail in read_manifest(version.folder).tails] == [("Brainstem", "Parotid_L")]
    verify_bundle(version.folder)


def test_damaged_case_stops_the_night_with_a_reason(tmp_path):
    """The next night begins anew; the model in service is not touched."""
    one = night(tmp_path)
    fill(one.store)
    advance(one)
    advance(one)
    broken = one.run.plan().cases[Part.TRAIN][0]
    (one.store.path_of(broken.name) / "arrays.npz").write_bytes(b"no archive")

    assert finish(one).step == "features"
    assert one.run.read("end")["outcome"] == "stopped"
    assert one.run.read("end")["text"].startswith("features: ")


def test_forgotten_patient_ends_the_run_and_leaves_no_trace(tmp_path):
    """Features, scores, checkpoint: none of the patient's is left, and no other file names the patient."""
    one = night(tmp_path, settings=QUICK)
    fill(one.store)
    for _ in range(4):
        advance(one)
    advance(replace(one, must_pause=lambda: True))
    assert list(one.run.work.glob("checkpoint"))
    patient = one.run.plan().cases[Part.TRAIN][0].patient

    forget_patient(one.store, patient, EVENING)

    assert one.run.read("end")["text"] == "a patient of it was forgotten"
    assert advance(one).is_ended
    assert naming(tmp_path, patient) == []


def naming(folder, patient):
    """Return every file below a folder that names a patient, in its bytes or its name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if patient in path.as_posix() or patient.encode() in path.read_bytes()]


@pytest.mark.parametrize("part", Part)
def test_patient_of_a_run_that_has_ended_leaves_no_trace(tmp_path, part):
    """Runs, dossiers, versions, caches: no byte names the patient, and what is kept is whole."""
    one = night(tmp_path, settings=QUICK)
    fill(one.store)
    finish(one)
    patient, plan = one.run.plan().cases[part][0].patient, one.run.plan()
    assert naming(tmp_path, patient)

    mark_models(one.registry, patient, by="operator", at=EVENING)
    forget_patient(one.store, patient, EVENING)

    assert naming(tmp_path, patient) == []
    assert one.registry.verify("tiny") == ()
    assert [len(cases) for cases in one.run.plan().cases.values()] == [len(cases) for cases in plan.cases.values()]
    assert [case["part"] for case in one.run.read("forgotten")["cases"]] == [part.value]


def test_ct_of_a_run_that_has_ended_leaves_no_trace(tmp_path):
    """Where the case on one CT goes and the patient does not: runs, dossiers, versions, caches, as of a patient."""
    one = night(tmp_path, settings=QUICK)
    fill(one.store)
    finish(one)
    case = one.store.record(one.run.plan().cases[Part.TRAIN][0].name)

    mark_models_on(one.registry, one.store, case.ct, by="operator", at=EVENING)
    forget_ct(one.store, case.ct, EVENING)

    (version,) = one.registry.versions("tiny")
    assert naming(tmp_path, case.name) == []
    assert version.marks == (MARK,)
    assert one.registry.verify("tiny") == ()
    assert [each["part"] for each in one.run.read("forgotten")["cases"]] == ["train"]


def test_models_that_saw_a_forgotten_patient_are_marked(tmp_path):
    """For good, and once; a model that never saw the patient is not."""
    one = night(tmp_path)
    fill(one.store)
    finish(one)
    plan = one.run.plan()
    seen, never = (plan.cases[part][0].patient for part in (Part.TRAIN, Part.GATE))

    marked = [mark_models(one.registry, patient, by="operator", at=EVENING) for patient in (never, seen, seen)]

    (version,) = one.registry.versions("tiny")
    assert marked == [(), (version.digest,), ()]
    assert version.marks == (MARK,)
    assert "forgotten case" in read_learnt_from(version.folder)
    assert one.registry.verify("tiny") == ()


SHADOWED = replace(
    LIMITS, gate=GateLimits(base_cases=0, flag_cases=0, shadow_patients=2, latency_ratio=9.0, large_drop=0.05)
)


OLD_SCORES = """{"scores": [{"case": "pseudonym00006-1", "organ": "Brainstem", "comparison": {"organ": "Brainstem",
"names": ["Brainstem", "Brainstem"], "dsc": 0.9958275382475661, "hd95_mm": 0.0, "surface_dsc": {"1.0":
0.9963560811452773, "2.0": 0.9963560811452773, "3.0": 0.9963560811452773}, "added_path_mm": 8.0, "volumes_cm3": [28.72,
28.8], "note": ""}}], "harms": [], "is_flagged": true}"""
"""Of one organ of three, as a release without definitions kept it, under the name `CASE.DIGEST.json`."""


def test_scores_of_an_earlier_definition_are_computed_anew(tmp_path):
    """A file of the release before is not read, and goes with the end of the run."""
    one = night(tmp_path, settings=QUICK)
    fill(one.store)
    case = next(record for record in one.store.records() if record.part is Part.GATE)
    old = one.root / "scores" / case.patient / f"{case.name}.{learner_of(one.base).digest[:20]}.json"
    old.parent.mkdir(parents=True)
    old.write_text(OLD_SCORES.replace("pseudonym00006-1", case.name))

    while not one.run.has("scores"):
        advance(one)
    assert old.exists()
    (first,) = outcomes(one, learner_of(one.base).digest, [one.store.case_of(case)], SITE)
    finish(one)

    assert [score.organ for score in first.scores] == ["Brainstem", "Parotid_L", "Parotid_R"]
    assert not old.exists()


def test_update_between_scores_and_verdict_has_both_models_judged_anew(tmp_path, monkeypatch):
    """No score of before is held against one of after."""
    one = night(tmp_path, settings=QUICK)
    fill(one.store)
    while not one.run.has("integrity"):
        advance(one)
    monkeypatch.setattr("adaptation.score_file.DEFINITION", DEFINITION + 1)

    finish(one)

    assert one.run.has("judge")
    assert one.run.read("end")["outcome"] == "done"
    assert {path.name.split(".")[-2] for path in (one.root / "scores").rglob("*.json")} == {str(DEFINITION + 1)}


def in_the_shadow(folder, limits, gate=5):
    """Return a night whose candidate runs in the shadow, and the next one, with two new patients."""
    one = night(folder, limits=limits, promotes=True)
    fill(one.store, gate=gate)
    if gate < 5:
        lacking(one.store, "Parotid_R")
    finish(one)
    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    for patient in patients(Part.TRAIN, 2, first=200):
        filed(one.store, patient, at=EVENING + timedelta(hours=6))
    return one, later


def test_update_while_a_candidate_is_in_the_shadow_has_it_judged_anew(tmp_path, monkeypatch):
    """It goes on into service by numbers of one definition."""
    one, later = in_the_shadow(tmp_path, SHADOWED)
    monkeypatch.setattr("adaptation.score_file.DEFINITION", DEFINITION + 1)

    advance(later)

    assert later.run.read("shadow")["outcome"] == "passed"
    assert one.registry.current("tiny").version is not None


def test_update_takes_a_candidate_of_single_organs_out_of_the_shadow(tmp_path, monkeypatch):
    """What it drew of all organs is not there any more, so that it cannot be judged anew; the nights go on."""
    one, later = in_the_shadow(tmp_path, replace(SHADOWED, run=replace(LIMITS.run, organ_gate=5)), gate=4)
    monkeypatch.setattr("adaptation.score_file.DEFINITION", DEFINITION + 1)

    advance(later)

    assert (
        "it was taken out of the shadow: the node judges otherwise since an update" in later.run.read("shadow")["what"]
    )
    assert one.registry.shadow("tiny") is None
    assert one.registry.current("tiny").version is None
    assert not later.run.is_ended


def promoted(one, folder, version):
    """Put another version of the tiny model into service."""
    write_tiny_bundle(folder / version, version=version)
    added = one.registry.add("tiny", folder / version, origin="test", by="physicist", at=EVENING)
    return one.registry.promote("tiny", added.digest, by="physicist", why="test", at=EVENING)


def test_shadow_whose_model_in_service_was_replaced_and_purged_ends_and_the_night_goes_on(tmp_path):
    """What is gone stops no night after night: the candidate leaves the shadow, and a run is planned."""
    one = night(tmp_path, limits=SHADOWED, promotes=True, registry=Registry(tmp_path / "registry", keep=1))
    fill(one.store)
    first = promoted(one, tmp_path, "2")
    finish(one)
    shadowed = one.registry.shadow("tiny")
    promoted(one, tmp_path, "3")
    last = promoted(one, tmp_path, "4")
    assert not first.folder.exists()

    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    filed(one.store, patients(Part.TRAIN, 1, first=200)[0], at=EVENING + timedelta(hours=6))
    advance(later)
    advance(later)

    reason = "another model is in service than tiny 2, against which it was judged"
    assert later.run.read("shadow")["reasons"] == [reason]
    assert later.run.read("shadow")["run"] == one.name
    assert shadowed is not None
    assert one.registry.shadow("tiny") is None
    assert one.registry.current("tiny").version.digest == last.digest
    assert later.run.plan().current.digest == last.digest


def test_candidate_that_a_person_promoted_from_the_shadow_ends_there_once_what_was_before_it_is_gone(tmp_path):
    """It stays in service: only the comparison ends."""
    one = night(tmp_path, limits=SHADOWED)
    fill(one.store)
    before = promoted(one, tmp_path, "2")
    finish(one)
    version = one.registry.shadow("tiny")
    one.registry.promote("tiny", version.digest, by="physicist", why="test", at=EVENING)
    shutil.rmtree(before.folder)

    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    advance(later)

    assert later.run.read("shadow")["reasons"] == ["tiny 2, against which it was judged, is not there any more"]
    assert one.registry.shadow("tiny") is None
    assert one.registry.current("tiny").version.digest == version.digest


def test_shadow_one_of_whose_gate_cases_was_replaced_and_purged_ends_and_the_night_goes_on(tmp_path):
    """The comparison on the gate's cases cannot be made again without one of them."""
    one, later = in_the_shadow(tmp_path, SHADOWED)
    case = one.run.plan().cases[Part.GATE][0]
    one.store.decide(case.name, Status.REJECTED, by="physicist", why="test", at=EVENING)
    one.store.purge(EVENING + timedelta(days=1))

    advance(later)

    assert later.run.read("shadow")["reasons"] == [
        "a case of its gate was replaced or set aside, and is kept no longer"
    ]
    assert one.registry.shadow("tiny") is None
    assert not later.run.is_ended


def test_kill_behind_a_promotion_out_of_the_shadow_leaves_the_same(tmp_path):
    """The step is done again: the version that passed is in service already, and leaves the shadow."""
    one, later = in_the_shadow(tmp_path, SHADOWED)
    version = one.registry.shadow("tiny")
    one.registry.promote("tiny", version.digest, by="the schedule", why="killed behind this", at=EVENING)

    advance(later)

    assert later.run.read("shadow")["outcome"] == "passed"
    assert one.registry.shadow("tiny") is None
    assert one.registry.current("tiny").version.digest == version.digest


def test_candidate_goes_through_the_shadow_into_service(tmp_path):
    """It waits for two new patients, is held against what was approved, and then serves where the site wants that."""
    one = night(tmp_path, limits=SHADOWED, promotes=True)
    fill(one.store)
    finish(one)
    (version,) = one.registry.versions("tiny")
    assert version.standing is Standing.SHADOW

    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    for patient in patients(Part.TRAIN, 2, first=200):
        filed(one.store, patient, at=EVENING + timedelta(hours=6))
    advance(later)

    assert later.run.read("shadow")["outcome"] == "passed"
    service = one.registry.current("tiny").version
    assert service is not None
    assert service.digest == version.digest
    assert one.registry.shadow("tiny") is None


@pytest.mark.parametrize("limits", [LIMITS, SHADOWED], ids=["gate", "shadow"])
def test_the_node_may_object_to_what_passed(tmp_path, limits):
    """What the site's switch would promote serves nobody while the node will not have it; the run says why."""
    asked = []
    one = night(tmp_path, limits=limits, promotes=True, objection=lambda version: asked.append(version) or "no cord")
    fill(one.store)
    finish(one)
    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    for patient in patients(Part.TRAIN, 2, first=200):
        filed(one.store, patient, at=EVENING + timedelta(hours=6))
    advance(later)

    (version,) = one.registry.versions("tiny")
    said = {one.run.read("register")["what"], later.run.read("shadow").get("what")}
    assert "not promoted: no cord" in said
    assert [each.digest for each in asked] == [version.digest]
    assert version.standing is Standing.CANDIDATE
    assert one.registry.current("tiny").version is None


def test_shadow_is_judged_without_a_patient_who_was_forgotten(tmp_path):
    """A patient of the gate who is forgotten meanwhile stops no night; the new dossier says that one is missing."""
    one = night(tmp_path, limits=SHADOWED)
    fill(one.store)
    finish(one)
    forget_patient(one.store, one.run.plan().cases[Part.GATE][0].patient, EVENING)

    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    for patient in patients(Part.TRAIN, 2, first=200):
        filed(one.store, patient, at=EVENING + timedelta(hours=6))
    advance(later)

    assert later.run.read("shadow")["run"] == one.name
    assert "one of the part gate" in one.run.read("dossier")["forgotten"]["text"]
    assert 'id="forgotten"' in (one.run.folder / "dossier.html").read_text()


def test_shadow_waits_for_patients(tmp_path):
    """With one new patient it goes on."""
    one = night(tmp_path, limits=SHADOWED, promotes=True)
    fill(one.store)
    finish(one)
    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    filed(one.store, patients(Part.TRAIN, 1, first=200)[0], at=EVENING + timedelta(hours=6))

    advance(later)

    assert later.run.read("shadow")["outcome"] == "runs in the shadow"
    assert one.registry.shadow("tiny") is not None


def test_candidate_that_fails_in_the_shadow_goes(tmp_path):
    """Where new patients are drawn as the base learnt them, the candidate is worse, and is taken out of the shadow.

    With a part of the base's weights in the candidate it would still draw them well.
    """
    one = night(tmp_path, limits=SHADOWED, promotes=True, settings=replace(SETTINGS, blend=1.0))
    fill(one.store)
    finish(one)
    later = replace(one, name="2026-03-11", clock=lambda: EVENING + timedelta(days=1))
    for patient in patients(Part.TRAIN, 2, first=200):
        phantom = marked_phantom(SLICES)
        as_learnt = replace(site_case(int(patient[-5:])), volume=phantom.volume, masks={
            organ: phantom.masks[organ] for organ in site_case(1).masks
        })  # fmt: skip
        filed(one.store, patient, at=EVENING + timedelta(hours=6), case=as_learnt)

    advance(later)

    assert later.run.read("shadow")["outcome"] == "refused"
    assert one.registry.shadow("tiny") is None
    assert one.registry.current("tiny").version is None
