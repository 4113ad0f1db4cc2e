"""Fields of `bench serve`.

Made from the command line's parser by python/tests/test_fields.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from crestline.fields.values import Json, Pairs, Place


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
