//! An HTTP server that does what a test says with each request, failures included, and keeps what it was sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Lines of the head, the first included.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// A status and a body.
    Answer(u16, String),
    /// The connection stays open, and nothing is said.
    Hang,
    /// The connection is closed.
    Cut,
}

/// The server; it is up as long as the test's process.
pub(crate) struct Scripted {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    /// `manner` says what is done with each request, by its number from 0. One after the other, each on a connection of its own.
    pub(crate) fn start(
        mut manner: impl FnMut(usize, &Request) -> Manner + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&got);
        thread::spawn(move || {
            let mut silent = Vec::new();
            let mut number = 0;
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let Some(request) = read(&mut stream) else {
                    continue;
                };
                let manner = manner(number, &request);
                number += 1;
                all.lock().unwrap().push(request);
                match manner {
                    Manner::Hang => silent.push(stream),
                    Manner::Cut => drop(stream),
                    Manner::Answer(status, body) => {
                        let length = body.len();
                        let answer = format!(
                            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                        );
                        // Whoever asked may have gone.
                        drop(stream.get_mut().write_all(answer.as_bytes()));
                    }
                }
            }
        });
        Self { url, got }
    }

    /// What it was sent so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.got.lock().unwrap().clone()
    }
}

/// A whole request; `None` where the connection ends before.
fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    let mut words = head.lines().next()?.split(' ').map(str::to_owned);
    Some(Request {
        method: words.next()?,
        path: words.next()?,
        body,
        head,
    })
}
