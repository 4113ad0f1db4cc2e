"""Data sets, request builders and response parsers that are Python code, in runs."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crestline import _native, plugins
from crestline.errors import CrestlineError, PluginError
from crestline.perf import Arguments, run_perf_benchmark
from crestline.run import Run

USUAL: dict[str, Any] = {"model": "m", "parallel": 2, "number": 6, "no_timestamp": True}


def requests_of(outputs: Path, *columns: str) -> list[dict[str, Any]]:
    """Columns of the requests of the one run in a folder, by their index."""
    rows = Run.open(outputs).requests.select("index", *columns).to_arrow().to_pylist()
    return sorted(rows, key=lambda row: int(row["index"]))


def measured(folder: Path, *columns: str, **fields: Any) -> list[dict[str, Any]]:
    """What comes of a run with these fields."""
    run_perf_benchmark(Arguments(**USUAL | fields, outputs_dir=folder), quiet=True)
    return requests_of(folder, *columns)


def asked(row: dict[str, Any]) -> str:
    """The last message of a request."""
    import json

    return str(json.loads(row["request"])["messages"][-1]["content"])


class Shouting:
    """An API whose bodies have a user, and whose answers are shouted."""

    def build_request(self, prompt: Any, parameters: plugins.Parameters) -> dict[str, Any]:
        """A chat with the index as user."""
        return {
            "model": parameters.model,
            "messages": prompt,
            "max_tokens": parameters.max_tokens,
            "stream": parameters.stream,
            "user": f"u{parameters.index}",
        }

    def parse_responses(self, responses: list[Any], request: Any) -> tuple[int, int, str]:
        """Eleven tokens for the prompt, one for each event with text."""
        deltas = [event["choices"][0]["delta"] for event in responses if event.get("choices")]
        texts = [delta["content"] for delta in deltas if delta.get("content")]
        return 11, len(texts), request["user"] + ":" + "".join(texts).upper()


def test_items_of_a_callable_are_sent_in_virtual_time(tmp_path: Path) -> None:
    """Texts, with lengths of their own."""
    rows = measured(
        tmp_path,
        "request",
        "output_tokens",
        url="sim:constant-20ms",
        dataset=lambda index: {"prompt": f"tell me of {index}", "max_tokens": 3 + index % 2},
    )
    assert [asked(row) for row in rows] == [f"tell me of {index}" for index in range(6)]
    assert [row["output_tokens"] for row in rows] == [3, 4] * 3


def test_a_sequence_begins_anew_when_all_is_sent(tmp_path: Path) -> None:
    """So does whatever can be iterated again."""
    for name, dataset in [("list", ["a", "b"]), ("keys", {"a": 1, "b": 2}.keys())]:
        rows = measured(
            tmp_path / name, "request", url="sim:constant-20ms", dataset=dataset, max_tokens=2
        )
        assert [asked(row) for row in rows] == ["a", "b"] * 3


def test_an_iterator_goes_on_from_load_to_load(tmp_path: Path) -> None:
    """Each item is sent once."""

    def items() -> Iterator[list[dict[str, str]]]:
        for number in range(100):
            yield [{"role": "system", "content": "s"}, {"role": "user", "content": str(number)}]

    fields: dict[str, Any] = {"parallel": [1, 2], "number": [3, 4], "max_tokens": 2}
    arguments = Arguments(
        **USUAL | fields, url="sim:constant-20ms", dataset=items(), outputs_dir=tmp_path
    )
    results = run_perf_benchmark(arguments, quiet=True)
    sent = [
        asked(row)
        for result in results.values()
        for row in requests_of(Path(result.folder), "request")
    ]
    assert sent == [str(number) for number in range(7)]


def test_registered_names_are_data_sets_and_apis(
    tmp_path: Path, sim: Callable[..., str]
) -> None:
    """As EvalScope's users have them: classes with a method each."""

    @plugins.register_dataset("counting")
    class Counting:
        def build_messages(self) -> Iterator[list[dict[str, str]]]:
            for number in range(3):
                yield [{"role": "user", "content": str(number)}]

    @plugins.register_api("shouting")
    class Registered(Shouting):
        pass

    try:
        rows = measured(
            tmp_path,
            "request",
            "answer",
            url=sim("--profile", "full-speed"),
            dataset="counting",
            api="shouting",
            max_tokens=3,
        )
    finally:
        _native.remove_dataset("counting")
        _native.remove_api("shouting")
    assert [asked(row) for row in rows] == ["0", "1", "2"] * 2
    assert all(row["answer"].startswith(f"u{row['index']}:") for row in rows)
    assert isinstance(Counting, type) and isinstance(Registered, type)


