"""What takes typeguard's place leaves everything as it is."""

from serving.runtime.feast_import import unchecked


def test_classes_and_functions_stay_what_they_are() -> None:
    class Marked:
        pass

    def marked(number: int) -> int:
        return number

    assert unchecked(Marked) is Marked
    assert unchecked(forward_ref_policy="ignore")(marked) is marked
