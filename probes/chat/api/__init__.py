"""Chats over an interface (WebSocket, HTTP, Direct Line, Socket.IO) instead of a page, described by a YAML file."""
