"""Bundles for tests: sealed ones of a few bytes, variations of a trained one, and models that do harm."""
