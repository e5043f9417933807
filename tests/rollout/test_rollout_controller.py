"""The controller: promotes, aborts, pauses, listens, and comes to the same end wherever it is killed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from contracts.errors import InvalidInput
from rollout.cluster.objects import DEPLOYMENT, EVENT, HTTP_ROUTE, INFERENCE_SERVICE
from rollout.record.state import Phase, Request, Rollout
from rollout.record.status import lines
from rollout.record.store import RolloutHeld, Store
from rollout.record.verdict import Verdict
from rollout.release import slots_of
from rollout.settings import Mode, RolloutSettings
from tandem.commands.rollout import end, named_bundle
from tests.support.rollouts.memory_cluster import RELEASE, Killed, end_state
from tests.support.rollouts.world import Say, World, bad_at_25, ended, good, unclear


@pytest.fixture
def world() -> World:
    return World()


def test_a_good_canary_is_promoted_step_by_step(world: World) -> None:
    seen = []

    def say(rollout: Rollout) -> Verdict:
        seen.append(world.weights()["green"])
        return Verdict.SUCCESSFUL

    rollout = ended(world.controller(say).start("v2"))
    assert rollout.phase is Phase.PROMOTED
    assert seen == [1, 5, 25, 50]
    assert world.weights() == {"blue": 0, "green": 100}
    assert (world.bundle("blue"), world.bundle("green")) == ("v1", "v2")
    assert Store(world.objects, RELEASE, "").read().history == ("v1", "v2")


def test_the_next_rollout_takes_the_other_slot(world: World) -> None:
    world.controller().start("v2")
    rollout = ended(world.controller().start("v3"))
    assert (rollout.canary, rollout.stable_bundle, rollout.displaced_bundle) == ("blue", "v2", "v1")
    assert world.weights() == {"blue": 100, "green": 0}


def test_every_decision_is_an_event_a_line_and_a_metric(world: World) -> None:
    world.controller().start("v2")
    told = ["Started", "Staged", *["Shifted", "Continued"] * 3, "Shifted", "Promoting", "Promoted"]
    assert world.story() == told
    assert world.reasons() == [f"Canary{choice}" for choice in told]
    decided = [
        world.registry.get_sample_value("tandem_rollout_decisions_total", {"decision": choice}) for choice in set(told)
    ]
    assert sum(value or 0 for value in decided) == len(told)
    assert world.registry.get_sample_value("tandem_rollout_canary_percent") == 100
    assert world.registry.get_sample_value("tandem_rollout_gate", {"gate": "errors"}) == 1
    assert world.registry.get_sample_value("tandem_rollout_phase", {"phase": "promoted"}) == 1


def test_a_failed_canary_is_aborted_and_its_slot_restored(world: World) -> None:
    rollout = ended(world.controller(bad_at_25).start("v2"))
    assert rollout.phase is Phase.ABORTED
    assert rollout.decision and rollout.decision.sentence == "all traffic to v1 in slot blue"
    assert world.weights() == {"blue": 100, "green": 0}
    assert world.bundle("green") == "v0"
    assert world.reasons()[-2:] == ["CanaryAborting", "CanaryAborted"]
    assert [event["type"] for event in world.objects.of(EVENT)][-1] == "Warning"
    text = list(lines(Store(world.objects, RELEASE, "").read()))
    assert any(line.endswith("Aborted, all traffic to v1 in slot blue") for line in text)
    assert "  errors: failed, failed at 25 %" in text  # the gate that ended it, after its end


def test_failures_within_the_limit_are_forgiven(world: World) -> None:
    verdicts = iter([Verdict.FAILED, Verdict.SUCCESSFUL, Verdict.FAILED, Verdict.FAILED])
    world.controller(lambda _: next(verdicts), failure_limit=1, steps=(5, 50)).start("v2")
    told = ["Started", "Staged", "Shifted", "Forgiven", "Continued", "Shifted", "Forgiven", "Aborting", "Aborted"]
    assert world.story() == told


def test_an_unready_slot_is_aborted_without_ever_having_traffic(world: World) -> None:
    world.objects._reconcile = lambda service: None  # type: ignore[method-assign]  # KServe is down
    rollout = ended(world.controller().start("v2"))
    assert rollout.phase is Phase.ABORTED
    assert "Shifted" not in world.story()
    line = json.loads(world.out.getvalue().splitlines()[-2])
    assert line["sentence"] == "not ready after 20 s: KServe has not passed v2 on to the pods of shop-green yet"


def test_an_inconclusive_canary_keeps_its_share_and_says_what_it_waits_for(world: World) -> None:
    rollout = ended(world.controller(unclear).start("v2"))
    assert (rollout.phase, rollout.percent) == (Phase.ANALYSING, 1)
    assert world.weights() == {"blue": 99, "green": 1}
    assert world.story() == ["Started", "Staged", "Shifted", "Paused"]  # announced once, not at every look
    text = list(lines(Store(world.objects, RELEASE, "").read()))
    assert "waits for: errors: inconclusive at 1 %" in text
    assert "controller: none at work; `tandem rollout start` with the same bundle goes on" in text


def test_a_pause_ends_by_itself_when_the_numbers_are_there(world: World) -> None:
    verdicts = iter([Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, *[Verdict.SUCCESSFUL] * 4])
    assert ended(world.controller(lambda _: next(verdicts)).start("v2")).phase is Phase.PROMOTED


def test_a_step_takes_as_many_successful_analyses_as_asked(world: World) -> None:
    world.controller(analyses_per_step=3, steps=(5,)).start("v2")
    assert world.story() == ["Started", "Staged", "Shifted", "Continued", "Continued", "Promoting", "Promoted"]


def test_evidence_on_clicks_is_carried_from_step_to_step(world: World) -> None:
    carried = []

    def say(rollout: Rollout) -> Verdict:
        carried.append(rollout.step.earlier_click_evidence)
        return Verdict.SUCCESSFUL

    world.controller(say).start("v2")
    assert carried == [0.0, 1.0, 5.0, 25.0]  # Says gives the percent as evidence


def test_an_upgrade_that_resets_the_weights_is_undone(world: World) -> None:
    def reset() -> None:
        route = world.objects.get(HTTP_ROUTE, RELEASE)
        assert route
        if world.weights()["green"] == 5:
            route["spec"]["rules"][-1]["backendRefs"][0]["weight"] = 100
            world.objects.replace(HTTP_ROUTE, route)
            world.time.meanwhile = lambda: None

    world.time.meanwhile = reset
    assert ended(world.controller(analyses_per_step=2).start("v2")).phase is Phase.PROMOTED
    assert world.weights() == {"blue": 0, "green": 100}


def test_what_is_stable_already_is_not_rolled_out(world: World) -> None:
    assert world.controller().start("v1") is None
    assert world.story() == []


def test_another_bundle_cannot_begin_while_one_is_under_way(world: World) -> None:
    world.controller(unclear).start("v2")
    with pytest.raises(InvalidInput, match="asked for v3, but v2 is analysing at 1 %"):
        world.controller().start("v3")


def test_an_aborted_bundle_is_tried_again_only_when_asked(world: World) -> None:
    world.controller(bad_at_25).start("v2")
    with pytest.raises(InvalidInput, match=r"taken back \(errors: failed at 25 %\); --again"):
        world.controller().start("v2")
    assert ended(world.controller().start("v2", again=True)).phase is Phase.PROMOTED


@pytest.mark.parametrize(
    ("request_by_hand", "phase"), [(Request.PROMOTE, Phase.PROMOTED), (Request.ABORT, Phase.ABORTED)]
)
def test_people_decide_for_a_paused_rollout(world: World, request_by_hand: Request, phase: Phase) -> None:
    world.controller(unclear).start("v2")
    assert world.release().ask(request_by_hand).phase is phase
    assert Store(world.objects, RELEASE, "").read().request is None


def test_people_decide_while_a_controller_is_at_work(world: World) -> None:
    """The one at work hears it within a part of its interval; the asking one only watches."""
    store, asked_at = Store(world.objects, RELEASE, "person"), list[float]()

    def ask() -> None:
        if world.weights()["green"] == 5 and not asked_at:
            asked_at.append(world.time.now)
            store.change(lambda record: record.model_copy(update={"request": Request.ABORT}))

    world.time.meanwhile = ask
    rollout = ended(world.controller().start("v2"))
    assert rollout.phase is Phase.ABORTED
    assert rollout.decision and rollout.decision.at - asked_at[0] <= 5
    assert world.weights() == {"blue": 100, "green": 0}


def test_nothing_can_be_asked_of_no_rollout(world: World) -> None:
    with pytest.raises(InvalidInput, match="no rollout is under way, so there is nothing to abort"):
        world.release().ask(Request.ABORT)
    with pytest.raises(InvalidInput, match="no rollout is under way"):
        world.controller().resume()


def test_rollback_goes_to_what_was_stable_before(world: World) -> None:
    world.controller().start("v2")
    before = world.time.now
    assert world.release().roll_back(None).phase is Phase.PROMOTED
    assert world.weights() == {"blue": 100, "green": 0}
    assert world.time.now - before < 1  # the slot was loaded all along


def test_the_next_rollback_goes_further_back(world: World) -> None:
    for bundle in ("v2", "v3"):
        world.controller().start(bundle)
    assert [ended(world.release().roll_back(None)).bundle for _ in range(2)] == ["v2", "v1"]
    with pytest.raises(InvalidInput, match="no earlier bundle is known of this release"):
        world.release().roll_back(None)


def test_what_was_rolled_back_from_does_not_come_back_by_itself(world: World) -> None:
    world.controller().start("v2")
    world.release().roll_back(None)
    with pytest.raises(InvalidInput, match=r"v2 was released before and taken back \(it was rolled back from\)"):
        world.controller().start("v2")
    assert ended(world.controller().start("v2", again=True)).phase is Phase.PROMOTED
    assert Store(world.objects, RELEASE, "").read().refused == {}


def test_rollback_to_a_named_bundle_loads_it(world: World) -> None:
    rollout = world.release().roll_back("v7")
    assert (rollout.phase, rollout.bundle) == (Phase.PROMOTED, "v7")
    assert world.bundle("green") == "v7"
    assert "Continued" not in world.story()


def test_rollback_of_a_rollout_under_way_aborts_it(world: World) -> None:
    world.controller(unclear).start("v2")
    assert world.release().roll_back(None).phase is Phase.ABORTED
    assert world.release().roll_back("v0").bundle == "v0"


def test_rollback_before_any_rollout_takes_what_lies_in_the_idle_slot(world: World) -> None:
    assert world.release().roll_back(None).bundle == "v0"


def test_rollback_refuses_what_it_cannot_do(world: World) -> None:
    with pytest.raises(InvalidInput, match="v1 is stable already; earlier ones: none known"):
        world.release().roll_back("v1")
    with pytest.raises(InvalidInput, match="no earlier bundle is known of this release; name one with --to"):
        World(Mode.KNATIVE).release().roll_back(None)


def test_a_second_controller_is_told_who_is_at_work(world: World) -> None:
    first = Store(world.objects, RELEASE, "pod-a")
    first.claim(15, world.time.wait)

    def beat() -> None:
        first.beat()

    world.time.meanwhile = beat
    with pytest.raises(RolloutHeld, match="in the hands of pod-a, which is at work"):
        world.controller(holder="pod-b").start("v2")


def test_a_claim_without_a_sign_of_life_is_taken_over(world: World) -> None:
    first = Store(world.objects, RELEASE, "pod-a")
    first.claim(15, world.time.wait)
    assert ended(world.controller(holder="pod-b").start("v2")).phase is Phase.PROMOTED
    with pytest.raises(RolloutHeld, match="was taken over by nobody; this controller stops"):
        first.beat()


def test_a_controller_that_lost_its_claim_does_nothing_more(world: World) -> None:
    thief = Store(world.objects, RELEASE, "thief")

    def steal() -> None:
        if world.weights()["green"] == 5:
            world.time.meanwhile = lambda: None
            thief.change(lambda record: record.model_copy(update={"holder": "thief"}))

    world.time.meanwhile = steal
    with pytest.raises(RolloutHeld, match="taken over by thief"):
        world.controller().start("v2")
    assert world.weights() == {"blue": 95, "green": 5}
    assert thief.read().holder == "thief"


def without_chance(state: dict[str, Any]) -> dict[str, Any]:
    """Identity, moments and numbers of decisions depend on when a controller was killed; nothing else may."""
    record = json.loads(state["record"]["record.json"])
    rollout = record["rollout"] | {"id": "", "decision": None, "analysed": None}
    rollout["step"] = rollout["step"] | {"since": 0, "successful": 0}
    return state | {"record": record | {"rollout": rollout, "heartbeat": 0}}


def killed_everywhere(mode: Mode, say: Say) -> Iterator[tuple[int, World]]:
    """A world for every write of a whole rollout, in which the controller is killed right after that write."""
    whole = World(mode)
    whole.objects.writes = 0
    whole.controller(say).start("v2")
    yield 0, whole
    for write in range(1, whole.objects.writes + 1):
        world = World(mode)
        world.objects.writes, world.objects.killed_at = 0, write
        with pytest.raises(Killed):
            world.controller(say, holder="first").start("v2")
        world.objects.killed_at = 0
        yield write, world


@pytest.mark.parametrize("say", [good, bad_at_25])
@pytest.mark.parametrize("mode", Mode)
def test_wherever_it_is_killed_start_comes_to_the_same_end(mode: Mode, say: Say) -> None:
    worlds = killed_everywhere(mode, say)
    _, whole = next(worlds)
    expected, kills = without_chance(end_state(whole.objects)), 0
    for write, world in worlds:
        controller = world.controller(say, holder="second")
        try:
            controller.start("v2")
        except InvalidInput as error:  # killed after the last write of an abort: there is nothing left to do
            assert "v2 was released before and taken back" in str(error)
        assert without_chance(end_state(world.objects)) == expected, f"killed after write {write}"
        assert sorted(world.reasons()) == sorted(whole.reasons()), f"killed after write {write}"
        kills += 1
    assert kills > 30


def test_no_kill_ever_gives_a_canary_more_than_its_step(world: World) -> None:
    """At any moment of any killed and resumed rollout the weights belong to a step, and add to 100."""
    for write in range(1, 40):
        world, seen = World(), set[int]()
        world.time.meanwhile = lambda world=world, seen=seen: seen.add(world.weights()["green"])  # type: ignore[misc]
        world.objects.killed_at = world.objects.writes + write
        with pytest.raises(Killed):
            world.controller(holder="first").start("v2")
        world.objects.killed_at = 0
        world.controller(holder="second").start("v2")
        assert seen <= {0, 1, 5, 25, 50, 100}
        assert sum(world.weights().values()) == 100


def test_a_slot_without_pods_is_not_ready(world: World) -> None:
    body = world.objects.get(DEPLOYMENT, f"{RELEASE}-blue-predictor")
    assert body
    slots = slots_of(world.objects, RELEASE, RolloutSettings())
    logs = f"kubectl logs deployment/{RELEASE}-blue-predictor"
    for change, sentence in [
        ({"status": {}}, "its Deployment has not been looked at yet"),
        ({"spec": body["spec"] | {"replicas": 0}}, "it is scaled to no pods"),
        ({"status": body["status"] | {"updatedReplicas": 1}}, "1 of 2 pods are of the new bundle"),
        ({"status": body["status"] | {"replicas": 3}}, "1 pods of the last bundle still end"),
        ({"status": body["status"] | {"availableReplicas": 1}}, f"1 of 2 pods are ready; `{logs} --all-pods` says why"),
    ]:
        world.objects._stored[(DEPLOYMENT.name, f"{RELEASE}-blue-predictor")] = body | change
        assert slots.readiness("blue", "v1").sentence == f"shop-blue: {sentence}"


def test_services_that_are_not_there_are_named(world: World) -> None:
    del world.objects._stored[(INFERENCE_SERVICE.name, "shop-green")]
    with pytest.raises(Exception, match="InferenceService shop-green is not in namespace test; is --release"):
        world.controller().start("v2")


@pytest.mark.parametrize(("say", "code"), [(good, 0), (bad_at_25, 3), (unclear, 4)])
def test_a_job_reads_the_end_off_the_exit_code(world: World, say: Say, code: int) -> None:
    rollout = world.controller(say).start("v2")
    try:
        end(rollout)
    except typer.Exit as left:
        assert left.exit_code == code
    else:
        assert code == 0


def test_nothing_to_do_is_no_failure() -> None:
    end(None)


def test_a_training_run_names_the_bundle_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "published").write_text("s3://shop/bundles/v2\n")
    (tmp_path / "empty").write_text("")
    assert named_bundle("", tmp_path / "published") == named_bundle("s3://shop/bundles/v2", None)
    for bundle, file, why in (
        ("", None, "name the bundle by one of"),
        ("v2", tmp_path / "published", "name the bundle by one of"),
        ("", tmp_path / "missing", "No such file"),
        ("", tmp_path / "empty", "is empty"),
    ):
        with pytest.raises(InvalidInput, match=why):
            named_bundle(bundle, file)
