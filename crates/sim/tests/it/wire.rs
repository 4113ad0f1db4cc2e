//! A server on a thread, and a client that sees every byte.
//!
//! The client speaks just enough HTTP/1.1 for the tests, and nothing of the product's own client.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use crestline_sim::profile::Profile;
use crestline_sim::server::{self, Options, ServeError};
use serde_json::Value;
use tokio::sync::oneshot;

/// A server that stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

/// Iterations of 1 ms, whatever is in them.
pub(crate) fn quick() -> Options {
    Options::new(
        Profile::from_toml("quick", "[iteration]\nbase_ms = 1.0\nprefill_us_per_token = 0.0\ndecode_us_per_sequence = 0.0\nkv_ns_per_token = 0.0").unwrap(),
    )
}

/// As [`quick`], every request with this fault.
pub(crate) fn faulty(fault: &str) -> Options {
    Options {
        faults: vec![fault.parse().unwrap()],
        ..quick()
    }
}

impl Server {
    pub(crate) fn start(options: Options) -> Self {
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            server::serve(listener, options, async {
                // A dropped sender stops it too.
                let _ = stopped.await;
            })
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Response {
        self.connect().ask(method, path, body)
    }

    /// Stops it and waits for its end.
    pub(crate) fn stop(mut self) {
        self.end().unwrap().unwrap();
    }

    fn end(&mut self) -> Option<Result<(), ServeError>> {
        drop(self.stop.take());
        self.thread.take().map(|thread| thread.join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.end();
        if !std::thread::panicking() {
            ended.transpose().unwrap();
        }
    }
}

/// A whole response.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The body's bytes, chunk framing removed.
    pub(crate) body: Vec<u8>,
    /// Lengths of the chunks.
    pub(crate) chunks: Vec<usize>,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The data of each event, without the closing `[DONE]`, which must be there.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.text();
        let mut events: Vec<&str> = text
            .strip_suffix("\n\n")
            .unwrap()
            .split("\n\n")
            .map(|event| event.strip_prefix("data: ").unwrap())
            .collect();
        assert_eq!(events.pop(), Some("[DONE]"));
        events
            .iter()
            .map(|event| serde_json::from_str(event).unwrap())
            .collect()
    }
}

/// A connection.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        // A server that never answers fails the test instead of hanging it.
        socket
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        let buffer = Vec::new();
        Self { socket, buffer }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(crate) fn post(&mut self, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: a\r\n{headers}content-length: {length}\r\n\r\n");
        self.send(format!("{head}{body}").as_bytes());
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Response {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        self.send(format!("{head}{body}").as_bytes());
        self.response().unwrap()
    }

    /// Says no at the end of the stream.
    fn read_more(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 16 * 1024];
        let count = self.socket.read(&mut bytes)?;
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// Reads until the server closes the connection.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.read_more()? {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// What [`Client::rest`] had read before it failed.
    pub(crate) fn bytes_so_far(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.must_read()?;
        }
    }

    fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.must_read()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn must_read(&mut self) -> io::Result<()> {
        if self.read_more()? {
            return Ok(());
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Status line and headers, in lower case, each line with a line feed.
    pub(crate) fn head(&mut self) -> io::Result<String> {
        let mut head = String::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(head.to_ascii_lowercase());
            }
            head += &line;
            head += "\n";
        }
    }

    /// The next chunk; empty at the end.
    pub(crate) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let size = usize::from_str_radix(&self.line()?, 16).unwrap();
        let data = self.bytes(size)?;
        assert_eq!(self.line()?, "");
        Ok(data)
    }

    pub(crate) fn response(&mut self) -> io::Result<Response> {
        let head = self.head()?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Response {
            status,
            head,
            body: Vec::new(),
            chunks: Vec::new(),
        };
        let length = header(&response.head, "content-length").map(|value| value.parse().unwrap());
        if let Some(length) = length {
            response.body = self.bytes(length)?;
            return Ok(response);
        }
        assert_eq!(header(&response.head, "transfer-encoding"), Some("chunked"));
        loop {
            let data = self.chunk()?;
            if data.is_empty() {
                return Ok(response);
            }
            response.chunks.push(data.len());
            response.body.extend(data);
        }
    }
}

/// The value of a header in a head of [`Client::head`].
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
