"""Data sets, request builders and response parsers that are Python code.

A data set is a callable `(index) -> item` or an iterable of items; an API is an object with `build_request`,
`parse_responses`, or both. They are called off the hot path: items and bodies are made ahead by the threads that
prepare requests, and answers are read after their end. Where they cannot keep up with the load, the run is void and says
which of them it was.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from crestline import _native
from crestline.errors import PluginError

Item = str | Sequence[Mapping[str, Any]] | Mapping[str, Any]
"""A text, a list of messages, or an object. Of an object, `prompt` or `messages` is what is asked, `max_tokens` the
longest answer, and other fields go into the body of this request alone; one without `prompt` and `messages` is a whole
body."""

Dataset = Callable[[int], Item] | Iterable[Item]
"""Items by their index, from 0, or one after another. A sequence, or an iterable that can be begun anew, is begun anew
when all its items have been sent; an iterator ends, and the requests after its end fail with `not_made`."""

_KEPT = 1 << 15
"""Items of an iterable that are kept after they were pulled: threads ask for them in slightly different orders, and some
are looked at before the load."""

_C = TypeVar("_C")


@dataclass(frozen=True)
class Parameters:
    """What a request builder is told beside the prompt."""

    index: int
    """Position of the item in the workload, from 0."""
    model: str
    """The name that the service knows the model by."""
    max_tokens: int | None
    """Longest answer to ask for, in tokens; `None` leaves it to the server."""
    stream: bool
    """Ask for server-sent events."""
    min_tokens: int | None = None
    """Fewest tokens to ask for."""
    temperature: float | None = None
    """Sampling temperature."""
    top_p: float | None = None
    """Nucleus sampling."""
    top_k: int | None = None
    """Top-k sampling."""
    seed: int | None = None
    """Seed of the server's sampling."""
    stop: list[str] | None = None
    """Texts that end an answer."""
    n_choices: int | None = None
    """Answers a request."""
    frequency_penalty: float | None = None
    """Penalty on frequent tokens."""
    repetition_penalty: float | None = None
    """Penalty on repeated tokens."""
    extra_args: dict[str, Any] = field(default_factory=dict)
    """Fields that the user adds to every body; a builder decides whether it does."""


@runtime_checkable
class RequestBuilder(Protocol):
    """Makes bodies."""

    def build_request(self, prompt: Any, parameters: Any) -> Mapping[str, Any]:
        """The body for a prompt: a list of messages, or a text for a completion endpoint; a whole body as it is."""


@runtime_checkable
class ResponseParser(Protocol):
    """Reads answers."""

    def parse_responses(
        self, responses: list[Any], request: Any
    ) -> tuple[int | None, int | None] | tuple[int | None, int | None, str | None]:
        """Tokens of the prompt and of the answer, and its text where it has one.

        `responses` is the JSON of each event of a stream in its order, or the one of a whole body; what is no JSON is a
        text. `request` is the body that was sent. `None` leaves a figure to the usual ways of counting.
        """


Api = RequestBuilder | ResponseParser
"""An object with `build_request`, `parse_responses`, or both; what it has not is done as for `openai`."""


def register_dataset(name: str) -> Callable[[_C], _C]:
    """Makes `dataset=name` (and `--dataset NAME` in this process) the data set that this decorates.

    A function `(index) -> item`, or a class that is made without arguments and is one, has `__iter__`, or has
    `build_messages`, an iterable as EvalScope's data sets have it.
    """

    def register(dataset: _C) -> _C:
        _add_dataset(name, dataset)
        return dataset

    return register


def register_api(name: str) -> Callable[[_C], _C]:
    """Makes `api=name` (and `--api NAME` in this process) the API that this decorates.

    A class that is made without arguments, or an object, with `build_request`, `parse_responses` or both.
    """

    def register(api: _C) -> _C:
        _add_api(name, api)
        return api

    return register


@contextmanager
def named_dataset(dataset: str | Dataset) -> Iterator[str]:
    """The name of a data set while a command runs; one that is code has it as long."""
    if isinstance(dataset, str):
        yield dataset
        return
    name = _free_name(dataset, "dataset")
    _add_dataset(name, dataset)
    try:
        yield name
    finally:
        _native.remove_dataset(name)


@contextmanager
def named_api(api: str | Api) -> Iterator[str]:
    """The name of an API while a command runs; one that is code has it as long."""
    if isinstance(api, str):
        yield api
        return
    name = _free_name(api, "api")
    _add_api(name, api)
    try:
        yield name
    finally:
        _native.remove_api(name)


def _free_name(code: object, kind: str) -> str:
    """A name that no data set and no API of the product has."""
    own = getattr(code, "__name__", None) or type(code).__name__
    return f"python-{kind}-{own.strip('<>')}"


