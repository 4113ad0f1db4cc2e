"""Fields of every command with their types: made from the command line's parser by python/tests/test_fields.py.

What is `None` is not given. Times are in the unit that the line above the field's help names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Union

from crestline.plugins import Api, Dataset

Json = Union[str, Mapping[str, Any], Sequence[Any]]
"""A text of JSON, or the value itself."""
Pairs = Union[str, Mapping[str, Any], Sequence[str]]
"""Names and values: a dictionary, or texts as the command line takes them."""
Place = Union[str, "os.PathLike[str]"]
"""A path."""


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


class BenchServeFields(TypedDict, total=False):
    """Of `crestline bench serve`."""

    backend: str | None
    """NAME: Form of the requests"""

    base_url: str | None
    """URL: Beginning of the URL, in place of `--host` and `--port`. `sim:NAME` measures the
    simulated engine in virtual time"""

    host: str | None
    """HOST: Host of the service; an IPv6 address without brackets"""

    port: int | None
    """PORT: Port of the service"""

    endpoint: Place | None
    """PATH: Path behind the beginning of the URL; it must fit `--backend`"""

    insecure: bool | None
    """Accept any certificate of an `https` service"""

    header: Pairs | None
    """NAME=VALUE: Headers sent with each request"""

    model: str | None
    """NAME: Model, and tokenizer where `--tokenizer` is not given. Without it, the first that the
    service lists"""

    served_model_name: str | None
    """NAME: Name that the service knows the model by, where that is another"""

    tokenizer: Place | None
    """PATH|NAME: Tokenizer: a folder or `tokenizer.json`, a tiktoken file, a name in the local
    Hugging Face or ModelScope cache, or `builtin`"""

    tokenizer_mode: Literal["auto", "hf", "slow", "mistral", "deepseek_v32"] | None
    """Kind of the tokenizer; crestline finds it out by itself"""

    trust_remote_code: bool | None
    """Accepted for the sake of scripts: crestline runs no code of a model"""

    skip_tokenizer_init: bool | None
    """Work without a tokenizer"""

    lora_modules: str | Sequence[str] | None
    """NAME: Names of adapters: each request asks for one of them in place of the model"""

    lora_assignment: Literal["random", "round-robin"] | None
    """How requests are shared among them"""

    request_id_prefix: str | None
    """TEXT: Ids of the requests are this and a number [default: bench-, eight hexadecimal digits,
    -]"""

    num_prompts: int | None
    """N: Requests to send; with `--multi-turn`, conversations"""

    request_rate: float | None
    """PER_SECOND: Requests a second; `inf` sends all at the beginning"""

    burstiness: float | None
    """BURSTINESS: Shape of the gamma distribution of the gaps: 1 is a Poisson process, less is
    burstier, `inf` is even"""

    max_concurrency: int | None
    """N: Highest number of requests in flight"""

    ramp_up_strategy: Literal["linear", "exponential"] | None
    """Raise the rate from `--ramp-up-start-rps` to `--ramp-up-end-rps` over the requests"""

    ramp_up_start_rps: int | None
    """PER_SECOND: Rate at the first request"""

    ramp_up_end_rps: int | None
    """PER_SECOND: Rate at the last request"""

    num_warmups: int | None
    """N: Requests sent before and not counted; each has a prompt of its own, or with `--warmup-
    copies` the first counted one's"""

    warmup_copies: bool | None
    """Make the requests of `--num-warmups` copies of the first counted one, as vLLM does;
    `--compat vllm` implies it"""

    ready_check_timeout_sec: int | None
    """SECONDS: Wait at most so long for the first answer; 0 does not ask"""

    probe_request_rate: float | None
    """PER_SECOND: Ask for one token so many times a second while the load goes on, over
    connections of its own, and tell how long that took; 0 does not"""

    disable_tqdm: bool | None
    """No bar of progress"""

    seed: int | None
    """SEED: Seed of all that is drawn"""

    num_runs: int | None
    """N: Whole runs, one after the other, each with prompts of its own; how their figures differ
    is printed after the last"""

    dry_run: bool | None
    """Print what would be done, and send nothing"""

    profile: bool | None
    """Have the service profile itself during the run: `/start_profile` and `/stop_profile`"""

    profile_batch_threshold: int | None
    """REQUESTS: Begin the profile when so many requests are running, as the service's `/metrics`
    say"""

    profile_duration: float | None
    """SECONDS: Length of such a profile [default: 5]"""

    reset_prefix_cache: bool | None
    """Have it forget its prefix cache before the run: `/reset_prefix_cache`"""

    server_metrics: Literal["auto", "on", "off"] | bool | None
    """Read the service's `/metrics` each second while a load goes on, and keep what it says in
    the run's database: `auto` where it has such a page; with `on`, or no word, nothing is sent
    without one [default: auto; with `--server-metrics-url`, on]"""

    server_metrics_url: str | None
    """URL: Where that page is, if not at `/metrics` of the service"""

    input_len: int | None
    """N: Tokens of a prompt, for data sets that make prompts"""

    output_len: int | None
    """N: Tokens of an answer, for all data sets"""

    ignore_eos: bool | None
    """Ask the service not to end an answer early"""

    logprobs: int | None
    """N: Ask for log-probabilities of so many tokens"""

    use_beam_search: bool | None
    """Accepted for the sake of scripts: no service of today takes it"""

    extra_body: Json | None
    """JSON: Merged into each body last"""

    top_p: float | None
    """TOP_P: Nucleus sampling"""

    top_k: int | None
    """TOP_K: Top-k sampling"""

    min_p: float | None
    """MIN_P: Least probability, relative to the best token's"""

    temperature: float | None
    """TEMPERATURE: Sampling temperature"""

    frequency_penalty: float | None
    """FREQUENCY_PENALTY: Penalty on frequent tokens"""

    presence_penalty: float | None
    """PRESENCE_PENALTY: Penalty on tokens that were there"""

    repetition_penalty: float | None
    """REPETITION_PENALTY: Penalty on repeated tokens"""

    prompt_token_ids: bool | None
    """Send prompts as token ids"""

    dataset_name: (
        Literal[
        "random",
        "random-mm",
        "random-rerank",
        "sharegpt",
        "burstgpt",
        "sonnet",
        "hf",
        "custom",
        "custom_image",
        "custom_audio",
        "prefix_repetition",
        "spec_bench",
        "speed_bench",
        "timed_trace",
    ]
    | None
    )
    """Data set"""

    dataset_path: Place | None
    """PATH: Its file or folder"""

    no_oversample: bool | None
    """Do not use prompts again where there are fewer than `--num-prompts`"""

    disable_shuffle: bool | None
    """Keep the order of the file"""

    random_input_len: int | None
    """N: Tokens of a random prompt"""

    random_output_len: int | None
    """N: Tokens of an answer to a random prompt"""

    random_range_ratio: Json | None
    """SHARE|JSON: Lengths vary by this share to both sides: a number, or JSON such as `{"input":
    0.2, "output": 0.5}`"""

    random_prefix_len: int | None
    """N: Tokens shared by all random prompts, in addition to their own"""

    random_batch_size: int | None
    """N: Random texts in a request; more than one is for embeddings and ranking"""

    no_reranker: bool | None
    """The ranking model reads each text by itself, not in pairs"""

    random_cache_hit_fraction: float | None
    """SHARE: Share of the random requests that begin with a prefix which the service has seen"""

    random_cache_ratio: float | None
    """SHARE: Share of such a prompt that is that prefix"""

    max_model_len: int | None
    """N: Leave out samples whose input and output together are longer"""

    skip_chat_template: bool | None
    """Send plain prompts as they are, without the model's chat template"""

    chat_template_kwargs: Json | None
    """JSON: Variables of the chat template"""

    enable_multimodal_chat: bool | None
    """Send recordings as parts of a message"""

    random_mm_base_items_per_request: int | None
    """N: Pictures and films of a request of `random-mm`"""

    random_mm_num_mm_items_range_ratio: float | None
    """SHARE: Their number varies by this share to both sides"""

    random_mm_limit_mm_per_prompt: Json | None
    """JSON: Most items of each kind in a request"""

    random_mm_bucket_config: Json | None
    """DICT: Sizes and their shares: `{(HEIGHT, WIDTH, FRAMES): SHARE, ...}`; more than one frame
    is a film"""

    sharegpt_output_len: int | None
    """N: Tokens of an answer to `sharegpt`, in place of the stored answer's length"""

    custom_output_len: int | None
    """N: Tokens of an answer to the `custom` sets; -1 takes `output_tokens` of each line"""

    custom_ensure_client_side_data: bool | None
    """Send the pictures themselves, not their places"""

    spec_bench_output_len: int | None
    """N: Tokens of an answer to `spec_bench`"""

    spec_bench_category: str | None
    """NAME: Only this category of `spec_bench`"""

    speed_bench_dataset_subset: str | None
    """NAME: Part of `speed_bench`: the file of this name in the folder"""

    speed_bench_output_len: int | None
    """N: Tokens of an answer to `speed_bench`"""

    speed_bench_category: str | None
    """NAME: Only this category of `speed_bench`"""

    prefix_repetition_prefix_len: int | None
    """N: Tokens of a shared prefix of `prefix_repetition`"""

    prefix_repetition_suffix_len: int | None
    """N: Tokens behind it"""

    prefix_repetition_num_prefixes: int | None
    """N: Number of prefixes"""

    prefix_repetition_output_len: int | None
    """N: Tokens of an answer to `prefix_repetition`"""

    sonnet_input_len: int | None
    """N: Tokens of a prompt of `sonnet`"""

    sonnet_output_len: int | None
    """N: Tokens of an answer to `sonnet`"""

    sonnet_prefix_len: int | None
    """N: Tokens that all prompts of `sonnet` begin with"""

    burstgpt_timestamps: bool | None
    """Send `burstgpt` when its file says, not at `--request-rate`"""

    hf_subset: str | None
    """NAME: Part of the data set"""

    hf_split: str | None
    """NAME: `train`, `test` and so on"""

    hf_name: str | None
    """NAME: Name on the hub of the files in `--dataset-path`"""

    hf_output_len: int | None
    """N: Tokens of an answer, in place of the data set's own"""

    no_stream: bool | None
    """Accepted for the sake of scripts: data sets are read from local files"""

    bfcl_categories: str | Sequence[Any] | None
    """NAMES: Categories of function calls, with commas"""

    blazedit_min_distance: float | None
    """SHARE: Least distance between a text and its edit"""

    blazedit_max_distance: float | None
    """SHARE: Most distance between a text and its edit"""

    asr_min_audio_len_sec: float | None
    """SECONDS: Shortest recording"""

    asr_max_audio_len_sec: float | None
    """SECONDS: Longest recording"""

    self_timed: bool | None
    """Send when the trace says (the default of `timed_trace`)"""

    no_self_timed: bool | None
    """Send at `--request-rate` instead"""

    timed_trace_chunk_hash_size: int | None
    """N: Tokens that one hash of a trace stands for"""

    timed_trace_sec_multiplier: float | None
    """SECONDS: From the trace's unit of time to seconds"""

    timed_trace_label_timestamp: str | None
    """NAME: Name of the field of the time"""

    timed_trace_label_input_length: str | None
    """NAME: Name of the field of the input's length"""

    timed_trace_label_output_length: str | None
    """NAME: Name of the field of the output's length"""

    timed_trace_label_hash_ids: str | None
    """NAME: Name of the field of the hashes"""

    multi_turn: bool | None
    """Hold conversations: each turn is sent when the one before is answered, with all that was
    said and answered before. `--num-prompts` counts conversations then; for chats"""

    multi_turn_num_turns: int | None
    """N: Turns of a conversation that is made [default: 3]"""

    multi_turn_min_turns: int | None
    """N: Least turns; 0 is `--multi-turn-num-turns`. Stored conversations that are shorter are
    left out [default: 0]"""

    multi_turn_max_turns: int | None
    """N: Most turns, drawn evenly from the least on; 0 is `--multi-turn-num-turns`. Stored
    conversations are cut there, and 0 leaves them whole [default: 0]"""

    multi_turn_concurrency: int | None
    """N: Conversations at the same time [default: `--max-concurrency`, or all; with `--request-
    rate` no limit]"""

    multi_turn_delay_ms: float | None
    """MS: Think time from the end of an answer to the next turn [default: 0]"""

    multi_turn_prefix_global_ratio: float | None
    """SHARE: Share of a random turn that all turns of all conversations begin with; turns have no
    history then [default: 0]"""

    multi_turn_prefix_conversation_ratio: float | None
    """SHARE: Share of a random turn behind it that all turns of the same conversation have
    [default: 0]"""

    per_turn_input_len: int | None
    """N: Tokens of a random turn without its history; 0 is `--random-input-len` [default: 0]"""

    percentile_metrics: str | Sequence[Any] | None
    """NAMES: Metrics to print and save, with commas: `ttft`, `tpot`, `itl`, `e2el`,
    `client_queue_time`, `e2el_including_client_queue` [default: ttft,tpot,itl]"""

    metric_percentiles: str | Sequence[Any] | None
    """NUMBERS: Percentiles of them, with commas"""

    goodput: Pairs | None
    """NAME:MS: Limits of a good request in milliseconds: `ttft:500 tpot:50 e2el:2000`"""

    compat: Literal["none", "vllm"] | None
    """How figures are counted where vLLM's way is known to mislead"""

    save_result: bool | None
    """Write the results as JSON"""

    save_detailed: bool | None
    """Keep the figures of each request in it"""

    append_result: bool | None
    """Write them behind what is in the file"""

    metadata: Pairs | None
    """NAME=VALUE: Further fields of the JSON"""

    result_dir: Place | None
    """FOLDER: Folder of the file"""

    result_filename: str | None
    """NAME: Name of the file, in place of one made of backend, rate, model and time"""

    no_html: bool | None
    """Write no page of the results. It is `perf_report.html` in the folder of `perf`,
    `NAME.report.html` beside the JSON of `bench serve`, and `crestline/report.html` in the folder
    of a sweep"""

    label: str | None
    """NAME: Beginning of that name, in place of the backend"""

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

    plot_timeline: bool | None
    """Draw the course of each request as a page, beside where the JSON is or would be"""

    timeline_itl_thresholds: str | Sequence[Any] | None
    """MS,MS: Milliseconds at which the colour of a wait for the next token changes in that
    page"""

    plot_dataset_stats: bool | None
    """Draw how long prompts and answers were as a PNG, beside where the JSON is or would be"""


