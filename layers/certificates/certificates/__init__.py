"""Shared by the functions: tables, archive and provider. It knows neither HTTP servers nor Lambda events."""
