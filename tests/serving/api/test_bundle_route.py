"""What the card of a bundle shows: ids of users to those who may see histories, and an erased one to nobody."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from contracts.api.answers import BundleCard
from contracts.audit.audit_log import NoAudit
from serving.api.access import Access, CheckAccess
from serving.api.routes import admin
from serving.settings import ServingSettings

CARD = BundleCard(
    bundle_version="v",
    variant="stable",
    created_at="",
    data_end="",
    num_items=1,
    metrics={},
    example_user_ids=["anna", "erased", "berta"],
)
ADMIN, BOTH, PEOPLE = "key of admin alone", "key of admin and more", "key of histories"
FILE = f"""
- {{name: operator, key: {ADMIN}, scopes: [admin]}}
- {{name: owner, key: {BOTH}, scopes: [admin, history]}}
- {{name: people, key: {PEOPLE}, scopes: [history]}}
"""


class Serving:
    """A service of one card, where one user was erased."""

    audit = NoAudit()

    @property
    def releases(self) -> "Serving":
        return self

    def card(self) -> BundleCard:
        return CARD

    def change(self, version: str | None) -> None:
        """Nothing."""

    def is_erased(self, user_id: str) -> bool:
        return user_id == "erased"


@pytest.mark.parametrize(
    ("method", "key", "shown"),
    [
        ("GET", "", []),
        ("GET", ADMIN, []),
        ("GET", PEOPLE, ["anna", "berta"]),
        ("POST", ADMIN, []),
        ("POST", BOTH, ["anna", "berta"]),
    ],
)
def test_ids_are_shown_to_those_who_may_see_histories(tmp_path: Path, method: str, key: str, shown: list[str]) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(FILE)
    path = {"GET": "/bundle", "POST": "/admin/bundle"}[method]
    app = FastAPI()
    app.include_router(admin.router(Serving()))  # type: ignore[arg-type]
    app.add_middleware(CheckAccess, access=Access(ServingSettings(api_keys=file)))

    async def ask() -> Any:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return (await client.request(method, path, json={}, headers=headers)).json()

    card = asyncio.run(ask())
    assert (card["bundle_version"], card["example_user_ids"]) == ("v", shown)
