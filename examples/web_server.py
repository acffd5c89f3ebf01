"""Serve a LangGraph agent with FastAPI: server-sent events, cancelled when the browser leaves.

    pip install "xai-lowcode[langchain] @ git+https://github.com/xai-lowcode/xai-lowcode" \
        fastapi langchain uvicorn
    uvicorn --app-dir examples web_server:app --workers 2
    curl -N localhost:8000/chat --json '{"prompt": "How is the weather in Vienna?"}'

The token is read from LOWCODEAPI_API_TOKEN. Each worker process has its own connections and its own
`max_concurrency`. `examples/Dockerfile` runs the same command in a container.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from pydantic import BaseModel, Field

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode import AsyncGateway, Settings
from xai_lowcode.errors import XAILowCodeError

Item = TypeVar("Item")
END = object()
# no-cache and X-Accel-Buffering: proxies such as nginx must not collect the stream.
SSE_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class ChatRequest(BaseModel):
    """Body of a request to /chat."""

    prompt: str = Field(min_length=1, max_length=20_000)


async def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}."


async def in_own_task(items: AsyncGenerator[Item, None]) -> AsyncIterator[Item]:
    """Iterate in a task of its own, which is cancelled once when this iterator is closed."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def produce() -> None:
        try:
            async with aclosing(items):
                async for item in items:
                    queue.put_nowait(item)
        finally:
            queue.put_nowait(END)

    task = asyncio.create_task(produce())
    try:
        while (item := await queue.get()) is not END:
            yield item
        await task  # raises the error of the graph
    finally:
        task.cancel()


async def stream_text(agent: Any, prompt: str) -> AsyncGenerator[str, None]:
    """Run the agent and yield the text of the model."""
    messages = {"messages": [{"role": "user", "content": prompt}]}
    async for message, _ in agent.astream(messages, stream_mode="messages"):
        if isinstance(message, AIMessageChunk) and message.text:
            yield message.text


def to_event(name: str, data: object) -> str:
    """Return a server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def stream_events(agent: Any, prompt: str) -> AsyncIterator[str]:
    """Yield the server-sent events of a response; an error is an event: the status was sent."""
    try:
        async for text in in_own_task(stream_text(agent, prompt)):
            yield to_event("text", text)
    except XAILowCodeError as error:
        yield to_event("error", {"type": type(error).__name__, "retryable": error.is_retryable})
    else:
        yield to_event("end", None)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Create the model when the worker process starts, and close it at shutdown."""
    model = ChatXAILowCode(timeout=60, deadline=120, max_retries=1, max_concurrency=100)
    settings = Settings.create(timeout=5, deadline=5, max_retries=0)
    async with AsyncGateway(settings) as gateway:
        app.state.agent = create_agent(model, [get_weather])
        app.state.gateway = gateway
        yield
    await model.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/chat")
async def chat(body: ChatRequest, request: Request) -> Response:
    """Stream the response of the agent."""
    events = stream_events(request.app.state.agent, body.prompt)
    return StreamingResponse(events, media_type="text/event-stream", headers=SSE_HEADERS)


@app.get("/health/live")
async def is_live() -> dict[str, str]:
    """Liveness: the process responds."""
    return {"status": "ok"}


@app.get("/health/ready")
async def is_ready(request: Request) -> Response:
    """Readiness: the gateway accepts the token, and xAI the key. Free of charge."""
    try:
        await request.app.state.gateway.get_api_key()
    except XAILowCodeError as error:
        return JSONResponse({"status": type(error).__name__}, 503)
    return JSONResponse({"status": "ok"})
