"""Refuse credentials among the options of a call before LlamaIndex records them.

LlamaIndex wraps the methods of a class in spans when the class is created, and spans record
arguments. The mixin wraps these methods once more, outside the spans.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import OPTIONS

# Methods that take options as keyword arguments.
_WITH_OPTIONS = (
    *("chat", "achat", "stream_chat", "astream_chat"),
    *("complete", "acomplete", "stream_complete", "astream_complete"),
    *("predict_and_call", "apredict_and_call", "_prepare_chat_with_tools"),
)
# Methods that take options as ``llm_kwargs``, the third argument; their other keyword arguments
# are values of the prompt.
_WITH_LLM_KWARGS = (
    *("structured_predict", "astructured_predict"),
    *("stream_structured_predict", "astream_structured_predict"),
)
_LLM_KWARGS_INDEX = 2
# Arguments of these methods that are not checked: they are not sent as unknown fields.
_KNOWN = OPTIONS | {
    *("model", "deferred", "messages", "prompt", "formatted", "user_msg", "chat_history"),
}


class CredentialGuardMixin:
    """Checks the options of calls of its subclasses; must come before LlamaIndex's class."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in (*_WITH_OPTIONS, *_WITH_LLM_KWARGS):
            method = inspect.getattr_static(cls, name)
            if not hasattr(method, "refuses_credentials"):
                setattr(cls, name, _guard(method, has_llm_kwargs=name in _WITH_LLM_KWARGS))


def _find_error(llm: Any, options: Any) -> UsageError | None:
    options = options if isinstance(options, Mapping) else {}
    # additional_kwargs can be changed after the constructor has checked them.
    return credential_error(options, known=_KNOWN) or credential_error(
        llm.additional_kwargs, known=_KNOWN
    )


def _guard(method: Any, *, has_llm_kwargs: bool) -> Callable[..., Any]:
    def get_options(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not has_llm_kwargs:
            return kwargs
        is_positional = len(args) > _LLM_KWARGS_INDEX
        return args[_LLM_KWARGS_INDEX] if is_positional else kwargs.get("llm_kwargs")

    # Both clear their arguments before they raise: error trackers record the variables of frames.

    @wraps(method)
    def guarded(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        error = _find_error(self, get_options(args, kwargs))
        if error is not None:
            args, kwargs = (), {}
            raise error
        return method.__get__(self, type(self))(*args, **kwargs)

    @wraps(method)
    async def aguarded(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        error = _find_error(self, get_options(args, kwargs))
        if error is not None:
            args, kwargs = (), {}
            raise error
        return await method.__get__(self, type(self))(*args, **kwargs)

    wrapper: Callable[..., Any] = aguarded if inspect.iscoroutinefunction(method) else guarded
    vars(wrapper)["refuses_credentials"] = True
    return wrapper
