//! A server that answers as a test tells it, one thread a connection.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crestline_core::record::RequestRecord;
use crestline_core::request::{Generation, Load, LoadPoint};
use crestline_core::units::Nanos;
use crestline_load::client::endpoint::Endpoint;
use crestline_load::engine::{Applied, Engine, Happening, Setup, Stop};
use crestline_load::target::{Certificates, Target};
use crestline_workload::Workload;
use crestline_workload::plan::{Dataset, PromptForm, WorkloadPlan};

/// What a server does with the n-th request of a connection.
pub(crate) enum Step {
    /// Sends these pieces, with a flush after each.
    Send(Vec<String>),
    /// The same with bytes.
    SendBytes(Vec<Vec<u8>>),
    /// Sends these pieces, then closes without having said so.
    SendAndClose(Vec<String>),
    /// The same with bytes.
    SendBytesAndClose(Vec<Vec<u8>>),
    /// Closes at once.
    Close,
    /// Sends these pieces, then nothing.
    Hang(Vec<String>),
}

/// A running server.
pub(crate) struct Script {
    pub(crate) url: String,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
    pub(crate) most_in_flight: Arc<AtomicUsize>,
    /// Request heads as they were received.
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
    /// Request bodies, in the same order.
    pub(crate) bodies: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// `step` gets the numbers of the request in its connection and among all.
    pub(crate) fn serve(step: impl Fn(usize, usize) -> Step + Send + Sync + 'static) -> Self {
        Self::serve_over(Some, step)
    }

    /// A server whose connections are wrapped; those that cannot be are closed.
    pub(crate) fn serve_over<S: Read + Write>(
        wrap: impl Fn(TcpStream) -> Option<S> + Send + Sync + 'static,
        step: impl Fn(usize, usize) -> Step + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "http://{}/v1/chat/completions",
            listener.local_addr().unwrap()
        );
        let script = Self {
            url,
            connections: Arc::default(),
            requests: Arc::default(),
            most_in_flight: Arc::default(),
            heads: Arc::default(),
            bodies: Arc::default(),
        };
        let heads = Arc::clone(&script.heads);
        let bodies = Arc::clone(&script.bodies);
        let (connections, requests) = (
            Arc::clone(&script.connections),
            Arc::clone(&script.requests),
        );
        let (most, now) = (
            Arc::clone(&script.most_in_flight),
            Arc::new(AtomicUsize::new(0)),
        );
        let (step, wrap) = (Arc::new(step), Arc::new(wrap));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                drop(stream.set_nodelay(true));
                connections.fetch_add(1, Ordering::SeqCst);
                let (step, requests) = (Arc::clone(&step), Arc::clone(&requests));
                let (most, now) = (Arc::clone(&most), Arc::clone(&now));
                let (wrap, heads) = (Arc::clone(&wrap), Arc::clone(&heads));
                let bodies = Arc::clone(&bodies);
                thread::spawn(move || {
                    let mut mine = 0;
                    let Some(mut stream) = wrap(stream) else {
                        return;
                    };
                    while let Some((head, body)) = read_request(&mut stream) {
                        heads.lock().unwrap().push(head);
                        bodies.lock().unwrap().push(body);
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let go_on = act(
                            &mut stream,
                            step(mine, requests.fetch_add(1, Ordering::SeqCst)),
                            &now,
                        );
                        mine += 1;
                        if !go_on {
                            break;
                        }
                    }
                });
            }
        });
        script
    }
}

/// Says whether the connection stays open. The request is over for `now` before its last piece is sent.
fn act(stream: &mut (impl Read + Write), step: Step, now: &AtomicUsize) -> bool {
    let (pieces, after) = match step {
        Step::Send(pieces) => (bytes(pieces), true),
        Step::SendAndClose(pieces) => (bytes(pieces), false),
        Step::SendBytes(pieces) => (pieces, true),
        Step::SendBytesAndClose(pieces) => (pieces, false),
        Step::Close => (Vec::new(), false),
        Step::Hang(pieces) => {
            for piece in pieces {
                drop(stream.write_all(piece.as_bytes()));
            }
            let mut byte = [0];
            let _ = stream.read(&mut byte);
            return false;
        }
    };
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.iter().enumerate() {
        if at == last {
            now.fetch_sub(1, Ordering::SeqCst);
        }
        if stream.write_all(piece).is_err() {
            return false;
        }
        pause(Duration::from_micros(300));
    }
    after
}

