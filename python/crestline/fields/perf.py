"""Fields of `perf`.

Made from the command line's parser by python/tests/test_fields.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from crestline.fields.values import Json, Pairs, Place
from crestline.plugins import Api, Dataset


class PerfFields(TypedDict, total=False):
    """Of `crestline perf`."""

    model: str | None
    """NAME: Name sent as `model`; its last path component names the output folder"""

    api: str | Api | None
    """NAME: Protocol of the service: `openai` (chat/completions and completions)"""

    tokenizer_path: Place | None
    """PATH|NAME: Tokenizer: a folder or `tokenizer.json`, a tiktoken file, a name in the local
    Hugging Face or ModelScope cache, or `builtin`. Needed by `--dataset random` and by
    `--tokenize-prompt`"""

    url: str | None
    """URL: URL of the service; the endpoint's path is added where it is missing. `sim:NAME` or
    `sim:FILE.toml` measures the simulated engine in virtual time instead"""

    headers: Pairs | None
    """NAME=VALUE: Headers sent with each request"""

    api_key: str | None
    """KEY: Sent as `Authorization: Bearer KEY`; without it the environment variable
    `OPENAI_API_KEY` is used where it is set. Never written to files"""

    connect_timeout: float | None
    """SECONDS: Longest time for name look-up, TCP and TLS"""

    read_timeout: float | None
    """SECONDS: Longest silence inside a response"""

    total_timeout: float | None
    """SECONDS: Longest time for one request in all [default: 21600]"""

    no_test_connection: bool | None
    """Do not send one request before each load to see whether the service answers"""

    number: int | Sequence[int] | None
    """N: Requests of each load; a list is paired with `--parallel`, or with `--rate` under
    `--open-loop` [default: 1000]"""

    parallel: int | Sequence[int] | None
    """N: Highest number of requests in flight; a list is a sweep [default: 1]"""

    rate: float | Sequence[float] | None
    """PER_SECOND: Requests a second, arriving at random times; -1 is as fast as `--parallel`
    allows. May be below 1 [default: -1]"""

    open_loop: bool | None
    """Send at `--rate` whatever is in flight: no `--parallel`, and `--rate` may be a list"""

    arrival: Literal["poisson", "constant"] | None
    """Shape of the arrivals at a given `--rate`"""

    warmup_num: float | None
    """N|SHARE: Requests sent before and not counted: a number, or below 1 a share of
    `--number`"""

    duration: float | None
    """SECONDS: Stop sending after so long; requests in flight are awaited and counted"""

    sleep_interval: float | None
    """SECONDS: Pause between two loads of a sweep"""

    grace: float | None
    """SECONDS: After Ctrl-C: how long requests in flight may take to end"""

    sla_auto_tune: bool | None
    """Find the highest load that meets `--sla-params`, in place of measuring given loads"""

    sla_variable: Literal["parallel", "rate"] | None
    """What is varied: `parallel`, users in flight; `rate`, requests a second whatever is in
    flight [default: parallel]"""

    sla_params: Json | None
    """JSON: Criteria as JSON: `[{"p99_ttft": "<=500ms", "p99_tpot": "<50ms"}, {"tps": "max"}]`.
    All of an object must hold; each object has an answer of its own. A bare time is seconds"""

    goodput: Pairs | None
    """NAME:LIMIT: Limits that a request must keep to count for the metric `goodput`: `ttft:500ms
    tpot:50ms`"""

    sla_search: Literal["crest", "bisect"] | None
    """How loads are chosen: `crest`, one session and a statistical answer; `bisect`, separate
    runs as evalscope makes them, to compare with its figures [default: crest]"""

    sla_lower_bound: float | None
    """N: Lowest load of the search; `parallel` and `bisect` take whole numbers [default: 1]"""

    sla_upper_bound: float | None
    """N: Highest load of the search [default: 65536]"""

    sla_confidence: str | float | None
    """SHARE: How sure the reported load must be to meet the criteria: `0.9` or `90%`; `crest`
    only [default: 0.9]"""

    sla_tolerance: str | float | None
    """SHARE: Relative precision at which the search may end: `0.05` or `5%`; `crest` only
    [default: 0.05]"""

    sla_budget: str | Sequence[str] | None
    """BUDGET: What the search may spend: time (`10m`), requests (`20000req`), tokens of answers
    (`5Mtok`), also several of them; whatever is used up first ends it; `crest` only [default: no
    limit of one's own]"""

    sla_num_runs: int | None
    """N: Runs of each load, averaged; `bisect` only [default: 3]"""

    sla_number_multiplier: float | None
    """X: Requests of one run, as a multiple of the load; `bisect` only [default: 2]"""

    sla_fixed_parallel: int | None
    """N: Most requests in flight while the rate is varied; the wait for a slot counts as latency
    [default: no limit in `crest`, the upper bound in `bisect`]"""

    resume: Place | bool | None
    """FOLDER: Go on with a search that was ended early, from what it left in its folder; without
    a folder, the last one of the same name under `--outputs-dir`"""

    dataset: str | Dataset | None
    """NAME: Data set: `random`, `openqa`, `longalpaca`, `line_by_line`, `custom`, `share_gpt_zh`,
    `share_gpt_en`, `speed_benchmark`, `speed_benchmark_long`"""

    dataset_path: Place | None
    """PATH: File or folder of the data set; without it the local hub caches are searched"""

    data_source: Literal["modelscope", "huggingface", "local"] | None
    """Hub the data set comes from. Nothing is downloaded: both local caches are searched in any
    case"""

    dataset_offset: int | None
    """N: First item to send; later loads of a sweep start where the one before ended"""

    dataset_args: Json | None
    """JSON: Options of the data set, as a JSON object: `{"target_input_len": N}` fits real
    prompts to a length; for `random`, `{"input": 512, "output": {"distribution": "log_normal",
    "median": 200, "sigma": 0.8, "min": 1, "max": 2000}}`"""

    max_prompt_length: int | None
    """N: Longest prompt, inclusive: tokens where a tokenizer is set, else characters"""

    min_prompt_length: int | None
    """N: Shortest prompt, inclusive"""

    prefix_length: int | None
    """N: Random tokens that all prompts of a run share, before their own (`random` only)"""

    prompt: Place | None
    """TEXT|@FILE: One text for all requests, in place of a data set; `@FILE` reads it from a
    file"""

    query_template: Json | None
    """JSON|@FILE: Request body to start from, as JSON; its messages are replaced by the prompt,
    and flags that are given win"""

    apply_chat_template: bool | None
    """Send prompts as messages, and count lengths after the chat template [default: where the URL
    ends in `chat/completions`]"""

    no_apply_chat_template: bool | None
    """Send prompts as plain text"""

    tokenize_prompt: bool | None
    """Send token ids in place of text, to `/v1/completions`"""

    max_tokens: int | Sequence[int] | None
    """N: Longest answer in tokens; two values are the range from which each request draws its own
    [default: 2048]"""

    min_tokens: int | None
    """N: Shortest answer in tokens"""

    frequency_penalty: float | None
    """X: `frequency_penalty` of the request"""

    repetition_penalty: float | None
    """X: `repetition_penalty` of the request"""

    logprobs: bool | None
    """Ask for log-probabilities"""

    n_choices: int | None
    """N: Answers a request (`n`)"""

    seed: int | None
    """N: `seed` of the request, and of everything that crestline draws [default: none is sent,
    crestline draws from 0]"""

    stop: str | Sequence[str] | None
    """TEXT: Texts that end an answer"""

    stop_token_ids: int | Sequence[int] | None
    """ID: Token ids that end an answer"""

    stream: bool | None
    """Ask for the answer token by token; the default"""

    no_stream: bool | None
    """Ask for the answer in one piece"""

    temperature: float | None
    """X: `temperature` of the request [default: 0]"""

    top_p: float | None
    """X: `top_p` of the request"""

    top_k: int | None
    """N: `top_k` of the request"""

    extra_args: Json | None
    """JSON: Merged into the request body last, as a JSON object; a `null` removes a field"""

    outputs_dir: Place | None
    """DIR: Folder of results: `DIR/TIMESTAMP/NAME/`, with one folder for each load in it"""

    no_timestamp: bool | None
    """Leave the timestamp out of the folder"""

    name: str | None
    """NAME: Name of the run and of its folder [default: the model's]"""

    alias: str | None
    """ALIAS: Name of the run in titles only"""

    no_text: bool | None
    """Keep prompts and answers out of the database"""

    no_html: bool | None
    """Write no page of the results. It is `perf_report.html` in the folder of `perf`,
    `NAME.report.html` beside the JSON of `bench serve`, and `crestline/report.html` in the folder
    of a sweep"""

    enable_progress_tracker: bool | None
    """Write `progress.json` while running"""

    debug: bool | None
    """Print each failed request"""

    server_metrics: Literal["auto", "on", "off"] | bool | None
    """Read the service's `/metrics` each second while a load goes on, and keep what it says in
    the run's database: `auto` where it has such a page; with `on`, or no word, nothing is sent
    without one [default: auto; with `--server-metrics-url`, on]"""

    server_metrics_url: str | None
    """URL: Where that page is, if not at `/metrics` of the service"""

    ray: str | None
    """ADDRESS|auto: Send from the nodes of a Ray cluster: `HOST:PORT`, `ray://HOST:PORT`, or
    `auto` for the one that this machine is a part of or `RAY_ADDRESS` names. The results are
    those of one run"""

    workers: int | None
    """N: Workers on the cluster, each on a node of its own [default: one on every node that has a
    CPU for it]"""

    visualizer: str | Sequence[str] | None
    """NAME: Trackers that are told of the run while it goes on: `wandb`, `swanlab`, `clearml`,
    `mlflow`, several with blanks, or `none`. `MLFLOW_TRACKING_URI` is the address of MLflow's
    server; each of the others needs its Python package, and `CRESTLINE_PYTHON` names the
    Python"""

    wandb_api_key: str | None
    """KEY: Key for W&B, in place of `WANDB_API_KEY` or a login; implies `--visualizer wandb`.
    Never written to files"""

    swanlab_api_key: str | None
    """KEY|local: Key for SwanLab, in place of `SWANLAB_API_KEY` or a login, or `local` to keep
    the run on this machine; implies `--visualizer swanlab`. Never written to files"""

    swanlab_host: str | None
    """URL: Address of a SwanLab of one's own, in place of `SWANLAB_HOST`"""

    tracker_patience: float | None
    """SECONDS: After the last load: how long trackers may take to send what they have"""

    prometheus_port: int | None
    """PORT: Show metrics of the load at `http://HOST:PORT/metrics` while the command runs, for
    Prometheus; 0 is a free port"""

    prometheus_host: str | None
    """HOST: Where that page is shown [default: 0.0.0.0, every address of this machine]"""

    prometheus_linger: float | None
    """SECONDS: Keep that page up so many seconds after the end, so that its last state is
    scraped; Ctrl-C ends it earlier"""

    otlp_endpoint: str | None
    """URL: Send metrics of the load to an OpenTelemetry collector, each 5 s by OTLP over HTTP
    with JSON, such as at `http://127.0.0.1:4318` [env: `OTEL_EXPORTER_OTLP_ENDPOINT` and its
    kin]"""

    threads: int | None
    """N: Threads that send and receive [default: chosen by the load]"""

    num_workers: int | None
    """N: Threads that prepare prompts ahead; 0 chooses"""

    db_commit_interval: int | None
    """N: Rows of the database committed together; a commit also happens each second"""

    queue_size_multiplier: int | None
    """N: No effect: crestline has no queue of this kind"""

    in_flight_task_multiplier: int | None
    """N: No effect: crestline does not schedule tasks ahead"""

    log_every_n_query: int | None
    """N: No effect: progress is shown by time, not by requests"""

    multi_turn: bool | None
    """Conversations of several turns"""

    min_turns: str | float | None
    """N: Least turns of a conversation"""

    max_turns: str | float | None
    """N: Most turns of a conversation"""

    multi_turn_args: Json | None
    """JSON: Options of conversations, as JSON (deprecated by evalscope in favour of `--dataset-
    args`)"""

    scenario: Json | None
    """NAME|JSON: A scenario of another tool"""

    enable_pd_metrics: bool | None
    """Metrics of the hand-over between prefill and decode servers"""

    prefix_count: str | float | None
    """N: Number of different shared prefixes"""

    image_width: str | float | None
    """PIXELS: Width of random images"""

    image_height: str | float | None
    """PIXELS: Height of random images"""

    image_format: str | None
    """NAME: Colour format of random images"""

    image_num: str | float | None
    """N: Images of one request"""

    image_patch_size: str | float | None
    """PIXELS: Patch size for counting an image's tokens"""

    attn_implementation: str | None
    """NAME: Attention implementation of evalscope's own server"""

    port: str | float | None
    """PORT: Port of evalscope's own server"""
