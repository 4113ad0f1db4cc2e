//! A service that says what a test has written down, on loopback.
//!
//! Speaks as much HTTP/1.1 as the client under test: one request a connection, an answer that ends with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What an answer is made of.
pub(super) enum Say {
    /// These bytes, at once.
    Text(String),
    /// Nothing, for so many milliseconds.
    Wait(u64),
}

/// A request as it came.
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) body: String,
}

/// A running service. It ends with the test's process.
pub(super) struct Script {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    /// `answer` is asked for the answer to a request, with how many have come to the same path before. `None` is a page that
    /// the service does not have.
    pub(super) fn start(
        answer: impl Fn(&Asked, usize) -> Option<Vec<Say>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let answer = Arc::new(answer);
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || serve(&stream, &seen, &*answer));
            }
        });
        Self { address, asked }
    }

    pub(super) fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Bodies that came to a path, in order.
    pub(super) fn bodies(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let of_path = asked.iter().filter(|asked| asked.path == path);
        of_path.map(|asked| asked.body.clone()).collect()
    }
}

fn serve(
    stream: &TcpStream,
    seen: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked, usize) -> Option<Vec<Say>> + ?Sized),
) {
    let Some(asked) = read(stream) else { return };
    let mut seen = seen.lock().unwrap();
    let before = seen.iter().filter(|one| one.path == asked.path).count();
    let said = answer(&asked, before);
    seen.push(asked);
    drop(seen);
    let mut out = stream;
    let Some(said) = said else {
        drop(out.write_all(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ));
        return;
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    drop(out.write_all(head.as_bytes()));
    for part in said {
        match part {
            Say::Text(text) => drop(out.write_all(text.as_bytes())),
            Say::Wait(millis) => crestline_load::clock::sleep(Duration::from_millis(millis)),
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Asked { path, body })
}

/// An event of a stream.
pub(super) fn event(data: &str) -> Say {
    Say::Text(format!("data: {data}\n\n"))
}
