"""Alembic migrations of the hub's tables."""
