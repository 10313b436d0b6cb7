"""The edge: WebSocket sessions, the HTTP interface, the pages. Parse → call → reply."""
