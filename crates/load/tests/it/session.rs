//! A session whose load is changed in place: nothing is lost or doubled, and those who are given up are told.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crestline_core::arrival::Arrival;
use crestline_core::record::{FailureKind, InFlight, RequestRecord};
use crestline_core::request::{Arrivals, Load};
use crestline_core::search::Abort;
use crestline_core::units::{Nanos, Rate};
use crestline_load::engine::{Engine, Happening, Session, SessionPlan, Setup, Stop};

use crate::certificate::Certificate;
use crate::http2_script::{Http2Script, Manners, Reply};
use crate::script::{Script, Step, answer, check_times, events, pause, setup};

fn users(users: u32) -> Load {
    Load::closed(NonZeroU32::new(users).unwrap())
}

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn by_workers(workers: usize, url: &str) -> Setup {
    Setup {
        workers: NonZeroUsize::new(workers),
        ..setup(url)
    }
}

/// A session and what came of it.
struct Watched {
    session: Session,
    records: Vec<RequestRecord>,
    sent: u64,
}

impl Watched {
    fn open(setup: Setup, most: Load) -> Self {
        Self::of(&Engine::new(setup, "test", &[], |_| None).unwrap(), most)
    }

    fn of(engine: &Engine, most: Load) -> Self {
        let plan = SessionPlan {
            most,
            first_item: 0,
        };
        Self {
            session: engine.open_session(plan).unwrap(),
            records: Vec::new(),
            sent: 0,
        }
    }

    fn change(&mut self, load: Load, join_over_ms: u64, abort: Abort) -> Nanos {
        let over = Nanos::from_millis(join_over_ms);
        self.session.change(load, over, abort).unwrap()
    }

    /// Lets time pass; what was sent until then is told, each request once.
    fn pass(&mut self, millis: u64) -> &[InFlight] {
        let until = self.session.now() + Nanos::from_millis(millis);
        let (records, sent) = (&mut self.records, &mut self.sent);
        self.session
            .advance(until, &Stop::default(), &mut |happening| match happening {
                Happening::Record(record) => records.push(*record),
                Happening::Tick(live) => *sent = live.sent,
                Happening::Counting => {}
            })
            .unwrap();
        assert!(self.session.now() >= until);
        let told: Vec<u64> = self.told();
        let different: BTreeSet<u64> = told.iter().copied().collect();
        assert_eq!(told.len(), different.len(), "told twice");
        assert!(told.len() as u64 >= self.sent, "sent and not told");
        self.session.in_flight()
    }

    /// Lets time pass until something holds; the test fails where it never does.
    fn pass_until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            self.pass(5);
            if holds(self) {
                return;
            }
        }
        panic!("it never came");
    }

    fn told(&self) -> Vec<u64> {
        let ended = self.records.iter().map(|record| record.index);
        let in_flight = self.session.in_flight().iter().map(|flight| flight.index);
        ended.chain(in_flight).collect()
    }

    fn has_in_flight(&self, number: usize) -> bool {
        self.session.in_flight().len() == number
    }

    /// Gives all records; every request that was sent has exactly one.
    fn close(self, grace_ms: u64) -> Vec<RequestRecord> {
        let Self {
            session,
            mut records,
            mut sent,
        } = self;
        let grace = Nanos::from_millis(grace_ms);
        session
            .close(grace, &Stop::default(), &mut |happening| match happening {
                Happening::Record(record) => records.push(*record),
                Happening::Tick(live) => sent = live.sent,
                Happening::Counting => {}
            })
            .unwrap();
        records.sort_by_key(|record| record.index);
        let different: BTreeSet<u64> = records.iter().map(|record| record.index).collect();
        assert_eq!(records.len(), different.len(), "told twice");
        assert_eq!(records.len() as u64, sent);
        records.iter().for_each(check_times);
        records
    }
}

fn cancelled(records: &[RequestRecord]) -> Vec<&RequestRecord> {
    let kind = |record: &RequestRecord| record.failure.as_ref().map(|failure| failure.kind);
    records
        .iter()
        .filter(|record| kind(record) == Some(FailureKind::Cancelled))
        .collect()
}

/// A connection that is counted when the server sees its end.
struct Counted(TcpStream, Arc<AtomicUsize>);

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Write for Counted {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(from)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server whose answers begin with a token and never end, and how many connections it has seen end.
fn endless_and_closed() -> (Script, Arc<AtomicUsize>) {
    let closed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&closed);
    let script = Script::serve_over(
        move |stream| Some(Counted(stream, Arc::clone(&counter))),
        |_, _| Step::Hang(answer(9)[..2].to_vec()),
    );
    (script, closed)
}

