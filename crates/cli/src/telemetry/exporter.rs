//! A small HTTP server for whoever scrapes metrics, on a thread of its own.
//!
//! Answers `GET /metrics` and says at `/` where that is; knows nothing else of HTTP, and nothing of what is on the page. A
//! connection is closed behind its answer, and one that says nothing is given up.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crestline_load::background::step_back;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::page::CONTENT_TYPE;

/// How long a scrape may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;
/// Connections that are answered at the same time; more wait.
const CONNECTIONS: usize = 32;

/// What makes the page.
pub(super) type Source = Arc<dyn Fn() -> String + Send + Sync>;

/// A server that is up until it is dropped.
#[derive(Debug)]
pub(super) struct Exporter {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Listens from now on.
    pub(super) fn start(host: &str, port: u16, source: Source) -> io::Result<Self> {
        let listener = TcpListener::bind((host, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("prometheus".to_owned())
            .spawn(move || {
                step_back();
                runtime.block_on(serve(listener, source, stopped));
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(listener: TcpListener, source: Source, stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let mut open = JoinSet::new();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            accepted = listener.accept(), if open.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let source = Arc::clone(&source);
                    open.spawn(tokio::time::timeout(PATIENCE, answer(stream, source)));
                }
                // Out of files, perhaps: others close, and the next may fit.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
}

async fn answer(mut stream: TcpStream, source: Source) -> io::Result<()> {
    let head = head(&mut stream).await?;
    let response = respond(&head, &*source);
    stream.write_all(&response).await?;
    stream.shutdown().await
}

/// What was sent up to the first empty line, or as much of it as is taken.
async fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while head.len() < HEAD_LIMIT && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => break,
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(head)
}

fn respond(head: &[u8], page: &dyn Fn() -> String) -> Vec<u8> {
    let head = String::from_utf8_lossy(head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next());
    let path = target.and_then(|target| target.split('?').next());
    let (status, content_type, body) = match (method, path) {
        ("GET" | "HEAD", Some("/metrics")) => ("200 OK", CONTENT_TYPE, page()),
        ("GET" | "HEAD", Some("/")) => (
            "200 OK",
            "text/plain; charset=utf-8",
            "metrics of crestline are at /metrics\n".to_owned(),
        ),
        ("GET" | "HEAD", Some(_)) => (
            "404 Not Found",
            "text/plain; charset=utf-8",
            "only /metrics is here\n".to_owned(),
        ),
        (_, Some(_)) => (
            "405 Method Not Allowed",
            "text/plain; charset=utf-8",
            "only GET is answered\n".to_owned(),
        ),
        (_, None) => (
            "400 Bad Request",
            "text/plain; charset=utf-8",
            "this is not HTTP\n".to_owned(),
        ),
    };
    let length = body.len();
    let body = if method == "HEAD" { "" } else { &body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream as Client;

    use super::*;

    fn exporter() -> Exporter {
        Exporter::start("127.0.0.1", 0, Arc::new(|| "hits 1\n".to_owned())).unwrap()
    }

    fn ask(exporter: &Exporter, request: &str) -> String {
        let mut client = Client::connect(exporter.address()).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn the_page_is_at_metrics_and_nothing_else_is_anywhere() {
        let exporter = exporter();
        for (request, status, end) in [
            (
                "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                "200 OK",
                "\r\n\r\nhits 1\n",
            ),
            (
                "GET /metrics?a=b HTTP/1.0\r\n\r\n",
                "200 OK",
                "\r\n\r\nhits 1\n",
            ),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK", "\r\n\r\n"),
            ("GET / HTTP/1.1\r\n\r\n", "200 OK", "at /metrics\n"),
            ("GET /metric HTTP/1.1\r\n\r\n", "404 Not Found", "is here\n"),
            (
                "POST /metrics HTTP/1.1\r\n\r\n",
                "405 Method Not Allowed",
                "answered\n",
            ),
            ("\r\n\r\n", "400 Bad Request", "not HTTP\n"),
        ] {
            let answer = ask(&exporter, request);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{request}: {answer}"
            );
            assert!(answer.ends_with(end), "{request}: {answer}");
        }
    }

    #[test]
    fn a_client_that_says_nothing_keeps_nobody_waiting() {
        let exporter = exporter();
        let silent = Client::connect(exporter.address()).unwrap();
        assert!(ask(&exporter, "GET /metrics HTTP/1.1\r\n\r\n").ends_with("hits 1\n"));
        drop(exporter);
        drop(silent);
    }

    #[test]
    fn a_port_that_is_taken_is_told() {
        let exporter = exporter();
        let port = exporter.address().port();
        let other = Exporter::start("127.0.0.1", port, Arc::new(String::new));
        assert_eq!(other.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
