"""Texts that look like numbers: one that is written bare means its digits, and not 2.0240101e+07."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.test_chart import CHART, HELM
from tests.support.each import each

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not there; `make test-tools` brings it, with Go")
BARE = 20240101
CI = CHART / "ci"
TEXTS = [
    ("images.tag", "rollout"),
    ("bundle.pvc.path", "claim"),
    ("slots.green.bundle", "rollout"),
    ("rollout.bundle", "rollout"),
    ("rollout.users[0]", "rollout"),
    ("redis.maxMemory", "redis-in-chart"),
    ("serviceAccount.annotations.owner", "training"),
    ("server.extraEnv.TANDEM_CACHE_LISTS", "erasure"),
]
"""Values, and the file of ci/ where each has an effect."""
NUMBERS = [
    ("server.listsPerSecond", "default"),
    ("server.listsInFlight", "default"),
    ("bundle.trial.seconds", "default"),
    ("bundle.trial.megabytes", "default"),
    ("impressionLog.maxBytes", "default"),
    ("impressionLog.maxHours", "default"),
    ("events.retentionDays", "erasure"),
    ("erasure.bundleLifeDays", "erasure"),
    ("server.notInterestedDays", "default"),
    ("rollout.patienceSeconds", "rollout"),
    ("autoscaling.keda.requestsPerSecond", "keda"),
]
"""Numbers that end in variables or files, which are texts."""


def template(file: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(HELM), "template", "shop", str(CHART), "--kube-version", "1.34.0"]
    command += ["--values", str(CI / f"{file}-values.yaml"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def scalars(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for value in node.values():
            yield from scalars(value)
    elif isinstance(node, list):
        for value in node:
            yield from scalars(value)
    else:
        yield node


def nested(path: str, value: Any) -> Any:
    """{"a": {"b": value}} of a.b, and {"a": [value]} of a[0]."""
    for name in reversed(path.split(".")):
        value = {name.removesuffix("[0]"): [value] if name.endswith("[0]") else value}
    return value


@pytest.mark.parametrize("by", ["--set", "--values"])
@pytest.mark.parametrize(("path", "file"), [*TEXTS, *NUMBERS])
def test_a_bare_number_keeps_its_digits(path: str, file: str, by: str, tmp_path: Path) -> None:
    """By --set it is a whole number, in a file a float, as is what an upgrade reads of the release before."""
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(nested(path, BARE)))
    done = template(file, by, f"{path}={BARE}" if by == "--set" else str(given))
    assert done.returncode == 0, done.stderr
    found = [one for item in yaml.safe_load_all(done.stdout) for one in scalars(item) if str(BARE) in str(one)]
    assert all(isinstance(one, str) for one in each(found)), found
    assert not re.search(r"\d[eE]\+\d", done.stdout)


@pytest.mark.parametrize("value", ["true", "0.5", "5"])
def test_a_setting_of_the_server_may_be_written_bare(value: str, tmp_path: Path) -> None:
    given = tmp_path / "values.yaml"
    given.write_text(f"server: {{extraEnv: {{TANDEM_CACHE_SECONDS: {value}}}}}\n")
    done = template("default", "--values", str(given))
    assert done.returncode == 0, done.stderr
    assert f'value: "{value}"' in done.stdout


@pytest.mark.parametrize("tag", ["1.10", "1234e56"])
def test_a_number_whose_digits_are_lost_already_is_refused(tag: str, tmp_path: Path) -> None:
    """YAML has read them as 1.1 and 1.234e59 before the chart sees them."""
    given = tmp_path / "values.yaml"
    given.write_text(f"images: {{tag: {tag}}}\n")
    done = template("default", "--values", str(given))
    assert done.returncode != 0
    assert "/images/tag" in done.stderr or "images.tag" in done.stderr, done.stderr


def test_every_text_that_may_be_bare_is_tried_here() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(bare(schema["properties"])) == {path.partition(".TANDEM")[0].removesuffix(".owner") for path, _ in TEXTS}


def bare(properties: dict[str, Any], below: str = "") -> Iterator[str]:
    """Paths of values that are a text or a number."""
    for name, one in properties.items():
        path = f"{below}{name}"
        inside = {path: one, f"{path}[0]": one.get("items", {}), f"{path}.": one.get("additionalProperties")}
        for place, described in inside.items():
            kinds = described.get("type") if isinstance(described, dict) else None
            if isinstance(kinds, list) and "string" in kinds and path != "disruptionBudget.minAvailable":
                yield "slots.green.bundle" if place == "slots.blue.bundle" else place.removesuffix(".")
        yield from bare(one.get("properties", {}), f"{path}.")
