"""Tests; their names say what is promised."""
