"""The protocol of docs/protocol.md: commands, frames, codecs, close codes."""
