"""What users do, posted as it happens."""

from fastapi import APIRouter

from serving.service import Service


def router(service: Service) -> APIRouter:
    """No routes yet."""
    return APIRouter(tags=["events"])
