-- A run as format version 5 writes it: one streamed answer, one request that was refused, three reads of the server.
CREATE TABLE result (
    request TEXT,
    start_time REAL,
    inter_token_latencies TEXT,
    success INTEGER,
    response_messages TEXT,
    completed_time REAL,
    latency REAL,
    first_chunk_latency REAL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    max_gpu_memory_cost REAL,
    time_per_output_token REAL,
    request_id TEXT,
    is_stream INTEGER,
    request_index INTEGER,
    wall_start REAL,
    due_ns INTEGER,
    slot_wait_ns INTEGER,
    sent_ns INTEGER,
    connect_ns INTEGER,
    first_byte_ns INTEGER,
    first_token_ns INTEGER,
    first_reasoning_ns INTEGER,
    first_answer_ns INTEGER,
    last_token_ns INTEGER,
    end_ns INTEGER,
    chunks INTEGER,
    input_tokens INTEGER,
    input_tokens_source TEXT,
    output_tokens INTEGER,
    output_tokens_source TEXT,
    cached_tokens INTEGER,
    status INTEGER,
    failure_kind TEXT,
    failure_text TEXT,
    reconnects INTEGER,
    chunk_tokens TEXT,
    bare_events_ns TEXT,
    conversation INTEGER,
    turn INTEGER,
    turns INTEGER,
    asked_output_tokens INTEGER
);
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE server_page (
    at_ns INTEGER NOT NULL,
    missed TEXT
);
CREATE TABLE server_series (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    kind TEXT NOT NULL
);
CREATE TABLE server_sample (
    series INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    value REAL
);
INSERT INTO meta VALUES
    ('format_version', '5'),
    ('tool_version', '0.1.0'),
    ('start_unix_ns', '1700000000123456789'),
    ('plan', '{"model":"m","pause":5000000000}'),
    ('complete', '1');
INSERT INTO result VALUES (
    '{"prompt":"hi"}', 1.000000001, '[0.015, 5.0]', 1,
    '[{"role":"assistant","content":"ho","reasoning_content":"hm","tool_calls":[{"id": 1}]}]',
    6.1, 5.099999999, 0.05, 7, 3, NULL, 2.5075, 'r-0', 1,
    0, 1700000001.1234567, 999999000, 0, 1000000001, 800000, 1040000001, 1050000001, 1050000001, 1065000001,
    6065000001, 6100000000, 3, 7, 'tokenizer', 3, 'usage', 4, 200, NULL, NULL, 1, '[1,1,1]', '[1040000001,6065000002]',
    3, 1, 2, 16
);
INSERT INTO result VALUES (
    NULL, 2.0, '[]', 0, NULL, 2.5, NULL, NULL, NULL, NULL, NULL, NULL, 'r-1', 0,
    1, 1700000002.1234567, 1500000000, 500000000, 2000000000, NULL, 2500000000, NULL, NULL, NULL,
    NULL, 2500000000, 0, NULL, NULL, NULL, NULL, NULL, 429, 'rate_limited', 'HTTP 429', 0, NULL, NULL, NULL, NULL, NULL, NULL
);
INSERT INTO server_page VALUES (1000000000, NULL), (2000000000, NULL), (3000000000, 'no whole answer within 1.0 s');
INSERT INTO server_series VALUES
    (1, 'vllm:num_requests_running', '[["engine","0"]]', 'gauge'),
    (2, 'vllm:generation_tokens_total', '[["engine","0"]]', 'counter');
INSERT INTO server_sample VALUES (1, 1000000000, 1.0), (2, 1000000000, 3.0), (2, 2000000000, 7.0);
