//! An HTTP/2 server over TLS that answers as a test tells it, one thread for all connections.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response, Uri};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::certificate::Certificate;

/// What the server does with a request.
pub(crate) enum Reply {
    /// A stream of events.
    Send(Vec<String>),
    /// Another status, with a header and a text.
    Status(u16, (&'static str, &'static str), &'static str),
    /// A stream that is reset after these events.
    Reset(Vec<String>, Reason),
    /// Reset before any answer.
    Refuse(Reason),
    /// A stream that goes on for ever after these events.
    Hang(Vec<String>),
    /// Closes the connection.
    Close,
}

/// What the server says of itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manners {
    /// Requests at a time.
    pub(crate) streams: Option<u32>,
    /// Begins to close the connection after so many requests.
    pub(crate) requests: Option<usize>,
}

/// What it received.
pub(crate) struct Received {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Http2Script {
    pub(crate) url: String,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
    pub(crate) most_in_flight: Arc<AtomicUsize>,
    pub(crate) received: Arc<Mutex<Vec<Received>>>,
    now: Arc<AtomicUsize>,
    manners: Manners,
    reply: Arc<dyn Fn(usize, usize) -> Reply + Send + Sync>,
}

impl Http2Script {
    /// `reply` gets the numbers of the request in its connection and among all.
    pub(crate) fn serve(
        certificate: &Certificate,
        manners: Manners,
        reply: impl Fn(usize, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "https://{}/v1/chat/completions",
            listener.local_addr().unwrap()
        );
        let script = Self {
            url,
            connections: Arc::default(),
            requests: Arc::default(),
            most_in_flight: Arc::default(),
            received: Arc::default(),
            now: Arc::default(),
            manners,
            reply: Arc::new(reply),
        };
        let acceptor = TlsAcceptor::from(certificate.config(&["h2", "http/1.1"]));
        let running = script.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((tcp, _)) = listener.accept().await {
                    running.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(running.clone().speak(acceptor.clone(), tcp));
                }
            });
        });
        script
    }

    /// Streams that are open now.
    pub(crate) fn in_flight(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    async fn speak(self, acceptor: TlsAcceptor, tcp: TcpStream) {
        drop(tcp.set_nodelay(true));
        let Ok(tls) = acceptor.accept(tcp).await else {
            return;
        };
        let mut builder = server::Builder::new();
        if let Some(streams) = self.manners.streams {
            builder.max_concurrent_streams(streams);
        }
        let Ok(mut connection) = builder.handshake::<_, Bytes>(tls).await else {
            return;
        };
        let mut mine = 0;
        while let Some(Ok((request, respond))) = connection.accept().await {
            let all = self.requests.fetch_add(1, Ordering::SeqCst);
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_in_flight.fetch_max(now, Ordering::SeqCst);
            let reply = (self.reply)(mine, all);
            if matches!(reply, Reply::Close) {
                self.now.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            tokio::spawn(self.clone().answer(request, respond, reply));
            mine += 1;
            if self.manners.requests == Some(mine) {
                connection.graceful_shutdown();
            }
        }
    }

    /// The request is over before its last piece is sent.
    async fn answer(
        self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        reply: Reply,
    ) {
        let (head, mut incoming) = request.into_parts();
        let mut body = Vec::new();
        while let Some(Ok(bytes)) = incoming.data().await {
            drop(incoming.flow_control().release_capacity(bytes.len()));
            body.extend_from_slice(&bytes);
        }
        self.received.lock().unwrap().push(Received {
            uri: head.uri,
            headers: head.headers,
            body,
        });
        let end = || self.now.fetch_sub(1, Ordering::SeqCst);
        let stream = Response::builder().header("content-type", "text/event-stream");
        let stream = stream.body(()).unwrap();
        match reply {
            Reply::Send(pieces) => {
                let (last, pieces) = pieces.split_last().unwrap();
                if let Ok(mut to) = respond.send_response(stream, false) {
                    send(&mut to, pieces).await;
                    end();
                    drop(to.send_data(Bytes::from(last.clone()), true));
                }
            }
            Reply::Status(status, (name, value), text) => {
                end();
                let head = Response::builder().status(status).header(name, value);
                if let Ok(mut to) = respond.send_response(head.body(()).unwrap(), false) {
                    drop(to.send_data(Bytes::from_static(text.as_bytes()), true));
                }
            }
            Reply::Reset(pieces, reason) => {
                if let Ok(mut to) = respond.send_response(stream, false) {
                    send(&mut to, &pieces).await;
                    end();
                    to.send_reset(reason);
                }
            }
            Reply::Refuse(reason) => {
                end();
                respond.send_reset(reason);
            }
            Reply::Hang(pieces) => {
                if let Ok(mut to) = respond.send_response(stream, false) {
                    send(&mut to, &pieces).await;
                    drop(std::future::poll_fn(|cx| to.poll_reset(cx)).await);
                    end();
                }
            }
            Reply::Close => {}
        }
    }
}

/// Sends pieces apart from each other.
async fn send(to: &mut SendStream<Bytes>, pieces: &[String]) {
    for piece in pieces {
        drop(to.send_data(Bytes::from(piece.clone()), false));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
