# `just` alone lists the recipes.

set shell := ["bash", "-euo", "pipefail", "-c"]

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

_default:
    @just --list --unsorted

# formatting, lints, spelling: before each commit
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --quiet -- -D warnings
    typos

# the tests whose names contain WORDS, or all of them
test *WORDS:
    @.ci/test {{ WORDS }}

# the same, writing what expect-tests found into them: read the diff
expect *WORDS:
    @UPDATE_EXPECT=1 .ci/test {{ WORDS }}

# rustdoc with private items, warnings as errors
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet

# the binary against the simulated engine: a part of `test`
e2e:
    cargo test --package crestline --test it

# pages in a headless Chromium, which is installed where it may be: a part of `test`
browser *WORDS:
    @.ci/browser {{ WORDS }}

# the Python package, installed into an environment of its own: mypy, then its tests: a part of `test`
python *WORDS:
    @.ci/python {{ WORDS }}

# check, docs and test, with the time of each step
ci:
    @for step in check docs; do TIMEFORMAT="== $step: %0lR"; time just "$step"; done
    @just test

# llama.cpp with a small model under closed and open loop; installs both (370 MB)
real:
    python3 -m venv .venv && .venv/bin/pip install -q -r crates/cli/tests/real/requirements.txt
    cargo test --package crestline --test real -- --nocapture --test-threads=1 --skip sweep::

# a sweep over llama.cpp with 1, 2 and 4 slots, the highest load within an SLA for each; installs both (370 MB)
real-sweep:
    python3 -m venv .venv && .venv/bin/pip install -q -r crates/cli/tests/real/requirements.txt
    cargo test --package crestline --test real sweep -- --nocapture --test-threads=1

# what the client costs and how true its figures are, against a bare socket reader in the same run
bench-client *ARGS:
    cargo bench --package crestline --bench client -- {{ ARGS }}

# `bench serve` and vLLM's own clients on the same service, beside the truth; installs vLLM into .peer (9 GB)
peer-vllm:
    python3 -m venv .peer && .peer/bin/pip install -q --no-cache-dir vllm==0.32.0
    CRESTLINE_PEER_VLLM={{ justfile_directory() }}/.peer cargo bench --package crestline --bench client -- serving

# how near searches come to the truth, and what they cost: `tuning`, `held-out`, `all`, `trace NAME`, ..., in real time `live`
bench-search *ARGS:
    {{ if ARGS =~ '^live' { "cargo build --release --quiet --package crestline" } else { "" } }}
    cargo bench --quiet --package crestline-experiment --bench search -- {{ ARGS }}

# whether `bench sweep serve_sla` finds the best of six simulated servers: SEEDS, then `request_rate` or `max_concurrency`; `prune` first compares with --prune
bench-sweep *ARGS:
    cargo bench --quiet --package crestline --bench sweep -- {{ ARGS }}

# how often `compare` is right: PAIRS of runs (200) of the same engine and of one that takes 5 % longer, at the loads whose names contain WORDS
bench-compare *ARGS:
    cargo bench --quiet --package crestline-experiment --bench compare -- {{ ARGS }}

# what a load from several machines costs the coordinator: bytes a record, records a second, processor time; with WORKERS (4)
bench-distributed *ARGS:
    cargo bench --quiet --package crestline-experiment --bench distributed -- {{ ARGS }}

# what reports of ten thousand and of a million requests cost: time, memory, size; `10k` or `1M` alone
bench-report *ARGS:
    cargo bench --quiet --package crestline --bench report -- {{ ARGS }}

# what a million stored requests cost to read into pyarrow, pandas and Polars: time, memory; after `.ci/python`
bench-arrow ROWS="1000000":
    CRESTLINE_ARROW_ROWS={{ ROWS }} target/python-tests/bin/python -m pytest -q -s python/tests/arrow/test_memory.py

# what a data set, a builder and a parser in Python cost a load of RATE req/s: send lags with and without; after a release build with pip
bench-python RATE="2000" SECONDS="10" ROUNDS="3":
    target/python-tests/bin/python python/tests/callables/pace.py {{ RATE }} {{ SECONDS }} {{ ROUNDS }}

# find the truths that bench-search needs and does not have: minutes of work
bench-search-truth NAME="":
    cargo bench --quiet --package crestline-experiment --bench search -- truth {{ NAME }}

# what a tracker that blocks for ever does to TTFT p99: PAIRS of runs (12) on a machine that does nothing else
bench-tracker *PAIRS:
    cargo bench --quiet --package crestline --bench tracker -- {{ PAIRS }}

# feed random bytes to fuzz/fuzz_targets/TARGET.rs for SECONDS; needs `cargo install cargo-fuzz --locked` and g++
fuzz TARGET SECONDS="60":
    mkdir -p fuzz/corpus/{{ TARGET }} fuzz/seeds/{{ TARGET }}
    cargo fuzz run --sanitizer none {{ TARGET }} fuzz/corpus/{{ TARGET }} fuzz/seeds/{{ TARGET }} -- -max_total_time={{ SECONDS }}