#[test]
fn further_users_join_evenly_and_in_all_workers_together_there_are_as_many_as_asked() {
    let (script, _) = endless_and_closed();
    for workers in [1, 3] {
        let mut watched = Watched::open(by_workers(workers, &script.url), users(20));
        assert!(watched.pass(30).is_empty(), "no load yet");
        watched.change(users(2), 0, Abort::Nothing);
        watched.pass_until(|watched| watched.has_in_flight(2));
        let from = watched.change(users(12), 400, Abort::Nothing);
        watched.pass_until(|watched| watched.has_in_flight(12));
        let mut due: Vec<Nanos> = watched.session.in_flight().iter().map(|f| f.due).collect();
        due.sort_unstable();
        let expected: Vec<Nanos> = (0..10)
            .map(|user| from + Nanos::from_millis(40 * user))
            .collect();
        assert_eq!(due[2..], expected);
        watched.pass(50);
        assert!(watched.has_in_flight(12), "and no more");
        let records = watched.close(0);
        assert_eq!(cancelled(&records).len(), 12);
    }
}

#[test]
fn fewer_users_are_met_without_giving_anything_up() {
    let script = Script::serve(|_, _| Step::Send(answer(20)));
    let mut watched = Watched::open(by_workers(2, &script.url), users(9));
    watched.change(users(9), 0, Abort::Nothing);
    watched.pass_until(|watched| watched.records.len() > 30);
    watched.change(users(3), 0, Abort::Nothing);
    watched.pass(100);
    watched.pass_until(|watched| watched.has_in_flight(3));
    for _ in 0..20 {
        assert!(watched.pass(7).len() <= 3);
    }
    watched.change(users(5), 20, Abort::Nothing);
    watched.pass_until(|watched| watched.has_in_flight(5));
    let records = watched.close(20_000);
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    assert_eq!(records.len(), script.requests.load(Ordering::SeqCst));
    assert!(script.most_in_flight.load(Ordering::SeqCst) <= 9);
}

#[test]
fn the_surplus_is_given_up_evenly_over_age_and_the_server_sees_it() {
    let (script, closed) = endless_and_closed();
    for workers in [1, 2] {
        closed.store(0, Ordering::SeqCst);
        let mut watched = Watched::open(by_workers(workers, &script.url), users(12));
        watched.change(users(12), 24, Abort::Nothing);
        watched.pass_until(|watched| watched.has_in_flight(12));
        let before: Vec<u64> = watched
            .session
            .in_flight()
            .iter()
            .map(|f| f.index)
            .collect();
        watched.change(users(4), 0, Abort::Surplus);
        watched.pass_until(|watched| watched.has_in_flight(4));
        assert_eq!(cancelled(&watched.records).len(), 8);
        let left: Vec<u64> = watched
            .session
            .in_flight()
            .iter()
            .map(|f| f.index)
            .collect();
        assert!(left.iter().all(|index| before.contains(index)));
        if workers == 1 {
            let places = |index| before.iter().position(|other| other == index).unwrap();
            assert_eq!(left.iter().map(places).collect::<Vec<_>>(), [1, 4, 7, 10]);
        }
        watched.pass_until(|_| closed.load(Ordering::SeqCst) >= 8);
        assert_eq!(closed.load(Ordering::SeqCst), 8);
        assert_eq!(watched.close(0).len(), 12);
    }
}

#[test]
fn all_are_given_up_and_the_users_join_anew() {
    let (script, _) = endless_and_closed();
    for workers in [1, 2] {
        let mut watched = Watched::open(by_workers(workers, &script.url), users(12));
        watched.change(users(12), 24, Abort::Nothing);
        watched.pass_until(|watched| watched.has_in_flight(12));
        let before: Vec<u64> = watched
            .session
            .in_flight()
            .iter()
            .map(|f| f.index)
            .collect();
        let from = watched.change(users(4), 40, Abort::All);
        let is_new = |flight: &InFlight| !before.contains(&flight.index);
        watched.pass_until(|watched| {
            watched.has_in_flight(4) && watched.session.in_flight().iter().all(is_new)
        });
        assert_eq!(cancelled(&watched.records).len(), 12);
        let mut due: Vec<u64> = watched
            .session
            .in_flight()
            .iter()
            .map(|f| (f.due - from).0)
            .collect();
        due.sort_unstable();
        assert_eq!(due, [0, 10_000_000, 20_000_000, 30_000_000]);
        assert_eq!(watched.close(0).len(), 16);
    }
}

