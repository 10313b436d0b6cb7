"""A client for programs: tests, bots, load (docs/python_client.md). Imports only the protocol's words."""

from chatserver.client.chat_state import ChatState
from chatserver.client.client import ChatClient, StoppedError
from chatserver.client.connection import JSON, MSGPACK
from chatserver.client.credentials import AgentSignIn, Credentials, CredentialsError, CustomerSession, Pass, ResumeToken
from chatserver.client.outbox import Command, RefusedError

__all__ = [
    "JSON",
    "MSGPACK",
    "AgentSignIn",
    "ChatClient",
    "ChatState",
    "Command",
    "Credentials",
    "CredentialsError",
    "CustomerSession",
    "Pass",
    "RefusedError",
    "ResumeToken",
    "StoppedError",
]
