"""A server of tools made with the official Python package, for tests: over its pipes, or at a port."""

import sys

from mcp.server import MCPServer

server = MCPServer("official")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two whole numbers."""
    return a + b


@server.tool()
def shout(text: str) -> str:
    """Gives the text in capitals."""
    if not text:
        raise ValueError("nothing to shout")
    return text.upper()


if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run("stdio")