#[test]
fn the_queue_is_given_up_and_what_has_a_token_goes_on() {
    let script = Script::serve(|_, all| {
        Step::Hang(if all < 4 {
            answer(9)[..3].to_vec()
        } else {
            Vec::new()
        })
    });
    let mut watched = Watched::open(by_workers(2, &script.url), users(10));
    watched.change(users(10), 20, Abort::Nothing);
    let begun = |watched: &Watched| -> Vec<u64> {
        let flights = watched.session.in_flight().iter();
        flights
            .filter(|flight| flight.first_token.is_some())
            .map(|flight| flight.index)
            .collect()
    };
    watched.pass_until(|watched| watched.has_in_flight(10) && begun(watched).len() == 4);
    let before = begun(&watched);
    watched.change(users(4), 0, Abort::Queue);
    watched.pass_until(|watched| watched.has_in_flight(4));
    watched.pass(30);
    assert_eq!(begun(&watched), before);
    let given_up = cancelled(&watched.records);
    assert_eq!(given_up.len(), 6);
    assert!(given_up.iter().all(|record| record.first_token.is_none()));
    watched.close(0);
}

#[test]
fn over_http_2_the_stream_of_a_request_that_is_given_up_is_reset_and_the_others_go_on() {
    let certificate = Certificate::of("127.0.0.1");
    let script = Http2Script::serve(&certificate, Manners::default(), |_, _| {
        Reply::Hang(events(9)[..2].to_vec())
    });
    let roots = certificate.roots();
    let engine = Engine::new(setup(&script.url), "test", &roots, |_| None).unwrap();
    let mut watched = Watched::of(&engine, users(8));
    watched.change(users(8), 0, Abort::Nothing);
    let all_begun = |flights: &[InFlight]| flights.iter().all(|f| f.output_tokens == 2);
    watched
        .pass_until(|watched| watched.has_in_flight(8) && all_begun(watched.session.in_flight()));
    watched.change(users(3), 0, Abort::Surplus);
    watched.pass_until(|watched| watched.has_in_flight(3) && script.in_flight() == 3);
    assert_eq!(cancelled(&watched.records).len(), 5);
    assert!(
        cancelled(&watched.records)
            .iter()
            .all(|record| record.chunks == 2)
    );
    // One to see the protocol, one for the session.
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
    assert_eq!(watched.close(0).len(), 8);
}

#[test]
fn a_request_that_waits_for_its_connection_is_given_up_too() {
    // Nobody accepts, and the backlog is full: further connections are never made.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _taken = TcpStream::connect(address).unwrap();
    let url = format!("http://{address}/v1/chat/completions");
    let mut watched = Watched::open(setup(&url), users(5));
    watched.change(users(5), 0, Abort::Nothing);
    watched.pass_until(|watched| watched.has_in_flight(5));
    watched.change(users(2), 0, Abort::Surplus);
    watched.pass_until(|watched| watched.has_in_flight(2));
    assert_eq!(cancelled(&watched.records).len(), 3);
    let records = watched.close(0);
    assert_eq!(cancelled(&records).len(), 5);
}

#[test]
fn what_is_in_flight_is_seen_with_its_progress() {
    let script = Script::serve(|mine, _| {
        if mine == 0 {
            Step::Send(answer(2))
        } else {
            Step::Hang(answer(9)[..6].to_vec())
        }
    });
    for ignore_eos in [true, false] {
        let mut asked = setup(&script.url);
        let extra = serde_json::json!({ "ignore_eos": ignore_eos });
        asked.generation.extra = extra.as_object().unwrap().clone();
        let mut watched = Watched::open(asked, users(3));
        watched.change(users(3), 0, Abort::Nothing);
        let all_begun = |flights: &[InFlight]| flights.iter().all(|f| f.output_tokens == 5);
        watched.pass_until(|watched| {
            watched.records.len() == 3 && all_begun(watched.session.in_flight())
        });
        let flights = watched.session.in_flight().to_vec();
        assert_eq!(flights.len(), 3);
        assert_eq!(watched.pass(20), flights);
        let records = watched.close(0);
        for (flight, record) in flights.iter().zip(&records[3..]) {
            assert_eq!(flight.index, record.index);
            assert_eq!((flight.due, flight.sent), (record.due, record.sent));
            assert_eq!(flight.first_token, record.first_token);
            assert!(flight.first_token.is_some());
            assert_eq!(flight.expected_tokens, ignore_eos.then_some(4));
        }
    }
}

