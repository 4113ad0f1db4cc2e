//! What is said: orders of the coordinator, reports of a worker.

use crestline_core::health::ClientHealth;
use crestline_core::record::{FailureKind, InFlight, RequestRecord};
use crestline_core::request::{Load, LoadPoint};
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use crestline_load::engine::{Live, Part};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::bytes::{Reader, Writer};
use super::plan::WirePlan;
use super::record_frame::read_records;
use super::{FrameError, Receipt, in_flight};

/// The first byte of a message in JSON, of records, and of requests in flight.
const MESSAGE: u8 = b'm';
const RECORDS: u8 = b'r';
const SIGHT: u8 = b'f';

/// What the coordinator tells a worker. Times are the coordinator's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Make ready what is needed for all loads.
    Open(Box<Opening>),
    /// Send one request, to see that the service is there.
    Check,
    /// Apply this load: make ready, report, and begin when told.
    Apply {
        /// The load of all parts.
        point: LoadPoint,
        /// Index in the workload of the first request.
        first_item: u64,
        /// What the coordinator's clock shows more than the worker's, in ns.
        shift_ns: i64,
    },
    /// Begin the phase that all are ready for.
    Begin {
        /// When.
        at: Nanos,
    },
    /// Send nothing more, and wait for what is in flight; once more, do not wait either.
    Stop,
    /// Hire for a load that is changed in place.
    OpenSession {
        /// The highest load that may come.
        most: Load,
        /// Index in the workload of the first request.
        first_item: u64,
        /// What the coordinator's clock shows more than the worker's, in ns.
        shift_ns: i64,
    },
    /// Apply another load.
    Change {
        /// From when on.
        at: Nanos,
        /// Of all parts.
        load: Load,
        /// Time over which further users join.
        join_over: Nanos,
        /// Which requests in flight are given up.
        abort: Abort,
    },
    /// Hand over what has ended, and show what is in flight.
    Look {
        /// Number of the look; the answer has it too.
        turn: u64,
        /// What is to be told beside it.
        with: Beside,
    },
    /// Send nothing more, and wait for what is in flight for so long.
    CloseSession {
        /// How long.
        grace: Nanos,
    },
    /// The coordinator is there.
    Beat,
    /// Say at once what your clock shows.
    Ping {
        /// Comes back.
        number: u64,
    },
    /// There is no more work.
    Leave,
}

/// What a look asks for beside the requests in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// First, how well the client kept up.
    Health,
}

/// What a worker needs for all loads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Opening {
    /// With its secrets.
    pub plan: WirePlan,
    /// Which part of each load is the worker's.
    pub part: Part,
    /// Begins the id of each request.
    pub run_id: String,
}

/// What a worker tells the coordinator, beside records and requests in flight. Times of loads are the coordinator's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// The first word.
    Hello(Hello),
    /// Ready for loads.
    Opened,
    /// The service answered a request.
    Answered,
    /// It did not.
    Unanswered {
        /// Why, for counting.
        kind: FailureKind,
        /// Why, in words.
        text: String,
    },
    /// Ready for the next phase.
    Ready,
    /// Counters since the load began.
    Counted(Live),
    /// The load is over: all records were handed over.
    Done {
        /// How well the client kept up.
        health: Box<ClientHealth>,
        /// What was handed over.
        receipt: Receipt,
    },
    /// Hired.
    InSession,
    /// How well the client kept up since it was last told, in a session.
    Kept(Box<ClientHealth>),
    /// What was ordered cannot be done.
    Failed {
        /// Why, in words.
        why: String,
    },
    /// The worker is there.
    Beat,
    /// What its clock shows.
    Pong {
        /// Of the ping.
        number: u64,
        /// The worker's monotonic clock.
        at: Nanos,
    },
}

/// Who a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::PROTOCOL`] of the worker.
    pub protocol: u32,
    /// Version of crestline.
    pub version: String,
    /// Processors that it may use.
    #[serde(default)]
    pub processors: usize,
    /// Connections that it may have at once.
    #[serde(default)]
    pub connections: u64,
}

/// Something that came from a worker.
#[derive(Debug)]
pub enum Heard {
    /// In words.
    Report(Report),
    /// Requests that have ended.
    Records(Vec<RequestRecord>),
    /// Requests in flight at a look.
    Sight {
        /// Number of the look.
        turn: u64,
        /// By index.
        in_flight: Vec<InFlight>,
    },
}

/// Bytes for the link.
#[derive(Debug)]
pub struct Frame;

impl Frame {
    /// Of an order or a report.
    pub fn of(message: &impl Serialize) -> Vec<u8> {
        let mut frame = vec![MESSAGE];
        serde_json::to_writer(&mut frame, message).expect("a message has a JSON form");
        frame
    }

    /// Of the records that a [`super::RecordWriter`] gave.
    pub fn of_records(records: &[u8]) -> Vec<u8> {
        [&[RECORDS], records].concat()
    }

    /// Of a look.
    pub fn of_sight(turn: u64, flights: &[InFlight]) -> Vec<u8> {
        let mut frame = Writer(vec![SIGHT]);
        frame.number(turn);
        in_flight::write(&mut frame, flights);
        frame.0
    }

    /// An order, as a worker reads it.
    pub fn read_order(frame: &[u8]) -> Result<Order, FrameError> {
        match frame.split_first() {
            Some((&MESSAGE, text)) => read_message(text),
            _ => Err(FrameError::Kind),
        }
    }

    /// What the coordinator reads.
    pub fn read(frame: &[u8]) -> Result<Heard, FrameError> {
        match frame.split_first() {
            Some((&MESSAGE, text)) => read_message(text).map(Heard::Report),
            Some((&RECORDS, records)) => read_records(records).map(Heard::Records),
            Some((&SIGHT, flights)) => {
                let mut from = Reader::new(flights, "requests in flight");
                let turn = from.number()?;
                let in_flight = in_flight::read(&mut from)?;
                from.end()?;
                Ok(Heard::Sight { turn, in_flight })
            }
            _ => Err(FrameError::Kind),
        }
    }
}

fn read_message<T: DeserializeOwned>(text: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(text).map_err(|error| FrameError::Message(error.to_string()))
}
