"""Helpers for all kinds of tests. Fakes are small real servers."""
