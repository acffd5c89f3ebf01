"""Threads of an agent in an SQLite file, gone on with in another process."""

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
from tests.langchain.places import QUESTION, get_weather, in_form


def thread(api: str) -> Any:
    """The configuration of the thread of one wire form."""
    return {"configurable": {"thread_id": api}}


def turn(path: str, api: str, question: Any = QUESTION, tool: Any = get_weather) -> Any:
    """One turn of a thread, or the rest of one if nothing is asked: its messages."""
    with closing(sqlite3.connect(path, check_same_thread=False)) as file:
        agent: Any = create_agent(
            in_form(ChatXAILowCode, api), [tool], checkpointer=SqliteSaver(file)
        )
        return agent.invoke(question, thread(api), durability="sync")["messages"]


async def aturn(path: str, api: str, question: Any = QUESTION) -> Any:
    """The same, async."""
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        agent: Any = create_agent(in_form(ChatXAILowCode, api), [get_weather], checkpointer=saver)
        return (await agent.ainvoke(question, thread(api)))["messages"]


def crash(path: str, api: str) -> None:
    """One turn of a thread, in which the process dies with the tool."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        os._exit(len(city))

    turn(path, api, tool=get_weather)


if __name__ == "__main__":
    # A new process goes on with each thread.
    for form in sys.argv[2:]:
        turn(sys.argv[1], form)
        asyncio.run(aturn(sys.argv[1], form))
