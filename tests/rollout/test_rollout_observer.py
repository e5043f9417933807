"""What is asked of running slots, and the settings it is asked by."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from contracts.api.records import MIRROR_HEADER
from contracts.errors import InvalidInput
from rollout import settings
from rollout.analysis.measurements import Mirrored, SlotNumbers
from rollout.analysis.mirror import Mirror
from rollout.analysis.observer import ClusterObserver
from rollout.analysis.prometheus import MetricsUnavailable
from rollout.cluster.objects import ClusterProblem, Conflict, Kind, Object
from rollout.record.state import Phase, Rollout, Step
from rollout.record.store import Store
from rollout.record.verdict import Verdict
from rollout.settings import GateName, RolloutSettings, Thresholds, load_settings
from tandem.__main__ import main
from tests.support.each import each
from tests.support.rollouts.memory_cluster import MemoryObjects

USERS = [f"user {number}" for number in range(40)]
Handler = Callable[[httpx.Request], httpx.Response]


def mirror(handler: Handler, **asked: object) -> Mirror:
    client = httpx.Client(base_url="http://gateway", transport=httpx.MockTransport(handler))
    chosen = settings.Mirror.model_validate({"url": "http://gateway", "requests_per_analysis": 30, **asked})
    return Mirror(client, lambda slot: {"x-tandem-slot": slot}, chosen, seed=1)


def answer(request: httpx.Request) -> httpx.Response:
    """Blue answers everybody; green answers nobody whose number is even."""
    if request.url.path == "/bundle":
        return httpx.Response(200, json={"example_user_ids": USERS})
    user = request.url.path.removeprefix("/recommendations/")
    if request.headers["x-tandem-slot"] == "green" and int(user.split()[1]) % 2 == 0:
        return httpx.Response(503, json={"error": "no"})
    return httpx.Response(200, json={"items": [{"item_id": f"{user} {row}"} for row in range(3)]})


def test_both_slots_are_asked_for_the_same_users() -> None:
    asked: list[httpx.Request] = []

    def seen(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request)

    mirrored = mirror(seen, host="shop.example.com", k=3).ask("blue", "green")
    assert len(mirrored.stable) == len(mirrored.canary) == 30
    assert None not in mirrored.stable
    assert all(stable == canary for stable, canary in each(mirrored.pairs))
    assert 0 < len(mirrored.pairs) < 30
    lists = asked[1:]
    assert {request.headers[MIRROR_HEADER] for request in lists} == {"1"}
    assert {request.headers["host"] for request in lists} == {"shop.example.com"}
    assert lists[0].url.raw_path.endswith(b"?n=3")
    assert set(Counter(request.url.path for request in lists).values()) == {2}
    first = Counter(request.headers["x-tandem-slot"] for request in lists[::2])
    assert first == {"blue": 15, "green": 15}


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@pytest.mark.parametrize(
    "handler",
    [refuse, lambda _: httpx.Response(200, text="<html>"), lambda _: httpx.Response(200, json=["no", "list"])],
)
def test_what_is_no_list_is_no_answer(handler: Handler, tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("a\nb\n")
    mirrored = mirror(handler, users_file=file, requests_per_analysis=2).ask("blue", "green")
    assert mirrored.stable == mirrored.canary == (None, None)
    assert mirror(handler).ask("blue", "green") == Mirrored()  # not even example users


def test_few_known_users_are_asked_again() -> None:
    mirrored = mirror(answer, requests_per_analysis=100).ask("blue", "green")
    assert len(mirrored.users) == 100
    assert len(mirrored.pairs) == 20  # of the 40, whom both answer


@pytest.mark.parametrize(("text", "message"), [(None, "cannot be read: No such file"), ("\n", "is empty; one user id")])
def test_a_file_of_users_must_be_there_and_have_some(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "users"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        mirror(answer, users_file=file).ask("blue", "green")


class Numbers:
    """A Prometheus that has these numbers of both slots, or none at all."""

    def __init__(self, numbers: SlotNumbers | None) -> None:
        self._numbers = numbers

    def numbers(self, variant: str, since: float, until: float) -> SlotNumbers:
        if self._numbers is None:
            raise MetricsUnavailable("Prometheus at http://p does not answer: refused")
        assert (variant in ("blue", "green"), since, until) == (True, 50.0, 110.0)
        return self._numbers


ROLLOUT = Rollout(
    id="1", phase=Phase.ANALYSING, bundle="v2", canary="green", stable_bundle="v1", displaced_bundle=None,
    step=Step(since=50.0, mirrored_answers=(100, 90), earlier_click_evidence=1.5),
)  # fmt: skip


def observer(numbers: SlotNumbers | None, *gates: GateName) -> ClusterObserver:
    thresholds = Thresholds(gates=gates or tuple(GateName))
    return ClusterObserver(Numbers(numbers), mirror(answer), thresholds, clock=lambda: 110.0)


def test_a_look_remembers_how_many_lists_nobody_saw() -> None:
    analysis, step = observer(SlotNumbers(requests=1000)).look(ROLLOUT)
    assert [result.gate for result in analysis.gates] == list(GateName)
    assert step.mirrored_answers[0] == 130
    assert 90 < step.mirrored_answers[1] < 120


def test_without_prometheus_everything_waits_and_nothing_is_lost() -> None:
    analysis, step = observer(None, GateName.ERRORS, GateName.CLICKS).look(ROLLOUT)
    assert {result.verdict for result in analysis.gates} == {Verdict.INCONCLUSIVE}
    assert analysis.sentence.startswith("errors: Prometheus at http://p does not answer")
    assert (analysis.click_evidence, step.mirrored_answers[0]) == (1.5, 130)


def test_settings_are_read_in_the_words_of_a_chart(tmp_path: Path) -> None:
    file = tmp_path / "rollout.yaml"
    file.write_text("steps: [10, 50]\nintervalSeconds: 5\nanalysis: {maxP99Ratio: 2, gates: [errors]}\n")
    read = load_settings(file)
    assert (read.steps, read.interval_seconds) == ((10, 50), 5)
    assert (read.analysis.max_p99_ratio, read.analysis.gates) == (2, (GateName.ERRORS,))
    read.refuse_unanswerable_gates()
    assert load_settings(None) == RolloutSettings()


def test_the_page_on_releases_shows_every_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "releases.md").read_text()
    block = page.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(block) == RolloutSettings().model_dump(mode="json", by_alias=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step: [5]", r"step: there is no such field \(did you mean 'steps'\?\)"),
        ("steps: [50, 5]", r"steps must be percents that rise, such as \[1, 5, 25, 50\]"),
        ("steps: [5, 100]", r"steps.1: Input should be less than or equal to 99"),
        ("steps: []", "steps must be percents that rise"),
        ("analysis: {gates: []}", "analysis.gates: Tuple should have at least 1 item"),
        ("analysis: {alpha: 0, gates: [speed]}", "analysis.gates.0: .*; analysis.alpha: "),
        ("steps: [", "cannot be read as YAML"),
        (None, "cannot be read: No such file"),
    ],
)
def test_settings_that_cannot_be_used_are_all_named(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "rollout.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        load_settings(file)


def test_gates_that_would_wait_for_ever_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"the gates answered, overlap, coverage need mirror.url"):
        RolloutSettings().refuse_unanswerable_gates()
    asked = settings.Mirror(url="http://gateway")
    with pytest.raises(InvalidInput, match=r"overlap, coverage need mirror.usersFile with 30 user ids or more"):
        RolloutSettings(mirror=asked).refuse_unanswerable_gates()
    RolloutSettings(mirror=asked, analysis=Thresholds(gates=(GateName.ANSWERED,))).refuse_unanswerable_gates()
    file = tmp_path / "users"
    file.write_text("\n".join(str(user) for user in range(30)))
    RolloutSettings(mirror=asked.model_copy(update={"users_file": file})).refuse_unanswerable_gates()


def command(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="2"):
        main(arguments.split())
    return capsys.readouterr().err


def test_commands_without_a_cluster_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    for arguments in ("status", "abort", "promote"):
        assert "no cluster" in command(f"rollout {arguments} --release shop", capsys)
    assert "no cluster" in command("rollback --release shop", capsys)
    assert "need mirror.url" in command("rollout start --release shop --bundle v2", capsys)


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.config import kube_config  # takes seconds to load, here and not in every worker

    from rollout.cluster.kubernetes import connect

    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "c", "user": {"token": "none"}}],
    }  # fmt: skip
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))  # read at its import
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(ClusterProblem, match=r"the Kubernetes API at http://127.0.0.1:9 does not answer"):
        connect("")


def test_a_record_that_cannot_be_read_is_not_overwritten() -> None:
    objects = MemoryObjects()
    body = {"metadata": {"name": "shop-rollout"}, "data": {"record.json": '{"phase": "?"}'}}
    objects.create(Kind("", "v1", "configmaps", "ConfigMap"), body)
    with pytest.raises(ClusterProblem, match="ConfigMap shop-rollout holds a record that this version cannot read"):
        Store(objects, "shop", "one").claim(1, lambda _: None)


class Crowded(MemoryObjects):
    """Somebody else is always faster."""

    def create(self, kind: Kind, body: Object) -> None:
        raise Conflict("there")


def test_a_writer_that_always_comes_too_late_gives_up() -> None:
    with pytest.raises(ClusterProblem, match="was changed by somebody else 20 times in a row"):
        Store(Crowded(), "shop", "one").claim(1, lambda _: None)
