"""Assignment to two bundles: sticky, uniform, independent between experiments, and moved only as far as needed."""

from pathlib import Path

import numpy as np
import pytest

from contracts.errors import InvalidInput
from serving.bundles.experiment import Experiment, position, read_experiment

USERS = [f"user-{number}" for number in range(20_000)]


def experiment(share: float, salt: str = "", name: str = "ranker-2") -> Experiment:
    return Experiment(name=name, challenger="3f4a0503dde1", share=share, salt=salt)


def challenged(asked: Experiment) -> set[str]:
    return {user for user in USERS if asked.gets_challenger(user)}


def test_the_assignment_is_a_fact_of_user_and_salt_and_the_same_on_every_server() -> None:
    # printf 'ranker-2\0user-1' | b2sum -l 64 says 34013eaa56c1f698, and that over 2^64 is
    assert position("user-1", "ranker-2") == pytest.approx(0.2031439939)
    assert challenged(experiment(0.3)) == challenged(experiment(0.3))
    assert challenged(experiment(0.3)) == challenged(experiment(0.3, salt="ranker-2", name="another"))


def test_users_are_spread_uniformly() -> None:
    """Chi-square over 20 bins with 19 degrees of freedom: above 43.8 once in a thousand."""
    counts, _ = np.histogram([position(user, "salt") for user in USERS], bins=20, range=(0, 1))
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_the_share_is_what_was_asked_for(share: float) -> None:
    """Within four standard errors, and exactly none or all at the ends."""
    found = len(challenged(experiment(share))) / len(USERS)
    assert abs(found - share) <= 4 * (share * (1 - share) / len(USERS)) ** 0.5


def test_a_larger_share_moves_only_the_users_it_needs() -> None:
    ten, thirty = challenged(experiment(0.1)), challenged(experiment(0.3))
    assert ten < thirty
    assert abs(len(thirty - ten) / len(USERS) - 0.2) < 0.01


def test_another_salt_draws_independently() -> None:
    """Of 10,000 in each half, the overlap is hypergeometric: 5,000 with standard deviation 35."""
    overlap = challenged(experiment(0.5, salt="a")) & challenged(experiment(0.5, salt="b"))
    assert abs(len(overlap) - 5000) < 4 * 50


def test_an_experiment_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("name: ranker-2\nchallenger: 3f4a0503dde1\nshare: 0.1\n")
    assert read_experiment(path) == experiment(0.1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "Cannot read the experiment"),
        ("", "valid dictionary"),
        (
            "name: a\nshare: 2\nchalenger: b",
            r"chalenger: .* \(did you mean 'challenger'\?\); there is name, challenger, share",
        ),
        ("name: a\nshare: 2\nchallenger: b", r"share: Input should be less than or equal to 1.*Expected name"),
        ("name: a\nshare: 0.1\nchallenger: ../secrets", "challenger: String should match"),
    ],
)
def test_a_file_that_is_no_experiment_is_refused_with_every_fault(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=said):
        read_experiment(path)


@pytest.mark.parametrize("version", ["123456789012", "1234567890e1", "000000000017"])
def test_a_version_that_looks_like_a_number_stays_what_it_is(tmp_path: Path, version: str) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(f"name: n\nchallenger: {version}\nshare: 0.1\n")
    read = read_experiment(path)
    assert (read.challenger, read.share) == (version, 0.1)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_experiment(tmp_path / "gone.yaml")
