//! The simulated engine in real time behind HTTP, as an OpenAI-compatible server.
//!
//! One thread does it all: at the end of an iteration each stream's event is written to its socket at once, one write an event,
//! so that the truth about send times is exact and faults have every byte in hand. No TLS and no HTTP/2.

mod answer;
mod ask;
mod clock;
mod deliver;
mod driver;
mod generate;
mod histogram;
mod http;
mod life;
mod metrics;
mod reading;
mod refusal;
mod routes;
mod service;
mod spelling;
mod tokens;
mod truth;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::task::{JoinError, JoinSet, LocalSet};

use crate::fault::{Fault, FaultError};
use crate::profile::{Overrides, Profile, ProfileError};
use http::Connection;
pub use life::{Crash, Health, Life};
use service::Service;
pub use tokens::TokensError;

/// Connections that may wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 8192;

/// What a server is and does.
#[derive(Debug, Clone)]
pub struct Options {
    /// The engine's speeds.
    pub profile: Profile,
    /// Parameters in place of the profile's.
    pub overrides: Overrides,
    /// Seed of everything random: noise, lengths, words, faults.
    pub seed: u64,
    /// What goes wrong with requests.
    pub faults: Vec<Fault>,
    /// What happens to it as a whole.
    pub life: Life,
    /// File for one CSV row a generation request; overwritten.
    pub truth: Option<PathBuf>,
    /// File for one CSV row a chunk sent: `request_id,sent_ns`; overwritten.
    pub truth_chunks: Option<PathBuf>,
    /// Name in `/v1/models`.
    pub model: String,
    /// Names of adapters that are listed and served beside it.
    pub adapters: Vec<String>,
    /// Which names requests may use.
    pub accept_model: AcceptModel,
    /// As [`Tokenizer::load`](crestline_workload::tokenizer::Tokenizer::load) takes it; `None` is the built-in one.
    pub tokenizer: Option<String>,
    /// Key that requests under `/v1` must carry.
    pub api_key: Option<String>,
}

/// Which model names a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcceptModel {
    /// Every name.
    #[default]
    Any,
    /// Those it lists; others get 404.
    Served,
}

impl Options {
    /// A server without faults and files.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            overrides: Overrides::default(),
            seed: 0,
            faults: Vec::new(),
            life: Life::default(),
            truth: None,
            truth_chunks: None,
            model: "crestline-sim".to_owned(),
            adapters: Vec::new(),
            accept_model: AcceptModel::Any,
            tokenizer: None,
            api_key: None,
        }
    }
}

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The overrides make no engine of the profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The faults do not go together.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// There is no tokenizer.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// A truth file cannot be written.
    #[error("cannot write the truth file")]
    Truth(#[source] io::Error),
    /// It ended as [`Crash`] says.
    #[error("the simulated server has crashed, as it was asked to")]
    Crashed,
    /// The system refuses a listener, a timer or a runtime.
    #[error("cannot serve")]
    System(#[from] io::Error),
}

/// A port that is bound, while nobody listens at it: connections are refused. Another program that reuses addresses can still
/// take it.
#[derive(Debug)]
pub struct Reserved(Socket);

impl Reserved {
    /// Listens, with a long queue of connections.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)?;
        Ok(self.0.into())
    }
}

/// Listens at an address, with a long queue of connections. Port 0 takes a free one.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    reserve(address)?.listen()
}

/// Takes an address, and does not listen yet.
pub fn reserve(address: SocketAddr) -> io::Result<Reserved> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(Reserved(socket))
}

/// Serves until `shutdown` is ready; then drops all connections and writes the truth to its end. Blocks the thread.
pub fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let service = Rc::new(Service::new(options)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = LocalSet::new().block_on(&runtime, run(&service, listener, shutdown));
    let mut state = service.state.borrow_mut();
    state.wind_up();
    served?;
    state
        .broken
        .take()
        .map_or(Ok(()), |error| Err(ServeError::Truth(error)))
}

/// The loop of the listener, with the engine and the connections as tasks.
async fn run(
    service: &Rc<Service>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    let mut listener = accepting(listener)?;
    let mut engine = JoinSet::new();
    let driven = Rc::clone(service);
    engine.spawn_local(async move { driver::drive(&driven).await });
    let mut connections = JoinSet::new();
    let crash = life::elapsed(service.life.crash.after);
    tokio::pin!(crash);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            () = &mut crash => return Err(ServeError::Crashed),
            () = service.crash.notified() => return Err(ServeError::Crashed),
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let service = Rc::clone(service);
                    connections.spawn_local(async move {
                        routes::serve_connection(&service, Connection::new(socket)).await;
                    });
                }
                // Out of descriptors, or a client that left at once: others may still be served.
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            },
            Some(_) = connections.join_next() => {}
            Some(ended) = engine.join_next() => return Err(engine_end(ended)),
            () = service.refuse.notified() => {
                drop(listener);
                tokio::time::sleep(Duration::from_secs_f64(service.refuse_seconds.get())).await;
                listener = accepting(bind(address)?)?;
            }
            _ = second.tick() => {
                let mut state = service.state.borrow_mut();
                state.flush_truth();
                if let Some(error) = state.broken.take() {
                    return Err(ServeError::Truth(error));
                }
            }
        }
    }
}

/// The engine only ends when its clock fails, or by a bug, which goes on to the caller.
fn engine_end(ended: Result<io::Result<()>, JoinError>) -> ServeError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => io::Error::other("the engine has ended").into(),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn accepting(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    reading::prepare(&listener)?;
    tokio::net::TcpListener::from_std(listener)
}