def _add_dataset(name: str, dataset: Any) -> None:
    code = _made(dataset, "a data set") if isinstance(dataset, type) else dataset
    if hasattr(code, "build_messages"):
        code = _Anew(code.build_messages)
    if callable(code):
        _native.add_dataset(name, _Called(code), None)
    elif isinstance(code, Sequence):
        _native.add_dataset(name, _Called(_Repeated(code)), len(code))
    elif isinstance(code, Iterable):
        number = len(code) if isinstance(code, Sized) else None
        _native.add_dataset(name, _Pulled(code), number)
    else:
        raise PluginError(
            f"a data set is a callable `(index) -> item` or an iterable of items, not a {type(code).__name__}"
        )


def _add_api(name: str, api: Any) -> None:
    code = _made(api, "an API") if isinstance(api, type) else api
    build = _Builder(code) if isinstance(code, RequestBuilder) else None
    parse = _Parser(code) if isinstance(code, ResponseParser) else None
    if build is None and parse is None:
        raise PluginError(
            f"an API has `build_request`, `parse_responses` or both; a {type(code).__name__} has neither"
        )
    _native.add_api(name, build, parse)


def _made(kind: type, what: str) -> Any:
    try:
        return kind()
    except TypeError as error:
        raise PluginError(
            f"{what} that is a class is made without arguments, which {kind.__name__} refuses: {error}; give an object"
        ) from error


class _Called:
    """Items of a callable, as JSON."""

    def __init__(self, call: Callable[[int], Any]) -> None:
        self._call = call

    def __call__(self, index: int) -> str:
        return json.dumps(_plain(self._call(index)))


class _Repeated:
    """Items of a sequence, again from the first."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def __call__(self, index: int) -> Any:
        return self._items[index % len(self._items)]


class _Anew:
    """An iterable that a call makes."""

    def __init__(self, begin: Callable[[], Iterable[Any]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[Any]:
        return iter(self._begin())


class _Pulled:
    """Items of an iterable, as JSON, whatever thread asks for which."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self._iterator = iter(items)
        self._ends = self._iterator is items
        self._pulled = 0
        self._kept: dict[int, str] = {}
        self._lock = threading.Lock()

    def __call__(self, index: int) -> str:
        # A generator may wait, and must not be entered by another thread meanwhile.
        with self._lock:
            # What is long gone, as where a load is measured again, is the next one instead.
            wanted = index if index in self._kept or index >= self._pulled else self._pulled
            while self._pulled <= wanted:
                self._kept[self._pulled] = json.dumps(_plain(self._next()))
                self._kept.pop(self._pulled - _KEPT, None)
                self._pulled += 1
            return self._kept[wanted]

    def _next(self) -> Any:
        try:
            return next(self._iterator)
        except StopIteration:
            if self._ends or self._pulled == 0:
                raise LookupError(f"the data set ended after {self._pulled} items") from None
            self._iterator = iter(self._items)
        try:
            return next(self._iterator)
        except StopIteration:
            raise LookupError("the data set has no items when it is begun anew") from None


class _Builder:
    """Bodies of an API, as JSON."""

    def __init__(self, api: RequestBuilder) -> None:
        self._build = api.build_request
        self._known: dict[tuple[str, str], dict[str, Any]] = {}

    def __call__(
        self, index: int, max_tokens: int | None, prompt: str, model: str, settings: str
    ) -> str:
        known = self._known.get((model, settings))
        if known is None:
            known = self._known[model, settings] = _settings(model, json.loads(settings))
        parameters = Parameters(index=index, max_tokens=max_tokens, **known)
        body = self._build(json.loads(prompt), parameters)
        if not isinstance(body, Mapping):
            raise TypeError(f"build_request gave a {type(body).__name__}: a mapping was expected")
        return json.dumps(_plain(body))


def _settings(model: str, generation: dict[str, Any]) -> dict[str, Any]:
    names = ["stream", "min_tokens", "temperature", "top_p", "top_k", "seed", "stop"]
    names += ["frequency_penalty", "repetition_penalty"]
    settings = {name: generation[name] for name in names}
    extra = {"n_choices": generation["choices"], "extra_args": generation["extra"]}
    return {"model": model, **settings, **extra}


class _Parser:
    """What an API reads in answers."""

    def __init__(self, api: ResponseParser) -> None:
        self._parse = api.parse_responses

    def __call__(self, pieces: list[str], request: str) -> tuple[int | None, int | None, str | None]:
        parsed = self._parse([_read(piece) for piece in pieces], _read(request))
        if not isinstance(parsed, tuple) or len(parsed) not in (2, 3):
            raise TypeError(
                f"parse_responses gave {parsed!r}: (input tokens, output tokens) or these and a text were expected"
            )
        text = parsed[2] if len(parsed) == 3 else None
        return (parsed[0], parsed[1], text)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    """A mapping of any kind as a dict, which JSON takes."""
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return dict(value)
    return value
