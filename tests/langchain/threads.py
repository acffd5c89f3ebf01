"""Agent threads in an SQLite checkpointer, continued in another process."""

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from typing import Any

from langchain.agents import create_agent
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from langchain_xai_lowcode import ChatXAILowCode
from tests.langchain.helpers import QUESTION, create_chat, get_weather


def thread(api: str) -> Any:
    """Return the configuration of the thread of one API."""
    return {"configurable": {"thread_id": api}}


def turn(path: str, api: str, question: Any = QUESTION, tool: Any = get_weather) -> Any:
    """Run one turn of a thread, or the rest of one if the question is None."""
    with closing(sqlite3.connect(path, check_same_thread=False)) as file:
        agent: Any = create_agent(
            create_chat(ChatXAILowCode, api), [tool], checkpointer=SqliteSaver(file)
        )
        return agent.invoke(question, thread(api), durability="sync")["messages"]


async def aturn(path: str, api: str, question: Any = QUESTION) -> Any:
    """Run one turn of a thread; see ``turn``."""
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        agent: Any = create_agent(
            create_chat(ChatXAILowCode, api), [get_weather], checkpointer=saver
        )
        return (await agent.ainvoke(question, thread(api)))["messages"]


def crash(path: str, api: str) -> None:
    """Run one turn of a thread in which the tool ends the process."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        os._exit(len(city))

    turn(path, api, tool=get_weather)


if __name__ == "__main__":
    # Continue each thread in a new process.
    for api in sys.argv[2:]:
        turn(sys.argv[1], api)
        asyncio.run(aturn(sys.argv[1], api))
