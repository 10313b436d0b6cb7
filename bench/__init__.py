"""Measurements: against peers (`peers_adapter`), against a floor (`check`), and how costs grow (`growth`)."""
