//! The physical limit: a reader that counts bytes and events, and nothing else.
//!
//! One thread, one epoll set, one read per wake-up. A request is a block of bytes made beforehand, with only its id
//! changing; an event is a line that begins with `data: `, found without parsing JSON or HTTP. It deliberately checks
//! nothing: a response that is not a whole event stream makes it wait for ever, and its parent ends it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use serde::{Deserialize, Serialize};

use crate::clock;

/// The begin of an event, after the line end before it.
const EVENT: &[u8] = b"\ndata: ";
/// The end of a chunked body, with the line end of the chunk before it.
const END: &[u8] = b"\r\n0\r\n\r\n";
/// Bytes of the last read that are looked at again, so that a mark may lie across the cut.
const CARRY: usize = 6;
/// Events without content at the end of a stream: usage and `[DONE]`.
pub(crate) const CLOSING_EVENTS: usize = 2;
/// Digits of a request's number in its id.
const DIGITS: usize = 8;
/// What stands before it.
const ID_PREFIX: &str = "raw-";

/// What the reader is to do; its parent hands it over as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Where the service listens.
    pub(crate) address: SocketAddr,
    /// Connections, all open at once.
    pub(crate) connections: usize,
    /// Requests on each of them, one after the other.
    pub(crate) requests: usize,
    /// Content of the one message.
    pub(crate) prompt: String,
    /// Length of the answer in tokens.
    pub(crate) tokens: u32,
    /// Where the requests and their gaps are written; `None` counts only.
    pub(crate) requests_file: Option<PathBuf>,
}

/// What one request brought; times are `CLOCK_MONOTONIC` in ns.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The id sent as `x-request-id`.
    pub(crate) request_id: String,
    /// Before the first byte was written.
    pub(crate) sent: u64,
    /// Read that held the first event.
    pub(crate) first: u64,
    /// Read that held the last byte.
    pub(crate) end: u64,
    /// Time between events; those of one read have none between them.
    pub(crate) gaps: Vec<u32>,
}

/// What all requests brought.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Events with content.
    pub(crate) chunks: u64,
    /// Socket reads.
    pub(crate) reads: u64,
    /// From the first write to the last read, in seconds.
    pub(crate) seconds: f64,
}

/// One connection and the request on it.
struct Line {
    socket: TcpStream,
    carry: [u8; CARRY],
    left: usize,
    /// Read that held the last event.
    last: u64,
    seen: Seen,
}

/// The bytes of a request, and where its id stands.
struct Template {
    bytes: Vec<u8>,
    id_at: usize,
    next: u64,
}

/// Does the task and prints the totals as JSON.
pub(crate) fn run(task: &str) -> io::Result<()> {
    let task: Task = serde_json::from_str(task)?;
    let mut reader = Reader::open(&task)?;
    let totals = reader.read_all()?;
    if let Some(path) = &task.requests_file {
        fs::write(path, serde_json::to_vec(&reader.done)?)?;
    }
    writeln!(io::stdout(), "{}", serde_json::to_string(&totals)?)
}

/// The requests that a reader has written to a file.
pub(crate) fn read_requests(path: &Path) -> io::Result<Vec<Seen>> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

struct Reader {
    epoll: Epoll,
    lines: Vec<Line>,
    template: Template,
    event: Finder<'static>,
    keeps: bool,
    open: usize,
    chunks: u64,
    reads: u64,
    done: Vec<Seen>,
}

impl Reader {
    fn open(task: &Task) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut lines = Vec::with_capacity(task.connections);
        for index in 0..task.connections {
            let socket = TcpStream::connect(task.address)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            lines.push(Line {
                socket,
                carry: [0; CARRY],
                left: task.requests,
                last: 0,
                seen: Seen::default(),
            });
        }
        Ok(Self {
            epoll,
            lines,
            template: Template::new(task),
            event: Finder::new(EVENT),
            keeps: task.requests_file.is_some(),
            open: task.connections,
            chunks: 0,
            reads: 0,
            done: Vec::new(),
        })
    }

    fn read_all(&mut self) -> io::Result<Totals> {
        let began = clock::now();
        for index in 0..self.lines.len() {
            self.send(index)?;
        }
        let mut ready = vec![EpollEvent::empty(); 1024];
        let mut buffer = vec![0; CARRY + 64 * 1024];
        while self.open > 0 {
            let count = self.epoll.wait(&mut ready, EpollTimeout::NONE)?;
            for event in &ready[..count] {
                self.read(event.data() as usize, &mut buffer)?;
            }
        }
        Ok(Totals {
            chunks: self.chunks,
            reads: self.reads,
            seconds: (clock::now() - began) as f64 / 1e9,
        })
    }

    fn send(&mut self, index: usize) -> io::Result<()> {
        let line = &mut self.lines[index];
        line.left -= 1;
        line.carry = [0; CARRY];
        line.seen.gaps.clear();
        line.seen.request_id.clear();
        line.seen.request_id.push_str(self.template.advance());
        line.seen.first = 0;
        line.seen.sent = clock::now();
        line.socket.write_all(&self.template.bytes)
    }

    /// Takes what one read brings.
    fn read(&mut self, index: usize, buffer: &mut [u8]) -> io::Result<()> {
        let line = &mut self.lines[index];
        let length = line.socket.read(&mut buffer[CARRY..])?;
        let at = clock::now();
        self.reads += 1;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer[..CARRY].copy_from_slice(&line.carry);
        let bytes = &buffer[..CARRY + length];
        for _ in self.event.find_iter(bytes) {
            if line.seen.first == 0 {
                line.seen.first = at;
            } else {
                line.seen.gaps.push((at - line.last) as u32);
            }
            line.last = at;
        }
        line.carry.copy_from_slice(&bytes[length..]);
        if bytes.ends_with(END) {
            line.seen.end = at;
            self.finish(index)?;
        }
        Ok(())
    }

    fn finish(&mut self, index: usize) -> io::Result<()> {
        let line = &mut self.lines[index];
        let content = line.seen.gaps.len().saturating_sub(CLOSING_EVENTS);
        line.seen.gaps.truncate(content);
        self.chunks += content as u64 + 1;
        if self.keeps {
            self.done.push(line.seen.clone());
        }
        if line.left > 0 {
            return self.send(index);
        }
        self.open -= 1;
        self.epoll.delete(&self.lines[index].socket)?;
        Ok(())
    }
}

impl Template {
    fn new(task: &Task) -> Self {
        let body = serde_json::json!({
            "model": "crestline-sim",
            "messages": [{"role": "user", "content": task.prompt}],
            "max_tokens": task.tokens,
            "ignore_eos": true,
            "stream": true,
            "stream_options": {"include_usage": true},
        })
        .to_string();
        let mut text = String::new();
        let _ = write!(
            text,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nx-request-id: ",
            task.address,
            body.len(),
        );
        let id_at = text.len();
        let _ = write!(text, "{ID_PREFIX}{:0DIGITS$}\r\n\r\n{body}", 0);
        Self {
            bytes: text.into_bytes(),
            id_at,
            next: 0,
        }
    }

    /// Puts the next number in, and gives the id that it makes.
    fn advance(&mut self) -> &str {
        let id = &mut self.bytes[self.id_at..self.id_at + ID_PREFIX.len() + DIGITS];
        let mut rest = self.next;
        for digit in id[ID_PREFIX.len()..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.next += 1;
        std::str::from_utf8(id).expect("an id is text")
    }
}
