"""Helpers for all kinds of tests."""