fn bytes(pieces: Vec<String>) -> Vec<Vec<u8>> {
    pieces.into_iter().map(String::into_bytes).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "pieces of a stream are sent apart"
)]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// Reads one request: head and body; `None` at the end of the connection.
fn read_request(stream: &mut impl Read) -> Option<(String, String)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}

/// A streamed answer of so many tokens with its usage, one piece an event.
pub(crate) fn answer(tokens: usize) -> Vec<String> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned();
    let chunk = |event: &String| format!("{:x}\r\n{event}\r\n", event.len());
    let last = "0\r\n\r\n".to_owned();
    std::iter::once(head)
        .chain(events(tokens).iter().map(chunk))
        .chain([last])
        .collect()
}

/// Its events.
pub(crate) fn events(tokens: usize) -> Vec<String> {
    let mut events: Vec<String> = (0..tokens)
        .map(|at| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\" t{at}\"}},\"finish_reason\":null}}]}}\n\n"))
        .collect();
    events.push(format!("data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":{tokens}}}}}\n\n"));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// A workload of one short prompt.
pub(crate) fn plan() -> WorkloadPlan {
    WorkloadPlan {
        dataset: Dataset::Fixed("hi".to_owned()),
        tokenizer: None,
        form: PromptForm::Chat,
        min_prompt_length: 0,
        max_prompt_length: 1000,
        prefix_length: 0,
        max_tokens: Some((4, 4)),
        offset: 0,
        seed: 7,
    }
}

/// Settings for a server; tests change what they are about.
pub(crate) fn setup(url: &str) -> Setup {
    Setup {
        target: Target {
            url: url.to_owned(),
            headers: Vec::new(),
            api_key: None,
            connect_timeout: None,
            read_timeout: None,
            total_timeout: Nanos::from_secs(30),
            certificates: Certificates::Checked,
        },
        endpoint: Endpoint::OpenAiChat,
        model: "m".to_owned(),
        adapters: None,
        generation: Generation {
            stream: true,
            ..Generation::default()
        },
        workload: Arc::new(Workload::open(&plan()).unwrap()),
        workers: None,
        preparers: std::num::NonZeroUsize::MIN,
        grace: Nanos::from_millis(100),
        seed: 7,
        due_times: Arc::default(),
        own: std::sync::Arc::default(),
        keep_text: true,
    }
}

/// Applies a load and gives its records by index.
pub(crate) fn apply(setup: Setup, point: LoadPoint, stop: &Stop) -> (Vec<RequestRecord>, Applied) {
    let engine = Engine::new(setup, "test", &[], |_| None).unwrap();
    apply_by(&engine, point, stop)
}

/// The same by an engine that is there.
pub(crate) fn apply_by(
    engine: &Engine,
    point: LoadPoint,
    stop: &Stop,
) -> (Vec<RequestRecord>, Applied) {
    let mut records = Vec::new();
    let applied = engine
        .apply(&point, 0, stop, &mut |happening| {
            if let Happening::Record(record) = happening {
                records.push(*record);
            }
        })
        .unwrap();
    records.sort_by_key(|record| record.index);
    (records, applied)
}

/// A closed loop without warm-up.
pub(crate) fn closed(slots: u32, requests: u64) -> LoadPoint {
    LoadPoint {
        load: Load::closed(NonZeroU32::new(slots).unwrap()),
        requests,
        warmup: 0,
        duration: None,
    }
}

/// The times of a record are in order.
pub(crate) fn check_times(record: &RequestRecord) {
    let order = [
        Some(record.due),
        Some(record.sent),
        record.first_byte,
        record.first_token,
        record.last_token,
        Some(record.end),
    ];
    let known: Vec<Nanos> = order.into_iter().flatten().collect();
    assert!(known.is_sorted(), "{record:?}");
}
