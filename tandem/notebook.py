"""Lists in a notebook: a bundle's models and the project's feature store in this process, without a server."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts.api.answers import Recommendations
    from serving.bundles.bundle import LoadedBundle
    from serving.features.lookup import FeatureLookup

BUNDLES_IN_MEMORY = 2
"""The one that is asked, and one to compare it with."""


def recommend(
    user_id: str, n: int = 10, *, bundle: Path | str = "bundles/current", historical: bool = True, **options: Any
) -> "Recommendations":
    """The user's list, best first: the one that a server with this bundle would give.

    bundle: a folder inside the `bundles` folder of a project; the features come from the project's online store.
    historical: the list is made as of the end of the bundle's data; else as of now.
    options: the fields of `GET /recommendations/{user_id}`, such as `department="PRODUCE"` or `explain=True`.
    The first call loads the bundle, which takes seconds. Later calls find it in memory.

    Raises InvalidInput for an option that does not exist, and MissingArtifact or BundleRefused where the bundle or the
    online store cannot be used.

    Example:
        from tandem import recommend
        for item in recommend("888", n=5, explain=True).items:
            print(item.title, item.price, item.explanation.reason)
    """
    from pydantic import ValidationError

    from contracts.api.requests import RecommendationRequest
    from contracts.errors import InvalidInput, faults_of
    from serving.runtime.clock import frozen_clock, wall_clock
    from serving.runtime.stage_batching import alone
    from tandem.sandbox import recommender_over

    try:
        request = RecommendationRequest.model_validate({"user_id": user_id, "n": n, **options})
    except ValidationError as error:
        raise InvalidInput("; ".join(faults_of(error, "request", of=RecommendationRequest))) from error
    loaded, lookup = _opened(Path(bundle).resolve())
    manifest = loaded.manifest
    now = frozen_clock(manifest.data_end_timestamp) if historical else wall_clock(manifest.time_zone)
    return alone(recommender_over(loaded, lookup, now, rules=None).steps(request, shown=False))


@lru_cache(maxsize=BUNDLES_IN_MEMORY)
def _opened(bundle: Path) -> "tuple[LoadedBundle, FeatureLookup]":
    """Cached by the folder itself, not by the link `current`: the next call sees a promotion."""
    from serving.bundles.bundle import load_bundle
    from serving.features.lookup import FeastLookup
    from training.workspace import Workspace

    return load_bundle(bundle), FeastLookup(Workspace(bundle.parent.parent).feature_repo)