#[test]
fn a_new_rate_begins_with_the_change_and_its_arrivals_are_those_of_one_process() {
    let script = Script::serve(|_, _| Step::Send(answer(1)));
    for workers in [1, 3] {
        let mut watched = Watched::open(by_workers(workers, &script.url), Load::open(rate(400.0)));
        let mut begins = Vec::new();
        for (per_second, millis) in [(100.0, 400), (400.0, 300), (50.0, 300)] {
            let from = watched.change(Load::open(rate(per_second)), 0, Abort::Nothing);
            begins.push((per_second, from));
            watched.pass(millis);
        }
        let records = watched.close(20_000);
        assert!(records.iter().all(RequestRecord::succeeded));
        // At the end, workers stop one after the other.
        let last = begins[2].1 + Nanos::from_millis(200);
        let ends = begins.iter().skip(1).map(|&(_, at)| at).chain([last]);
        for (seed, (&(per_second, from), to)) in (8..).zip(begins.iter().zip(ends)) {
            let due: BTreeSet<Nanos> = records
                .iter()
                .map(|record| record.due)
                .filter(|due| (from..to).contains(due))
                .collect();
            assert!(due.len() >= 5, "{due:?}");
            let arrival = Arrival::new(Arrivals::Poisson(rate(per_second)), seed).unwrap();
            let expected: BTreeSet<Nanos> = arrival.take(due.len()).map(|at| from + at).collect();
            assert_eq!(due, expected);
        }
    }
}

#[test]
fn however_the_load_changes_every_request_is_told_once() {
    let script = Script::serve(|_, all| {
        if all % 7 == 3 {
            Step::SendAndClose(answer(4))
        } else {
            Step::Send(answer(1 + all % 23))
        }
    });
    let capped = Load {
        arrivals: Arrivals::Poisson(rate(600.0)),
        concurrency: NonZeroU32::new(6),
    };
    let mut watched = Watched::open(by_workers(2, &script.url), users(60));
    let aborts = [Abort::Nothing, Abort::Surplus, Abort::Queue, Abort::All];
    for step in 0..24_usize {
        let load = match step % 5 {
            0 => users(60),
            1 => users(7),
            2 => capped,
            3 => Load::open(rate(800.0)),
            _ => users(1 + step as u32),
        };
        watched.change(load, 8 * (step as u64 % 3), aborts[step / 2 % 4]);
        watched.pass(25);
    }
    let records = watched.close(20_000);
    assert!(script.requests.load(Ordering::SeqCst) <= records.len());
    let given_up = cancelled(&records).len();
    assert!(given_up > 0 && given_up < records.len() / 2, "{given_up}");
    let failed = records.iter().filter(|record| !record.succeeded()).count();
    assert_eq!(failed, given_up);
}

#[test]
fn the_clients_health_is_told_by_windows() {
    let script = Script::serve(|_, _| Step::Send(answer(3)));
    let mut watched = Watched::open(by_workers(2, &script.url), users(4));
    watched.change(users(4), 0, Abort::Nothing);
    watched.pass_until(|watched| watched.records.len() > 40);
    let first = watched.session.take_health().unwrap();
    let told = watched.records.len();
    assert_eq!((first.workers.len(), first.pace.sends), (2, told as u64));
    assert!(first.reads > 0 && first.events >= 3 * told as u64);
    watched.pass_until(|watched| watched.records.len() > told + 10);
    let second = watched.session.take_health().unwrap();
    assert_eq!(second.pace.sends, (watched.records.len() - told) as u64);
    assert!(second.events < first.events + 4 * (second.pace.sends + 10));
    assert!(second.workers.iter().all(|used| used.wall > Nanos::ZERO));
    watched.close(20_000);
}

#[test]
fn a_session_that_is_closed_waits_for_what_is_in_flight_no_longer_than_its_grace() {
    let script = Script::serve(|_, all| {
        if all == 0 {
            Step::Hang(answer(9)[..2].to_vec())
        } else {
            Step::Send(answer(300))
        }
    });
    let mut watched = Watched::open(setup(&script.url), users(3));
    watched.change(users(3), 0, Abort::Nothing);
    watched.pass_until(|watched| watched.has_in_flight(3));
    let from = watched.session.now();
    let records = watched.close(3000);
    let given_up = cancelled(&records);
    assert_eq!(given_up.len(), 1);
    assert!(given_up[0].end >= from + Nanos::from_millis(3000));
}

#[test]
fn a_stop_ends_the_advance_and_a_session_that_is_dropped_gives_up_all() {
    let (script, closed) = endless_and_closed();
    let mut watched = Watched::open(setup(&script.url), users(3));
    watched.change(users(3), 0, Abort::Nothing);
    watched.pass_until(|watched| watched.has_in_flight(3));
    let stop = Stop::default();
    stop.ask();
    watched
        .session
        .advance(Nanos::MAX, &stop, &mut |_| ())
        .unwrap();
    assert!(watched.has_in_flight(3));
    drop(watched);
    while closed.load(Ordering::SeqCst) < 3 {
        pause(Duration::from_millis(5));
    }
}