def test_bodies_and_answers_are_those_of_the_api(tmp_path: Path, sim: Callable[..., str]) -> None:
    """Tokens and texts come from the parser, times from the events."""
    rows = measured(
        tmp_path,
        "request",
        "answer",
        "input_tokens",
        "output_tokens",
        "ttft",
        "chunks",
        url=sim("--profile", "full-speed"),
        dataset=["hello"],
        api=Shouting(),
        max_tokens=5,
    )
    for row in rows:
        assert f'"user":"u{row["index"]}"' in row["request"].replace(" ", "")
        assert row["answer"] == row["answer"][:3] + row["answer"][3:].upper()
        assert (row["input_tokens"], row["output_tokens"]) == (11, row["chunks"])
        assert row["ttft"] > 0


def test_an_api_needs_a_service(tmp_path: Path) -> None:
    """In virtual time there are no bodies."""
    with pytest.raises(CrestlineError, match="needs a service: in virtual time no body is sent"):
        measured(tmp_path, url="sim:constant-20ms", dataset=["x"], api=Shouting())


def test_what_raises_at_once_is_told_before_the_load(
    tmp_path: Path, sim: Callable[..., str]
) -> None:
    """With the traceback of the user's own code."""

    def broken(index: int) -> str:
        raise ValueError(f"no item {index}")

    class Broken(Shouting):
        def build_request(self, prompt: Any, parameters: plugins.Parameters) -> dict[str, Any]:
            raise LookupError("no body")

    with pytest.raises(CrestlineError, match=r"(?s)ValueError: no item 0.*in broken"):
        measured(tmp_path, url="sim:constant-20ms", dataset=broken)
    with pytest.raises(CrestlineError, match=r"(?s)LookupError: no body.*in build_request"):
        measured(tmp_path, url=sim("--profile", "full-speed"), dataset=["x"], api=Broken())
    assert not list(tmp_path.rglob("*.db"))


def test_what_raises_later_fails_its_request_alone(
    tmp_path: Path, sim: Callable[..., str]
) -> None:
    """The kind says whose fault it was, the text why."""

    def items() -> Iterator[str]:
        yield from "abcd"

    class Reading(Shouting):
        def parse_responses(self, responses: list[Any], request: Any) -> tuple[int, int, str]:
            if request["user"] == "u1":
                raise ArithmeticError("no tokens")
            return 1, 1, "ok"

    rows = measured(
        tmp_path,
        "failure_kind",
        "failure_text",
        url=sim("--profile", "full-speed"),
        dataset=items(),
        api=Reading(),
        max_tokens=2,
    )
    kinds = [row["failure_kind"] for row in rows]
    assert kinds == [None, "not_read", None, None, "not_made", "not_made"]
    assert "ArithmeticError: no tokens" in rows[1]["failure_text"]
    assert "the data set ended after 4 items" in rows[4]["failure_text"]


@pytest.mark.parametrize("part", ["dataset", "builder", "parser"])
def test_code_that_cannot_keep_up_makes_the_run_void(
    part: str, tmp_path: Path, sim: Callable[..., str]
) -> None:
    """The reason says which it was, how fast it was, and what was due."""

    class Slow(Shouting):
        def build_request(self, prompt: Any, parameters: plugins.Parameters) -> dict[str, Any]:
            time.sleep(0.02 * (part == "builder"))
            return super().build_request(prompt, parameters)

        def parse_responses(self, responses: list[Any], request: Any) -> tuple[int, int, str]:
            time.sleep(0.02 * (part == "parser"))
            return 1, 1, ""

    def slow(index: int) -> str:
        time.sleep(0.02 * (part == "dataset"))
        return "hello"

    fields = Arguments(
        model="m",
        url=sim("--profile", "full-speed"),
        dataset=slow,
        api=Slow(),
        open_loop=True,
        rate=400,
        number=450,
        max_tokens=2,
        no_timestamp=True,
        outputs_dir=tmp_path,
    )
    [result] = run_perf_benchmark(fields, quiet=True).values()
    assert result.health.is_void
    names = {
        "dataset": "the data set `python-dataset-slow` gave",
        "builder": "the request builder `python-api-Slow` gave",
        "parser": "the response parser `python-api-Slow` gave",
    }
    reasons = " ".join(result.health.reasons)
    assert names[part] in reasons
    assert "/s were due" in reasons


def test_code_of_the_wrong_form_is_refused(tmp_path: Path) -> None:
    """Before anything else."""

    class NeedsArguments:
        def __init__(self, path: str) -> None:
            self.path = path

    with pytest.raises(PluginError, match="a callable `\\(index\\) -> item` or an iterable"):
        measured(tmp_path, url="sim:constant-20ms", dataset=7)
    with pytest.raises(PluginError, match="has neither"):
        measured(tmp_path, url="sim:constant-20ms", dataset=["x"], api=object())
    with pytest.raises(PluginError, match="made without arguments"):
        plugins.register_dataset("x")(NeedsArguments)
    with pytest.raises(CrestlineError, match="item 0 is `7`"):
        measured(tmp_path, url="sim:constant-20ms", dataset=lambda index: 7)
    with pytest.raises(CrestlineError, match="has no items"):
        measured(tmp_path, url="sim:constant-20ms", dataset=[])
