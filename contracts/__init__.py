"""Schemas and pure functions that training, serving and monitoring share: standard library, pydantic and numpy only."""

CONTRACT_VERSION = 4
"""Raised whenever a reader of an older version would misread a bundle or an online feature."""
