"""This process' connections, and the fan-out of chats and topics to them."""
