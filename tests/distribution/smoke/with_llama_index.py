"""Extra ``llama-index``: the adapter works without LangChain."""

import sys

from absent import import_error, missing
from llama_index.core.llms import ChatMessage

from llama_index.embeddings.xai_lowcode import XAILowCodeEmbedding
from llama_index.llms.xai_lowcode import XAILowCode
from llama_index.tools.xai_lowcode import XAIImageToolSpec, web_search
from llama_index_xai_lowcode import XAIImageGenerator

llm = XAILowCode(model="grok-4.7")
assert llm.complete("Say 'pong'").text == "pong"
assert [*llm.stream_chat([ChatMessage("Say 'pong'")])][-1].message.content == "pong"
assert XAIImageGenerator().generate("A lighthouse at dawn")
assert XAILowCodeEmbedding
assert XAIImageToolSpec(XAIImageGenerator()).to_tool_list()
assert llm.chat_with_tools([web_search()], "Search the web for Grok.").message.content

assert not {"langchain_core", "langchain_xai_lowcode"} & sys.modules.keys()
if missing("langchain_core"):
    assert "pip install 'xai-lowcode[langchain]'" in import_error(
        "ChatXAILowCode", "langchain_xai_lowcode"
    )