class SweepServeFields(TypedDict, total=False):
    """Of `crestline bench sweep serve`."""

    serve_cmd: str | Sequence[Any] | None
    """COMMAND: Command that starts the server, as typed in a shell; no shell runs it"""

    bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command of the benchmark; `crestline bench serve` is run without a process of its
    own"""

    after_bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command to run after each benchmark, in place of resetting the server's caches; ''
    if there is nothing to reset"""

    bench_native: bool | None
    """Run `vllm bench serve` by crestline itself, also where vLLM is installed"""

    virtual_time: bool | None
    """Start nothing and simulate the servers in virtual time: the serve command must begin with
    `crestline sim`"""

    show_stdout: bool | None
    """Show what the commands print"""

    server_ready_timeout: float | None
    """SECONDS: Longest time until the server is ready"""

    server_address: str | None
    """HOST:PORT: Where the server is asked, if its command does not say it with --host and
    --port"""

    server_health_path: Place | None
    """PATH: The page that answers 200 when it is"""

    server_stop_timeout: float | None
    """SECONDS: Time between the request to end and the end by force"""

    serve_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of server parameters"""

    bench_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of benchmark parameters"""

    link_vars: str | Sequence[Any] | None
    """PAIRS: Only combinations in which these have equal values: `SERVER=BENCH`, with commas"""

    serve_alias: Pairs | None
    """SHORT=NAME: Short names in the server command and the parameters that they stand for:
    `tp=tensor_parallel_size`"""

    output_dir: Place | None
    """FOLDER: Folder of experiments"""

    experiment_name: str | None
    """NAME: Name of this one [default: date and time]"""

    num_runs: int | None
    """N: Runs of each combination"""

    warmup_num_prompts: int | None
    """N: Prompts of a run before the first, which is not counted; 0 for none"""

    continue_on_error: bool | None
    """Write down what failed and go on with the next combination"""

    no_html: bool | None
    """Write no page of the results. It is `perf_report.html` in the folder of `perf`,
    `NAME.report.html` beside the JSON of `bench serve`, and `crestline/report.html` in the folder
    of a sweep"""

    dry_run: bool | None
    """Print the commands and folders, and start nothing"""

    resume: str | bool | None
    """NAME: Go on with an experiment: that of `--experiment-name`, or the one named here"""


