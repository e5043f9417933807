"""From training to a release and back by the workflows of .github: act runs them against this cluster.

scripts/run-workflow brings the stand-ins: OIDC among them, and nothing that decides. Images are built and attested
by the job `images` outside of the cluster (.ci/e2e), where the packages' registry is reached.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e import bundles
from tests.e2e.cluster import until
from tests.e2e.release import clients, gateway_from_here, published, weights
from tests.e2e.workflow import Ran, dispatch
from tests.e2e.world import API_KEY, BUCKET, MANIFESTS, World

KEY_FILE = "rollout.key"
"""Where rollout.yml puts the secret ROLLOUT_KEY."""
BACK_SECONDS = 60
FAILED_GATE = "overlap: failed, mean overlap with stable's lists "


def act_train(world: World) -> str:
    """The small share of the purchases: pipeline, gates, a signed bundle in the cluster's object storage."""
    with tempfile.TemporaryDirectory() as folder, world.storage_environment():
        ran = dispatch(
            "train",
            {"slice": "true"},
            variables={"AWS_ROLE": "stand-in", "AWS_REGION": "us-east-1", "BUNDLES": f"s3://{BUCKET}/bundles"},
            secrets={
                "SIGNING_KEY": _text(Ed25519PrivateKey.generate()),
                "MODEL_SIGNING_KEY": _text(ec.generate_private_key(ec.SECP256R1())),
            },
            environment={name: value for name, value in os.environ.items() if name.startswith("AWS_")},
            artifacts=Path(folder),
        )
        assert ran.is_green, ran.last_lines
        world.trained_url = (Path(folder) / "training" / "published.txt").read_text().strip()
    assert ", signed, with an OpenSSF model signature" in ran.summary and world.trained_url in ran.summary, ran.summary
    return (
        f"green in {ran.seconds:.0f} s: trained, held to its gates, signed and published {_version(world.trained_url)}"
    )


def act_release_of_a_good_bundle(world: World) -> str:
    """What `train` has published ends with all of the traffic, and the job green."""
    assert world.trained_url, "the workflow `train` has published nothing"
    world.served_before = world.gateway.recommend(world.user_ids[0]).bundle_version
    with clients(world) as asking:
        ran = _release(world, world.trained_url)
        until("the promoted bundle", lambda: _serves(world, world.trained_url), BACK_SECONDS)
    assert ran.is_green, f"{ran.last_lines}\n{ran.summary}"
    assert max(weights(world).values()) == 100, weights(world)
    assert not asking.failed, asking.faults()
    return f"green in {ran.seconds:.0f} s, promoted; {asking.figures()}"


def act_release_of_a_bad_bundle(world: World) -> str:
    """Right digests, full lists, and the worst items in them: the job is red, and says what would have passed."""
    assert world.trained_url, "the workflow `train` has published nothing"
    before, bundle = weights(world), published(world, bundles.upside_down, _version(world.trained_url))
    with clients(world) as asking:
        ran = _release(world, bundle)
    assert not ran.is_green, ran.summary
    assert weights(world) == before and _serves(world, world.trained_url), weights(world)
    assert not asking.failed, asking.faults()
    found = [line.strip() for line in ran.summary.splitlines() if line.strip().startswith(FAILED_GATE)]
    assert found and found[0].endswith(" is asked"), ran.summary
    return f"red in {ran.seconds:.0f} s, rolled back; {asking.figures()}; {found[0]}"


def act_rollback(world: World) -> str:
    """By dispatch, to what was stable before the good release."""
    with clients(world) as asking:
        ran = _rollout(world, "rollback", {})
        until("the bundle of before", lambda: _serves(world, world.served_before), BACK_SECONDS)
    assert ran.is_green, f"{ran.last_lines}\n{ran.summary}"
    assert not asking.failed, asking.faults()
    return f"green in {ran.seconds:.0f} s, back to {world.served_before}; {asking.figures()}"


def _release(world: World, bundle: str) -> Ran:
    return _rollout(world, "release", {"bundle": bundle, "images": "false"})


def _rollout(world: World, workflow: str, inputs: Mapping[str, str]) -> Ran:
    """Release or rollback of this installation, with its rollout settings and the key of its servers."""
    whose = {"environment": "dev", "release": world.settings.release, "namespace": world.settings.namespace}
    kubeconfig = os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config"))
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(world, Path(folder))
        return dispatch(
            workflow,
            {**whose, **inputs},
            variables={"ROLLOUT_SETTINGS": str(settings)},
            secrets={"ROLLOUT_KEY": API_KEY},
            environment={"KUBECONFIG": kubeconfig},
        )


def _settings(world: World, folder: Path) -> Path:
    """The chart's values for the rollout, as one who releases from outside of the cluster writes them."""
    values = yaml.safe_load((MANIFESTS / "values.yaml").read_text())["rollout"]
    (folder / "users").write_text("\n".join(world.user_ids))
    settings = {name: value for name, value in values.items() if name != "resources"}
    settings["metrics"] = {"prometheusUrl": world.prometheus_url}
    settings["mirror"] |= {
        "url": gateway_from_here(world),
        "host": world.host,
        "usersFile": str(folder / "users"),
        "keyFile": KEY_FILE,
    }
    file = folder / "rollout.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


def _text(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _serves(world: World, bundle: str) -> bool:
    return {world.gateway.recommend(user).bundle_version for user in world.user_ids} == {_version(bundle)}


def _version(bundle: str) -> str:
    return bundle.rpartition("/")[2]


SCENARIOS = (act_train, act_release_of_a_good_bundle, act_release_of_a_bad_bundle, act_rollback)
