"""Requests of stored runs as Arrow, pandas and Polars: values, columns, errors."""

import sqlite3
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow
import pytest

from crestline.errors import CrestlineError, DamagedRun, NotARun, RunNotFound, UnknownColumn
from crestline.run import Run, columns


def stored(database: Path, column: str) -> list[Any]:
    """A column of the file itself."""
    connection = sqlite3.connect(database)
    values = [row[0] for row in connection.execute(f"SELECT {column} FROM result ORDER BY rowid")]
    connection.close()
    return values


def test_a_table_holds_what_the_file_holds(database: Path) -> None:
    """Each way to read gives the same rows."""
    requests = Run.open(database).requests
    table = pyarrow.table(requests)
    assert table.num_rows == len(requests) == 60
    for column, name in [("index", "request_index"), ("output_tokens", "output_tokens")]:
        assert table[column].to_pylist() == stored(database, name)
    for column, name in [("due", "due_ns"), ("first_token", "first_token_ns"), ("end", "end_ns")]:
        assert table[column].to_pylist() == [value / 1e9 for value in stored(database, name)]
    assert table["ttft"].to_pylist() == pytest.approx(stored(database, "first_chunk_latency"))
    frame = requests.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["latency"].tolist() == table["latency"].to_pylist()
    assert frame["failure_kind"].isna().all()
    polar = requests.to_polars()
    assert isinstance(polar, polars.DataFrame)
    assert polar["latency"].to_list() == table["latency"].to_pylist()
    assert polar["output_tokens_source"].unique().to_list() == ["usage"]
    assert polars.DataFrame(requests).equals(polar)


def test_columns_say_what_they_are_measured_in(database: Path) -> None:
    """Times are float64 seconds, counts whole numbers, words dictionaries."""
    schema = pyarrow.schema(Run.open(database).requests)
    assert schema.field("ttft").type == pyarrow.float64()
    assert schema.field("ttft").metadata[b"unit"] == b"s"
    assert schema.field("ttft").metadata[b"description"] == b"first_token - sent"
    assert schema.field("output_rate").metadata[b"unit"] == b"tok/s"
    assert schema.field("input_tokens").type == pyarrow.uint32()
    assert schema.field("index").type == pyarrow.uint64()
    assert pyarrow.types.is_dictionary(schema.field("failure_kind").type)


def test_columns_are_chosen_by_name(database: Path) -> None:
    """Texts and lists are there only when they are named."""
    requests = Run.open(database).requests
    assert not {"gaps", "request", "answer"} & set(requests.column_names)
    chosen = requests.select("gaps", "index", "answer", "request").to_arrow()
    assert chosen.column_names == ["gaps", "index", "answer", "request"]
    assert chosen.schema.field("gaps").type.value_type == pyarrow.float32()
    assert [len(gaps) for gaps in chosen["gaps"].to_pylist()] == [4] * 60
    assert all(isinstance(text, str) for text in chosen["request"].to_pylist())
    more = requests.with_columns("gaps")
    assert more.column_names == [*requests.column_names, "gaps"]
    assert [column.name for column in columns() if column.usual] == requests.column_names
    with pytest.raises(UnknownColumn, match="no column `ttfd`: did you mean `ttft`") as refused:
        requests.select("ttfd")
    assert isinstance(refused.value, KeyError) and isinstance(refused.value, CrestlineError)


def test_a_run_says_what_it_was(database: Path) -> None:
    """Plan, end and place; a notebook shows the columns."""
    run = Run.open(database)
    assert run.plan["model"] == "m"
    assert run.complete
    assert run.path == str(database)
    assert repr(run.requests) == f"<60 requests, {len(run.requests.column_names)} columns, of {database}>"
    html = run.requests._repr_html_()
    assert "<code>ttft</code></td><td>s</td><td>first_token - sent" in html
    assert run.server_metrics.to_arrow().column_names == ["series", "labels", "kind", "at", "value"]


def test_a_folder_is_the_run_that_it_holds(database: Path, tmp_path: Path) -> None:
    """A folder of one load, or one above it; several are named."""
    assert Run.open(database.parent).path == str(database)
    assert Run.open(database.parents[2]).path == str(database)
    for load in ["a", "b"]:
        (tmp_path / load).mkdir()
        (tmp_path / load / "benchmark_data.db").write_bytes(database.read_bytes())
    with pytest.raises(NotARun, match="holds 2 runs: open one of `.*/a`, `.*/b`"):
        Run.open(tmp_path)


def test_what_is_no_run_is_refused_in_its_own_words(database: Path, tmp_path: Path) -> None:
    """Missing, empty, of something else, cut."""
    with pytest.raises(RunNotFound, match="does not exist"):
        Run.open(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        Run.open(tmp_path / "none")
    with pytest.raises(NotARun, match="no run in .*benchmark_data.db"):
        Run.open(tmp_path)
    text = tmp_path / "text.json"
    text.write_text("{}" * 1000)
    with pytest.raises(NotARun):
        Run.open(text)
    cut = tmp_path / "cut.db"
    cut.write_bytes(database.read_bytes()[:-8192])
    with pytest.raises((DamagedRun, NotARun), match="cut.db"):
        Run.open(cut).requests.to_arrow()
    wrong = tmp_path / "wrong.db"
    wrong.write_bytes(database.read_bytes())
    connection = sqlite3.connect(wrong)
    connection.execute("UPDATE result SET due_ns = 'x' WHERE rowid = 30")
    connection.commit()
    connection.close()
    requests = Run.open(wrong).requests
    for read in [requests.to_arrow, requests.to_pandas, requests.to_polars]:
        with pytest.raises(DamagedRun, match="`due_ns` of row 30"):
            read()
    with pytest.raises(DamagedRun, match="`due_ns` of row 30"):
        list(requests.batches())