class SweepServeSlaFields(TypedDict, total=False):
    """Of `crestline bench sweep serve_sla`."""

    serve_cmd: str | Sequence[Any] | None
    """COMMAND: Command that starts the server, as typed in a shell; no shell runs it"""

    bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command of the benchmark; `crestline bench serve` is run without a process of its
    own"""

    after_bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command to run after each benchmark, in place of resetting the server's caches; ''
    if there is nothing to reset"""

    bench_native: bool | None
    """Run `vllm bench serve` by crestline itself, also where vLLM is installed"""

    virtual_time: bool | None
    """Start nothing and simulate the servers in virtual time: the serve command must begin with
    `crestline sim`"""

    show_stdout: bool | None
    """Show what the commands print"""

    server_ready_timeout: float | None
    """SECONDS: Longest time until the server is ready"""

    server_address: str | None
    """HOST:PORT: Where the server is asked, if its command does not say it with --host and
    --port"""

    server_health_path: Place | None
    """PATH: The page that answers 200 when it is"""

    server_stop_timeout: float | None
    """SECONDS: Time between the request to end and the end by force"""

    serve_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of server parameters"""

    bench_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of benchmark parameters"""

    link_vars: str | Sequence[Any] | None
    """PAIRS: Only combinations in which these have equal values: `SERVER=BENCH`, with commas"""

    serve_alias: Pairs | None
    """SHORT=NAME: Short names in the server command and the parameters that they stand for:
    `tp=tensor_parallel_size`"""

    output_dir: Place | None
    """FOLDER: Folder of experiments"""

    experiment_name: str | None
    """NAME: Name of this one [default: date and time]"""

    num_runs: int | None
    """N: Runs of each combination"""

    warmup_num_prompts: int | None
    """N: Prompts of a run before the first, which is not counted; 0 for none"""

    continue_on_error: bool | None
    """Write down what failed and go on with the next combination"""

    no_html: bool | None
    """Write no page of the results. It is `perf_report.html` in the folder of `perf`,
    `NAME.report.html` beside the JSON of `bench serve`, and `crestline/report.html` in the folder
    of a sweep"""

    dry_run: bool | None
    """Print the commands and folders, and start nothing"""

    resume: str | bool | None
    """NAME: Go on with an experiment: that of `--experiment-name`, or the one named here"""

    sla_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the SLAs: a list of objects such as `{"p99_e2el_ms": "<=200",
    "p99_tpot_ms": "<50"}`, or an object of names and such objects. All of an object must hold;
    each object has an answer of its own"""

    sla_variable: Literal["request_rate", "max_concurrency"] | None
    """What is varied"""

    sla_search: Literal["crest", "pchip"] | None
    """How loads are chosen: `crest`, one session with each server and a statistical answer for
    all SLAs; `pchip`, separate runs and the search that vLLM had, to compare with its answers"""

    sla_lower_bound: float | None
    """N: Lowest load of the search; whole for `max_concurrency` and `pchip`. Services of less
    than one request a second need less [default: 1]"""

    sla_upper_bound: float | None
    """N: Highest load of the search [default: 8192]"""

    sla_confidence: str | float | None
    """SHARE: How sure the reported load must be to meet the SLA: `0.9` or `90%`; `crest` only
    [default: 0.9]"""

    sla_tolerance: str | float | None
    """SHARE: Relative precision at which a search may end: `0.05` or `5%`; `crest` only [default:
    0.05]"""

    sla_budget: str | Sequence[str] | None
    """BUDGET: What the search on one server and benchmark may spend: time (`10m`), requests
    (`20000req`), tokens of answers (`5Mtok`), also several of them; whatever is used up first
    ends it; `crest` only [default: no limit of one's own]"""

    prune: bool | None
    """Race the server combinations: search them in turns, and stop one early when another one
    certainly serves more within the same SLA; `crest` only"""


class SweepServeWorkloadFields(TypedDict, total=False):
    """Of `crestline bench sweep serve_workload`."""

    serve_cmd: str | Sequence[Any] | None
    """COMMAND: Command that starts the server, as typed in a shell; no shell runs it"""

    bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command of the benchmark; `crestline bench serve` is run without a process of its
    own"""

    after_bench_cmd: str | Sequence[Any] | None
    """COMMAND: Command to run after each benchmark, in place of resetting the server's caches; ''
    if there is nothing to reset"""

    bench_native: bool | None
    """Run `vllm bench serve` by crestline itself, also where vLLM is installed"""

    virtual_time: bool | None
    """Start nothing and simulate the servers in virtual time: the serve command must begin with
    `crestline sim`"""

    show_stdout: bool | None
    """Show what the commands print"""

    server_ready_timeout: float | None
    """SECONDS: Longest time until the server is ready"""

    server_address: str | None
    """HOST:PORT: Where the server is asked, if its command does not say it with --host and
    --port"""

    server_health_path: Place | None
    """PATH: The page that answers 200 when it is"""

    server_stop_timeout: float | None
    """SECONDS: Time between the request to end and the end by force"""

    serve_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of server parameters"""

    bench_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of benchmark parameters"""

    link_vars: str | Sequence[Any] | None
    """PAIRS: Only combinations in which these have equal values: `SERVER=BENCH`, with commas"""

    serve_alias: Pairs | None
    """SHORT=NAME: Short names in the server command and the parameters that they stand for:
    `tp=tensor_parallel_size`"""

    output_dir: Place | None
    """FOLDER: Folder of experiments"""

    experiment_name: str | None
    """NAME: Name of this one [default: date and time]"""

    num_runs: int | None
    """N: Runs of each combination"""

    warmup_num_prompts: int | None
    """N: Prompts of a run before the first, which is not counted; 0 for none"""

    continue_on_error: bool | None
    """Write down what failed and go on with the next combination"""

    no_html: bool | None
    """Write no page of the results. It is `perf_report.html` in the folder of `perf`,
    `NAME.report.html` beside the JSON of `bench serve`, and `crestline/report.html` in the folder
    of a sweep"""

    dry_run: bool | None
    """Print the commands and folders, and start nothing"""

    resume: str | bool | None
    """NAME: Go on with an experiment: that of `--experiment-name`, or the one named here"""

    workload_var: Literal["request_rate", "max_concurrency"] | None
    """What is varied: requests a second or requests in flight"""

    workload_iters: int | None
    """N: Loads in all, with both ends; at least 2"""

    workload_spacing: Literal["knee", "linear", "geometric"] | None
    """Where the loads in between lie: close where service gets worse, at equal distances (vLLM),
    or in equal ratios"""


class SweepStartupFields(TypedDict, total=False):
    """Of `crestline bench sweep startup`."""

    startup_cmd: str | Sequence[Any] | None
    """COMMAND: Command of the benchmark; `crestline bench startup --serve-cmd …` is run without a
    process of its own"""

    serve_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of server parameters"""

    startup_params: Place | Mapping[str, Any] | Sequence[Any] | None
    """FILE: JSON file with the combinations of parameters of the benchmark"""

    strict_params: bool | None
    """Refuse parameters that the benchmark does not know, in place of leaving them out"""

    serve_alias: Pairs | None
    """SHORT=NAME: Short names in the server command and the parameters that they stand for:
    `tp=tensor_parallel_size`"""

    output_dir: Place | None
    """FOLDER: Folder of experiments"""

    experiment_name: str | None
    """NAME: Name of this one [default: date and time]"""

    num_runs: int | None
    """N: Runs of each combination, of several starts each"""

    show_stdout: bool | None
    """Show what the commands print"""

    no_html: bool | None
    """Write no page of the results. It is `perf_report.html` in the folder of `perf`,
    `NAME.report.html` beside the JSON of `bench serve`, and `crestline/report.html` in the folder
    of a sweep"""

    dry_run: bool | None
    """Print the commands and folders, and start nothing"""

    resume: str | bool | None
    """NAME: Go on with an experiment: that of `--experiment-name`, or the one named here"""


class ReportFields(TypedDict, total=False):
    """Of `crestline report`."""

    output: Place | None
    """FILE: Page that is written"""

    title: str | None
    """TEXT: Title of the page, in place of the model's name"""

    include_text: bool | None
    """Put prompts and answers of the requests that are shown into the page"""


class CompareFields(TypedDict, total=False):
    """Of `crestline compare`."""

    a: str | Sequence[str] | None
    """RUN: Runs of A, where there are several"""

    b: str | Sequence[str] | None
    """RUN: Runs of B, where there are several"""

    threshold: float | None
    """PCT: How much worse B may be, in percent, before it is a regression; smaller differences
    are none that matter"""

    metrics: str | Sequence[Any] | None
    """LIST: Figures to compare, with commas: a metric such as `ttft` (its mean, p50 and p99), or
    one figure such as `p90_itl`"""

    confidence: float | None
    """P: Probability that all intervals together hold the true differences"""

    seed: int | None
    """N: Seed of what is drawn for the intervals"""

    markdown: Place | None
    """FILE|-: Write the tables as Markdown; `-` prints them in place of the others"""

    junit: Place | None
    """FILE: Write JUnit XML: a suite for each load, a case for each figure, a failure where B
    regressed"""

    json: Place | None
    """FILE: Write everything as JSON"""
