"""Delivery between processes: the chat's numbered log in Redis (the truth) and pub/sub (the messenger)."""
