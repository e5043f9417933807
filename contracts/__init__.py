"""Schemas and pure functions that training, serving and monitoring share: standard library, pydantic and numpy only."""

CONTRACT_VERSION = 5
"""Raised whenever a reader of an older version would misread a bundle or an online feature, or could not read it."""
OLDEST_CONTRACT = 4
"""Bundles of this contract and later ones are read."""
