"""The losses of a training on the screen."""

from tandem.commands.pipeline import _rounded


def test_the_losses_of_many_epochs_are_their_beginning_and_end() -> None:
    assert _rounded([4.3212, 4.25]) == "4.321 → 4.250"
    assert (
        _rounded([float(epoch) for epoch in range(9)]) == "0.000 → 1.000 → 2.000 → … → 6.000 → 7.000 → 8.000 (9 epochs)"
    )
