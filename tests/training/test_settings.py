"""params.yaml: defaults, the conversions that are meant, and every fault at once."""

from pathlib import Path

import pytest

from contracts.errors import InvalidInput
from training.params_file import load_settings
from training.settings import Encoder, Loss, Recipe, Settings, TwoTowerSettings


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


@pytest.mark.parametrize("text", ["", "# nothing set", "{}", "ranker:", "ranker: {}\nindex:"])
def test_what_is_left_out_has_its_default(params: Path, text: str) -> None:
    params.write_text(text)
    assert load_settings(params) == Settings()


def test_the_repositorys_own_parameters_are_accepted() -> None:
    assert load_settings(Path(__file__).parents[2] / "params.yaml").ingest.adapter == "complete-journey"


def test_a_key_that_is_set_leaves_its_neighbours_alone(params: Path) -> None:
    params.write_text("ranker: {epochs: 9}")
    settings = load_settings(params)
    assert settings.ranker.epochs == 9
    assert settings.ranker.batch_users == Settings().ranker.batch_users
    assert settings.two_tower == Settings().two_tower


def test_old_names_of_settings_are_read_and_the_warning_names_the_new_one(
    params: Path, caplog: pytest.LogCaptureFixture
) -> None:
    params.write_text("two_tower: {stranger_share: 0.1}\nranker: {num_looked: 7, look_weight: 0.5, teaching: 2}")
    settings = load_settings(params)
    assert settings.two_tower.cold_user_share == 0.1
    ranker = settings.ranker
    assert (ranker.num_engaged, ranker.engagement_weight, ranker.distillation_weight) == (7, 0.5, 2.0)
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "two_tower.stranger_share is now called cold_user_share",
        "ranker.num_looked is now called num_engaged",
        "ranker.look_weight is now called engagement_weight",
        "ranker.teaching is now called distillation_weight",
    ]


def test_an_old_name_and_its_new_one_together_are_refused(params: Path) -> None:
    params.write_text("ranker: {num_looked: 7, num_engaged: 8}")
    with pytest.raises(
        InvalidInput, match=r"ranker\.num_looked is the old name of ranker\.num_engaged and both are set"
    ):
        load_settings(params)


def test_an_integer_serves_as_a_float_and_a_list_as_a_tuple(params: Path) -> None:
    params.write_text("two_tower: {temperature: 2, hidden_units: [64, 32]}\nranker: {hidden_units: []}")
    settings = load_settings(params)
    assert settings.two_tower.temperature == 2.0
    assert type(settings.two_tower.temperature) is float
    assert settings.two_tower.hidden_units == (64, 32)
    assert settings.ranker.hidden_units == ()


def test_all_faults_are_listed_at_once_with_what_would_work(params: Path) -> None:
    params.write_text(
        """
        rankers: {epochs: 1}
        index: {recall: 10, factory: 3}
        ranker: {epochs: 2.0, seed: true, hidden_units: 64}
        two_tower: {dropout: "0.4", epochs: null}
        """
    )
    with pytest.raises(InvalidInput) as refused:
        load_settings(params)
    text = str(refused.value)
    assert text.startswith(f"{params} cannot be used: ")
    assert text.removeprefix(f"{params} cannot be used: ").removesuffix(".").split("; ") == [
        "index.factory is 3, expected str like 'auto'",
        "index.recall is unknown",
        "there are factory, min_recall, recall_k, recall_queries",
        "ranker.epochs is 2.0, expected int like 8",
        "ranker.hidden_units is 64, expected tuple like (128, 64)",
        "ranker.seed is True, expected int like 17",
        "section 'rankers' is unknown",
        "there are duckdb, ingest, features, two_tower, index, neighbours, ranker, erasure",
        "two_tower.dropout is '0.4', expected float like 0.4",
        "two_tower.epochs is None, expected int like 4",
    ]


@pytest.mark.parametrize("text", ["ranker: {epochs", "a: b: c", "\tranker:"])
def test_broken_yaml_is_refused_naming_the_file(params: Path, text: str) -> None:
    params.write_text(text)
    with pytest.raises(InvalidInput, match=r"Cannot read the parameters in .*params\.yaml: (?s:.*)line 1"):
        load_settings(params)


def test_a_missing_file_is_refused_naming_it(params: Path) -> None:
    with pytest.raises(InvalidInput, match=r"There is no params\.yaml in /.*with --root, or make one"):
        load_settings(params)


def test_settings_as_plain_values_have_every_section() -> None:
    plain = Settings().to_dict()
    assert list(plain) == ["duckdb", "ingest", "features", "two_tower", "index", "neighbours", "ranker", "erasure"]
    assert plain["ranker"]["num_candidates"] == Settings().ranker.num_candidates


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a list", "must hold sections with keys"),
        ("ranker: 3", "section 'ranker' is 3, expected keys with values"),
        ("ranker: 0", "section 'ranker' is 0, expected keys with values"),
        ("ranker: {1: 2}", "ranker.1 is unknown"),
        ("two_tower: {hidden_units: [a]}", "two_tower.hidden_units is ('a',), expected tuple like (128,)"),
        ("two_tower: {epochs: -1}", "two_tower.epochs is -1, expected more than 0, and finite"),
        ("two_tower: {temperature: .nan}", "two_tower.temperature is nan, expected more than 0, and finite"),
        ("two_tower: {dropout: -0.1}", "two_tower.dropout is -0.1, expected 0 or more, and finite"),
        ("index: {factory: ''}", "index.factory is '', expected a name"),
    ],
)
def test_a_value_that_cannot_work_is_refused(params: Path, text: str, said: str) -> None:
    params.write_text(text)
    with pytest.raises(InvalidInput) as refused:
        load_settings(params)
    assert said in str(refused.value)


def test_a_file_that_is_not_utf8_is_refused(params: Path) -> None:
    params.write_bytes(b"ranker: {epochs: \xff}")
    with pytest.raises(InvalidInput, match="Cannot read the parameters"):
        load_settings(params)


def test_a_choice_is_named(params: Path) -> None:
    params.write_text("two_tower: {encoder: gru, loss: full, side_features: false}")
    settings = load_settings(params).two_tower
    assert settings.encoder is Encoder.GRU
    assert settings.loss is Loss.FULL
    assert settings.side_features is False


def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(params: Path) -> None:
    params.write_text("two_tower: {encoder: lstm, side_features: 0}")
    with pytest.raises(InvalidInput) as refused:
        load_settings(params)
    assert "two_tower.encoder is 'lstm', expected one of mean, gru, attention" in str(refused.value)
    assert "two_tower.side_features is 0, expected bool like True" in str(refused.value)


def test_a_full_softmax_over_changing_statistics_is_refused(params: Path) -> None:
    params.write_text("two_tower: {loss: full}")
    with pytest.raises(InvalidInput, match="set side_features: false"):
        load_settings(params)


def test_the_kind_of_towers_can_stand_for_the_section(params: Path) -> None:
    params.write_text("two_tower: auto\n")
    assert load_settings(params).two_tower == TwoTowerSettings(recipe=Recipe.AUTO)
    params.write_text("two_tower: content+ids\n")
    assert load_settings(params).two_tower.recipe is Recipe.CONTENT_AND_IDS
    params.write_text("two_tower: best\n")
    with pytest.raises(InvalidInput, match="section 'two_tower' is 'best', expected keys with values"):
        load_settings(params)


def test_a_bias_beside_side_features_is_refused(params: Path) -> None:
    params.write_text("two_tower: {item_bias: true}")
    with pytest.raises(InvalidInput, match="item_bias is for towers without side features; leave it out"):
        load_settings(params)
