# %% [markdown]
# # Images
#
# Image generation, image input, and image tools in agents. The emulator generates images too: shapes and
# colours that depend on the prompt, with the prompt written on them.

# %% setup langchain
from xai_lowcode.notebook import connect

emulator = connect()

# %% [markdown]
# ## Generate images with the gateway client
#
# `Gateway.create_images` returns an `ImageBatch`. The images have a million pixels, so this notebook displays
# thumbnails made with Pillow.

# %%
import io

import PIL.Image
from IPython.display import display

from xai_lowcode import Gateway, ImageRequest, Settings
from xai_lowcode.types.images import Image, ImageBatch


def to_pil(image: Image) -> PIL.Image.Image:
    """Decode an image with Pillow."""
    return PIL.Image.open(io.BytesIO(image.content))


def show(batch: ImageBatch, alt: str, side: int = 220) -> None:
    """Display a thumbnail of each image, with an alternative text."""
    for image in batch.images:
        thumbnail = to_pil(image)
        thumbnail.thumbnail((side, side))
        display(thumbnail, metadata={"image/png": {"alt": alt}})


gateway = Gateway(Settings.create())
batch = gateway.create_images(
    ImageRequest(prompt="A lighthouse at dawn", n=2, response_format="b64_json")
)
print(batch.cost_usd, "US dollars for", len(batch.images))
show(batch, "Generated image of a lighthouse at dawn")

# %% [markdown]
# An image can be saved to a file, or processed with Pillow.

# %%
import tempfile
from pathlib import Path

first = batch.images[0]
with tempfile.TemporaryDirectory() as folder:
    path = first.save(Path(folder) / "lighthouse.png")
    print(path.name, path.stat().st_size > 0)
pil_image = to_pil(first)
print(pil_image.size, pil_image.mode, first.mime_type)

# %%
detail = pil_image.crop((300, 300, 724, 724)).resize((160, 160)).convert("L")
display(detail, metadata={"image/png": {"alt": "The middle of the first image in shades of grey"}})

# %% [markdown]
# ## LangChain
#
# `XAIImageGenerator` is a Runnable: a prompt in, standard image blocks out. `images` converts blocks to
# an `ImageBatch`.

# %%
from langchain_core.prompts import PromptTemplate

from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerator
from xai_lowcode import images

generator = XAIImageGenerator(response_format="b64_json")
chain = PromptTemplate.from_template("A {animal} on a cliff, wide landscape") | generator
blocks = chain.invoke({"animal": "goat"})
show(images(blocks), "Generated image of a goat on a cliff", 300)

# %% [markdown]
# ### Image input
#
# Add an image block to a message to send it to the model.

# %%
from langchain_core.messages import HumanMessage

llm = ChatXAILowCode(model="grok-4.3")
message = HumanMessage(content_blocks=[{"type": "text", "text": "What is this?"}, *blocks])
print(llm.invoke([message]).text)

# %% [markdown]
# ### An agent with an image tool
#
# The model receives one line of text; the images are the `artifact` of the tool message, so that they use no
# context.

# %%
from langchain.agents import create_agent

from langchain_xai_lowcode import XAIImageGenerationTool

agent = create_agent(llm, [XAIImageGenerationTool(image_format="b64_json")])
messages = agent.invoke({"messages": "Generate an image of 'a red boat in fog'."})["messages"]
for message in messages:
    print(f"{message.type:>6}: {message.text or message.tool_calls[0]['args']}")
show(images(messages[2].artifact), "Generated image of a red boat in fog")

# %% [markdown]
# ## LlamaIndex
#
# The same with `ImageBlock`s.

# %%
from llama_index.core.llms import ChatMessage, TextBlock

from llama_index_xai_lowcode import XAIImageGenerator as LlamaIndexImageGenerator
from llama_index_xai_lowcode import XAIImageToolSpec, XAILowCode

llama_llm = XAILowCode(model="grok-4.3")
llama_blocks = LlamaIndexImageGenerator().generate(
    "Three sails, portrait", response_format="b64_json"
)
print(llama_llm.chat([ChatMessage(blocks=[TextBlock(text="What is this?"), *llama_blocks])]))
show(images(llama_blocks), "Generated image of three sails", 240)

# %% [markdown]
# With `show=True` the generated images are also sent to the model.

# %%
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult

tool_spec = XAIImageToolSpec(LlamaIndexImageGenerator(), show=True, response_format="b64_json")
image_agent = FunctionAgent(tools=tool_spec.to_tool_list(), llm=llama_llm)
handler = image_agent.run("Generate an image of 'a whale and the moon'.")
generated = []
async for event in handler.stream_events():
    if isinstance(event, ToolCallResult):
        generated += event.tool_output.raw_output
print(await handler)
show(images(generated), "Generated image of a whale and the moon")

# %% [markdown]
# ## Invalid requests
#
# Invalid parameters are rejected before anything is sent or billed.

# %%
from xai_lowcode import XAILowCodeError

for invalid in ({"n": 11}, {"prompt": " "}, {"response_format": "gif"}):
    try:
        generator.invoke({"prompt": "A boat", **invalid})
    except XAILowCodeError as error:
        print(error)
gateway.close()
