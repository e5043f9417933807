"""A store that knows nobody's purchases."""

from serving.features.lookup import UserFeatures
from serving.recommendation.context import nobody


class Newcomer:
    """Everybody has the same profile and has done nothing; without a profile nobody is known."""

    def __init__(self, profile: dict[str, str]) -> None:
        self._profile = profile

    def user(self, user_id: str) -> UserFeatures | None:
        """The profile, and nothing else."""
        return nobody() | self._profile if self._profile else None

    def bought_before(self, user_id: str) -> list[str] | None:
        """Nothing."""
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """None: nobody has bought anything."""
        return []
