"""The chart's values for a rollout are the settings of the command: the same keys, the same defaults."""

import json
from pathlib import Path
from typing import Any

import yaml

from rollout.settings import RolloutSettings

CHART = Path(__file__).parents[2] / "k8s" / "tandem"
OF_THE_JOB = {"enabled", "bundle", "users", "resources"}
FROM_THE_CHART = {"mode"}  # one value for the whole chart


def settings_schema() -> dict[str, Any]:
    """The settings as a JSON schema, named as in the chart's."""
    schema = RolloutSettings.model_json_schema(ref_template="#/definitions/{model}")
    return {"definitions": schema["$defs"], "properties": schema["properties"]}


def test_values_show_every_default() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["rollout"]
    shown = {key: value for key, value in values.items() if key not in OF_THE_JOB}
    shown["mirror"]["usersFile"] = None
    shown["mode"] = "Standard"
    assert shown == RolloutSettings().model_dump(mode="json", by_alias=True)


def test_the_charts_schema_refuses_what_the_command_refuses() -> None:
    """After a change of the settings: `python -m tests.rollout.test_rollout_values` writes their part of the schema."""
    path = CHART / "values.schema.json"
    assert with_settings(json.loads(path.read_text())) == json.loads(path.read_text())


def with_settings(schema: dict[str, Any]) -> dict[str, Any]:
    """The chart's schema with the settings' part as it should be."""
    found, part = settings_schema(), schema["properties"]["rollout"]["properties"]
    own = {key: value for key, value in part.items() if key in OF_THE_JOB}
    settings = {key: value for key, value in found["properties"].items() if key not in FROM_THE_CHART}
    definitions = {key: value for key, value in found["definitions"].items() if key != "Mode"}
    rollout = schema["properties"]["rollout"] | {"properties": own | settings}
    return schema | {
        "definitions": schema["definitions"] | definitions,
        "properties": schema["properties"] | {"rollout": rollout},
    }


if __name__ == "__main__":
    file = CHART / "values.schema.json"
    file.write_text(json.dumps(with_settings(json.loads(file.read_text())), indent=2) + "\n")
