# %% [markdown]
# # Pictures
#
# Made by Grok, shown in the notebook, shown to Grok, and made by agents when they need one. The emulator paints
# too: shapes and colours that follow from the words, with the words written on them.

# %%
from start import connect

emulator = connect()

# %% [markdown]
# ## One order
#
# `Gateway.create_images` gives an `ImageBatch`, which a notebook displays.

# %%
from IPython.display import display

from xai_lowcode import Gateway, ImageRequest, Settings, images

gateway = Gateway(Settings.create())
batch = gateway.create_images(
    ImageRequest(prompt="A lighthouse at dawn", n=2, response_format="b64_json")
)
print(batch.cost_usd, "US dollars for", len(batch.images))
display(batch)

# %% [markdown]
# Each one can be saved, or opened with Pillow. Its repr is short, however large the image is.

# %%
import tempfile
from io import BytesIO
from pathlib import Path

import PIL.Image

first = batch.images[0]
with tempfile.TemporaryDirectory() as folder:
    saved = first.save(Path(folder) / "lighthouse.png")
    print(saved.name, saved.stat().st_size > 0)
picture = PIL.Image.open(BytesIO(first.content))
print(picture.size, picture.mode, first.mime_type)

# %%
picture.crop((300, 300, 724, 724)).resize((160, 160)).convert("L")

# %% [markdown]
# ## LangChain
#
# `XAIImageGenerator` is a Runnable: a prompt in, standard image blocks out. `images` displays blocks.

# %%
from langchain_core.prompts import PromptTemplate

from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerator

painter = XAIImageGenerator(response_format="b64_json")
chain = PromptTemplate.from_template("A {animal} on a cliff, wide landscape") | painter
blocks = chain.invoke({"animal": "goat"})
images(blocks)

# %% [markdown]
# ### And back into a conversation
#
# A block goes into a message as it is. `content_blocks` of any message can be shown the same way.

# %%
from langchain_core.messages import HumanMessage

llm = ChatXAILowCode(model="grok-4.3")
shown = HumanMessage(content_blocks=[{"type": "text", "text": "What is this?"}, *blocks])
print(llm.invoke([shown]).text)

# %% [markdown]
# ### An agent that paints
#
# The model reads one line; the pictures are the `artifact` of the tool message, so that they cost no context.

# %%
from langchain.agents import create_agent

from langchain_xai_lowcode import XAIImageGenerationTool

agent = create_agent(llm, [XAIImageGenerationTool(image_format="b64_json")])
messages = agent.invoke({"messages": "Generate an image of 'a red boat in fog'."})["messages"]
for message in messages:
    print(f"{message.type:>6}: {message.text or message.tool_calls[0]['args']}")
images(messages[2].artifact)

# %% [markdown]
# ## LlamaIndex
#
# The same, in `ImageBlock`s.

# %%
from llama_index.core.llms import ChatMessage, TextBlock

from llama_index_xai_lowcode import XAIImageGenerator as Painter
from llama_index_xai_lowcode import XAIImageToolSpec, XAILowCode

grok = XAILowCode(model="grok-4.3")
sails = Painter().generate("Three sails, portrait", response_format="b64_json")
print(grok.chat([ChatMessage(blocks=[TextBlock(text="What is this?"), *sails])]))
images(sails)

# %% [markdown]
# With `show=True` the model is given what it has painted, and can look at it.

# %%
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult

tools = XAIImageToolSpec(Painter(), show=True, response_format="b64_json").to_tool_list()
handler = FunctionAgent(tools=tools, llm=grok).run("Generate an image of 'a whale and the moon'.")
painted = []
async for event in handler.stream_events():
    if isinstance(event, ToolCallResult):
        painted += event.tool_output.raw_output
print(await handler)
images(painted)

# %% [markdown]
# ## What cannot be painted
#
# An impossible order is refused before anything is sent or paid for.

# %%
from xai_lowcode import XAILowCodeError

for wrong in ({"n": 11}, {"prompt": " "}, {"response_format": "gif"}):
    try:
        painter.invoke({"prompt": "A boat", **wrong})
    except XAILowCodeError as error:
        print(error)
gateway.close()
