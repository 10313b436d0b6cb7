"""Measurements: against peers (`peers_adapter`), against a floor (`check`), how costs grow (`growth`), the record on
both of its engines (`record`), and what its seals prove (`seals`).
"""
