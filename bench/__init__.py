"""Measurements: against peers (`peers_adapter`), against a floor (`check`), how costs grow (`growth`), and the record
on both of its engines (`record`).
"""
