"""promote, rollback and keys as commands, with a server that follows, refuses, is away or is none."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.api.answers import BundleCard, RefusedChange
from contracts.bundle.files import CURRENT
from contracts.bundle.promotions import Promotion, current_version, promote
from contracts.bundle.retirement import note_retiring
from contracts.erasure.receipt import LearnedFrom
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact, TandemError
from serving.bundles.signature import public_keys
from tandem.__main__ import app
from tandem.serving_version import wait_until_served
from tests.support.bundles.sealed import PARTS, make_bundle
from training.evaluation.gate import GateFailed

CARD = BundleCard(
    bundle_version="old",
    variant="stable",
    created_at="",
    data_end="",
    num_items=1,
    metrics={},
    example_user_ids=[],
)
CHANGE = Promotion(promoted_at="2026-01-01T00:00:05+00:00", bundle_version="new")


@contextmanager
def answering(*cards: BundleCard) -> Iterator[str]:
    """A server whose GET /bundle gives these answers, the last one for ever."""
    left = list(cards)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write((left.pop(0) if len(left) > 1 else left[0]).model_dump_json().encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusing(at: str) -> BundleCard:
    return CARD.model_copy(
        update={"last_refusal": RefusedChange(refused_at=at, asked="current", reason="it is altered")}
    )


def test_the_wait_ends_when_the_server_answers_with_the_bundle() -> None:
    with answering(CARD, CARD, CARD.model_copy(update={"bundle_version": "new"})) as url:
        assert wait_until_served(url, CHANGE) >= 0.2


def test_a_refusal_after_the_change_ends_the_wait_and_an_earlier_one_does_not() -> None:
    with (
        answering(CARD, refusing("2026-01-01T00:00:06+00:00")) as url,
        pytest.raises(TandemError, match="refuses bundle new: it is altered"),
    ):
        wait_until_served(url, CHANGE)
    with (
        answering(refusing("2026-01-01T00:00:04+00:00")) as url,
        pytest.raises(TandemError, match="did not change to bundle new within 0 s: it answers with old"),
    ):
        wait_until_served(url, CHANGE, timeout_seconds=0.3)


def test_a_server_that_is_away_and_an_address_that_is_none_are_named() -> None:
    with pytest.raises(TandemError, match=r"did not change to bundle new within 0 s: .*refused"):
        wait_until_served("http://127.0.0.1:9", CHANGE, timeout_seconds=0.3)
    with pytest.raises(InvalidInput, match="expected one like http"):
        wait_until_served("localhost", CHANGE)


def run(*command: str) -> str:
    return CliRunner().invoke(app, command, catch_exceptions=False).output


@pytest.fixture
def versions(tmp_path: Path) -> tuple[str, str]:
    made = [make_bundle(tmp_path / "bundles", PARTS | {"items.npz": content}) for content in (b"first", b"second")]
    for bundle in made:
        promote(bundle)
    return made[0].name, made[1].name


def test_promote_and_rollback_move_the_link_and_say_so(tmp_path: Path, versions: tuple[str, str]) -> None:
    first, second = versions
    assert f"rolled back from {second} to {first}" in run("rollback", "--root", str(tmp_path))
    assert current_version(tmp_path / "bundles") == first
    assert f"promoted {second}" in run("promote", second, "--root", str(tmp_path))
    assert f"rolled back from {second} to {first}" in run("rollback", "--to", first, "--root", str(tmp_path))


def test_rollback_waits_for_the_server(tmp_path: Path, versions: tuple[str, str]) -> None:
    with answering(CARD, CARD.model_copy(update={"bundle_version": versions[0]})) as url:
        assert f"{url} answers with it after 0." in run("rollback", "--root", str(tmp_path), "--url", url)


def test_promoting_what_is_not_there_changes_nothing(tmp_path: Path, versions: tuple[str, str]) -> None:
    there = f"Next to it there is {', '.join(sorted([*versions, 'current']))}"
    with pytest.raises(MissingArtifact, match=f"No bundle at .*{there}"):
        run("promote", "gone", "--root", str(tmp_path))
    assert current_version(tmp_path / "bundles") == versions[1]


@pytest.mark.parametrize("name", ["another00000", CURRENT, "../bundles/"])
def test_a_bundle_is_promoted_under_its_own_name_alone(tmp_path: Path, versions: tuple[str, str], name: str) -> None:
    """A retired bundle came back as a copy of another name, and `promote current` made a link to itself."""
    bundles, name = tmp_path / "bundles", f"{name}{versions[0]}" if name.endswith("/") else name
    note_retiring(bundles, [LearnedFrom(bundle_version=versions[0], made_at="", retires_on="2020-01-01")])
    shutil.copytree(bundles / versions[0], bundles / "another00000")
    said = f"Bundle {name} is refused: it holds {versions[1] if name == CURRENT else versions[0]}"
    with pytest.raises(BundleRefused, match=said):
        run("promote", name, "--root", str(tmp_path))
    if name != CURRENT:
        with pytest.raises((BundleRefused, MissingArtifact), match=f"{said}|Cannot roll back"):
            run("rollback", "--to", name, "--root", str(tmp_path))
    with pytest.raises(BundleRefused, match=f"{said}|retired"):
        run("publish", name, "--root", str(tmp_path), "--to", str(tmp_path / "shared"))
    assert current_version(bundles) == versions[1]
    assert not (tmp_path / "shared").exists()


def test_a_retired_bundle_is_neither_promoted_nor_published(tmp_path: Path, versions: tuple[str, str]) -> None:
    retired = versions[0]
    note_retiring(tmp_path / "bundles", [LearnedFrom(bundle_version=retired, made_at="", retires_on="2020-01-01")])
    with pytest.raises(BundleRefused, match="retired on 2020-01-01"):
        run("promote", retired, "--root", str(tmp_path), "--force")
    with pytest.raises(BundleRefused, match="retired on 2020-01-01"):
        run("publish", retired, "--root", str(tmp_path), "--to", str(tmp_path / "shared"), "--force")
    assert not (tmp_path / "shared").exists()


def test_a_bundle_that_no_server_reads_is_not_promoted(tmp_path: Path, versions: tuple[str, str]) -> None:
    bundles, linked = tmp_path / "bundles", versions[0]
    (bundles / linked / "ranker.onnx").unlink()
    (bundles / linked / "ranker.onnx").symlink_to(f"../{versions[1]}/ranker.onnx")  # the same bytes
    with pytest.raises(BundleRefused, match=r"ranker\.onnx is a link"):
        run("promote", linked, "--root", str(tmp_path))
    assert current_version(bundles) == versions[1]


def test_no_address_is_promised_that_cannot_be_served(
    tmp_path: Path, versions: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").touch()
    with pytest.raises(MissingArtifact, match=r"No bundle at .*gone"):
        run("serve", "--bundle", "gone", "--root", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TandemError, match=f"Port {port} of 127.0.0.1 cannot be used"):
            run("serve", "--port", str(port), "--root", str(tmp_path))
    assert "Serving" not in capsys.readouterr().out


def test_where_nothing_is_promoted_the_command_that_promotes_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    refused = make_bundle(tmp_path / "bundles").name
    with pytest.raises(
        MissingArtifact, match=rf"No bundle is promoted in .*bundles\. There is {refused}: `tandem promote {refused}`, "
    ):
        run("serve", "--root", str(tmp_path))
    other = make_bundle(tmp_path / "bundles", PARTS | {"items.npz": b"other"}).name
    both = ", ".join(sorted([refused, other]))
    with pytest.raises(MissingArtifact, match=f"There is {both}: `tandem promote VERSION`, or with --force"):
        run("serve", "--root", str(tmp_path))
    (tmp_path / "bundles" / "current").symlink_to("gone")
    with pytest.raises(MissingArtifact, match=f"No bundle at .*current: .* Next to it there is {both}"):
        run("serve", "--root", str(tmp_path))


def test_a_bundle_is_published_and_the_receipt_names_it(tmp_path: Path, versions: tuple[str, str]) -> None:
    receipt = tmp_path / "receipt.txt"
    shared = tmp_path / "shared"
    run("publish", versions[0], "--root", str(tmp_path), "--to", str(shared), "--receipt", str(receipt))
    assert receipt.read_text() == f"{shared}/{versions[0]}\n"
    assert (shared / versions[0] / "manifest.json").is_file()
    lost = {"gate": {"rivals": {"popularity": {"mean": -0.1, "low": -0.2, "high": -0.05}}}}
    worse = make_bundle(tmp_path / "bundles", PARTS | {"items.npz": b"worse"}, metrics=lost).name
    with pytest.raises(GateFailed, match="loses to bestsellers of the year"):
        run("publish", worse, "--root", str(tmp_path), "--to", str(shared))
    assert not (shared / worse).exists()
    assert f"published {shared}/{worse}" in run(
        "publish", worse, "--root", str(tmp_path), "--to", str(shared), "--force"
    )


def test_a_new_key_prints_what_a_server_takes(tmp_path: Path) -> None:
    said = run("keys", "new", str(tmp_path / "key.pem"), "--root", str(tmp_path))
    (public,) = public_keys(said.partition("TANDEM_BUNDLE_PUBLIC_KEY=")[2].strip())
    assert len(public.public_bytes_raw()) == 32
