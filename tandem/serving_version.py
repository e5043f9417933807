"""Which bundle a running server answers with."""

import time
import urllib.request

from contracts.api.answers import BundleCard
from contracts.bundle.promotions import Promotion
from contracts.errors import InvalidInput, TandemError

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1


def wait_until_served(url: str, change: Promotion, timeout_seconds: float = WAIT_SECONDS) -> float:
    """Seconds until the server at url says that it serves what was promoted.

    Raises TandemError where it refuses the bundle or does not change in time, and InvalidInput for another address.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"{url} cannot be the address of a server: expected one like http://127.0.0.1:8080.")
    started, said = time.monotonic(), ""
    while (passed := time.monotonic() - started) < timeout_seconds:
        try:
            card = _card(url)
        except (OSError, ValueError) as error:  # not up, or no server of ours
            said = str(error)
        else:
            if card.bundle_version == change.bundle_version:
                return passed
            if card.last_refusal and card.last_refusal.refused_at >= change.promoted_at:
                raise TandemError(f"{url} refuses bundle {change.bundle_version}: {card.last_refusal.reason}")
            said = f"it answers with {card.bundle_version}"
        time.sleep(POLL_SECONDS)
    raise TandemError(
        f"{url} did not change to bundle {change.bundle_version} within {timeout_seconds:.0f} s: {said}. A server "
        "watches the link that it was started with (TANDEM_BUNDLE_DIR); others change by POST /admin/bundle."
    )


def _card(url: str) -> BundleCard:
    with urllib.request.urlopen(f"{url.rstrip('/')}/bundle", timeout=5) as answer:  # noqa: S310 - http(s), checked above
        return BundleCard.model_validate_json(answer.read())
