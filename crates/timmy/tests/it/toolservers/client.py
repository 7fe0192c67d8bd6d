"""Drives Timmy's tools with the official Python client: at an address with a key, or over the pipes of a command."""

import asyncio
import json
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def way(words):
    if words[0].startswith("http"):
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {words[1]}"})
        return streamable_http_client(words[0], http_client=http)
    return StdioServerParameters(command=words[0], args=words[1:])


async def main():
    async with Client(way(sys.argv[1:])) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"status", "task_create", "task_act", "approvals_list"} <= tools, tools
        assert not any("approve" in name for name in tools), tools
        made = await client.call_tool("task_create", {"title": "Water the kelp"})
        task = json.loads(made.content[0].text)
        assert not made.is_error and task["status"] == "pending_approval", task
        got = await client.call_tool("task_get", {"id": task["id"]})
        assert json.loads(got.content[0].text)["title"] == "Water the kelp"
        wrong = await client.call_tool("task_act", {"id": task["id"], "act": "approve"})
        assert wrong.is_error, wrong
        listed = await client.call_tool("tasks_list", {"limit": 5})
        assert any(one["id"] == task["id"] for one in json.loads(listed.content[0].text)["items"])
        read = await client.read_resource(f"timmy://tasks/{task['id']}")
        assert "Water the kelp" in read.contents[0].text
        assert len((await client.list_resources()).resources) == 1
        assert len((await client.list_resource_templates()).resource_templates) == 2
    print("well")


asyncio.run(main())
