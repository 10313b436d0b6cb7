"""The hub: live chats over WebSockets, routed through Redis, kept as transcripts."""

__version__ = "0.1.0"
