"""What it takes to read a run of many requests: a small run in virtual time, its rows multiplied.

`just bench-arrow` is this test with a million requests.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = int(os.environ.get("CRESTLINE_ARROW_ROWS", 100_000))
EMPTY_MB = 200
"""Most that Python takes with pyarrow, pandas and Polars in it, in MB of a million bytes."""
MILLION_MB = 600
"""Most that a process takes in all that reads a million requests."""

READERS = {
    "nothing": "pass",
    "batches": "assert sum(batch.num_rows for batch in run.requests.batches()) == rows",
    "pyarrow": "table = run.requests.to_arrow(); assert table.num_rows == rows",
    "pandas": "frame = run.requests.to_pandas(); assert len(frame) == rows",
    "polars": "frame = run.requests.to_polars(); assert frame.height == rows",
}
"""What a process of its own does with a run."""

SCRIPT = """
import sys, time
import pyarrow, pandas, polars
from crestline.run import Run
run = Run.open(sys.argv[1])
rows = int(sys.argv[2])
began = time.monotonic()
{read}
took = time.monotonic() - began
status = open('/proc/self/status').read()
peak = next(line for line in status.splitlines() if line.startswith('VmHWM'))
print(took, int(peak.split()[1]) * 1024 / 1e6)
"""


@pytest.fixture(scope="module")
def many(usual_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `ROWS` requests without texts: a little over a kilobyte each."""
    database = tmp_path_factory.mktemp("many") / "many.db"
    shutil.copy(usual_database, database)
    connection = sqlite3.connect(database)
    connection.execute("UPDATE result SET request = NULL, response_messages = NULL")
    names = [row[1] for row in connection.execute("PRAGMA table_info(result)")]
    times = {name: f"{name} + ?2" for name in names if name.endswith("_ns")}
    del times["slot_wait_ns"], times["connect_ns"]  # Spans stay as they are.
    values = times | {"request_index": "request_index + ?1"}
    chosen = ", ".join(values.get(name, name) for name in names)
    there, span = connection.execute("SELECT count(*), max(end_ns) FROM result").fetchone()
    while there < ROWS:
        copied = min(there, ROWS - there)
        select = f"INSERT INTO result SELECT {chosen} FROM result WHERE rowid <= {copied}"
        connection.execute(select, (there, span))
        there, span = there + copied, 2 * span
    connection.commit()
    connection.close()
    return database


def cost(database: Path, reader: str) -> tuple[float, float]:
    """Seconds, and the highest memory in MB of a process that reads a run, all of it included."""
    command = [sys.executable, "-c", SCRIPT.format(read=READERS[reader]), str(database), str(ROWS)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, megabytes = map(float, answer.split())
    return seconds, megabytes


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("reader", READERS)
def test_a_run_takes_as_much_memory_as_a_million_requests_may_in_proportion(
    reader: str, many: Path
) -> None:
    """A million requests stay below 600 MB in all; of fewer, what they take beyond an empty process is less."""
    seconds, megabytes = cost(many, reader)
    print(f"\n{ROWS} requests into {reader}: {seconds:.1f} s, {megabytes:.0f} MB", end="")
    # What is read ahead does not depend on how many rows there are.
    share = min(1.0, ROWS / 1e6 + 0.1)
    assert megabytes < EMPTY_MB + (MILLION_MB - EMPTY_MB) * share
