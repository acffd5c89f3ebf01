"""Extra ``langchain``: the adapter works without LlamaIndex."""

import sys

from absent import import_error, missing

from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerator

llm = ChatXAILowCode(model="grok-4.7")
assert llm.invoke("Say 'pong'").text == "pong"
assert "".join(chunk.text for chunk in llm.stream("Say 'pong'")) == "pong"
assert XAIImageGenerator().invoke("A lighthouse at dawn")

assert not {"llama_index", "llama_index_xai_lowcode"} & sys.modules.keys()
if missing("llama_index.core"):
    assert "pip install 'xai-lowcode[llama-index]'" in import_error(
        "XAILowCode", "llama_index_xai_lowcode"
    )
