//! Servers and their keepers as real processes: what is started ends, with all that it started itself, whoever is killed.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_experiment::server::{
    Address, KeeperCommand, Kept, Server, ServerError, ServerPlan, StartError,
    keeper::{Ending, Task},
};
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::{Certificates, Target};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::encrypted::Encrypted;
use crate::harness::{Place, Sim, free_port, marked, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_crestline");
/// The variable by which a test finds all that it started.
const MARK: &str = "CRESTLINE_TEST_MARK";

/// A folder for logs, a free port and a mark.
struct Stage {
    folder: TempDir,
    port: u16,
}

impl Stage {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
        }
    }

    /// `PORT` and `CRESTLINE` in the text are replaced.
    fn plan(&self, script: &str) -> ServerPlan {
        let script = script
            .replace("PORT", &self.port.to_string())
            .replace("CRESTLINE", BINARY);
        ServerPlan {
            command: ["sh", "-c", &script].map(str::to_owned).to_vec(),
            environment: vec![(MARK.to_owned(), self.mark())],
            address: Address {
                host: "127.0.0.1".to_owned(),
                port: self.port,
            },
            health: "/health".to_owned(),
            ready_within: Nanos::from_secs(3600),
            grace: Nanos::from_secs(3600),
            log: self.log(),
            lock: self.folder.path().join("lock"),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("servers/one.log")
    }

    fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    fn mark(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// Processes that were started here and live.
    fn left(&self) -> Vec<i32> {
        marked(&format!("{MARK}={}", self.mark()))
    }

    fn target(&self) -> Target {
        Target {
            url: format!("http://127.0.0.1:{}/", self.port),
            headers: Vec::new(),
            api_key: None,
            connect_timeout: None,
            read_timeout: None,
            total_timeout: Nanos::from_secs(5),
            certificates: Certificates::Checked,
        }
    }

    fn ready(&self, server: &mut Server) -> Result<Nanos, ServerError> {
        server.ready(&self.target(), &Stop::default())
    }

    fn is_free(&self) -> bool {
        TcpListener::bind(("127.0.0.1", self.port)).is_ok()
    }
}

fn started(plan: ServerPlan) -> Server {
    Server::start(plan, &keeper(), &Stop::default()).unwrap()
}

fn keeper() -> KeeperCommand {
    KeeperCommand {
        program: BINARY.into(),
        arguments: vec!["keep-server".to_owned()],
    }
}

/// The process that has started this one.
fn parent(pid: u32) -> Pid {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("PPid:"));
    Pid::from_raw(line.unwrap()[5..].trim().parse().unwrap())
}

const SIM: &str = "exec CRESTLINE sim --profile demo --port PORT";

#[test]
fn a_server_is_started_found_healthy_and_stopped() {
    let stage = Stage::new();
    let mut server = started(stage.plan(SIM));
    assert!(stage.ready(&mut server).unwrap() > Nanos(0));
    server.alive().unwrap();
    assert!(!stage.left().is_empty() && !stage.is_free());
    server.stop(&Stop::default()).unwrap();
    assert_eq!(stage.left(), [0; 0]);
    assert!(stage.is_free());
    assert!(
        stage.logged().contains("listening at"),
        "{}",
        stage.logged()
    );
}

/// A child in the group, one in a session of its own, one that forked twice, and one of a child that is in a session.
const BROOD: &str = "sleep 3600 & setsid sleep 3600 & (setsid sleep 3600 &) ; setsid sh -c 'sleep 3600 & sleep 3600' & ";

#[test]
fn descendants_in_whatever_group_or_session_end_with_their_server() {
    let stage = Stage::new();
    let mut server = started(stage.plan(&format!("{BROOD}{SIM}")));
    stage.ready(&mut server).unwrap();
    wait_until("all descendants", || stage.left().len() >= 7);
    server.stop(&Stop::default()).unwrap();
    assert_eq!(stage.left(), [0; 0]);
}

#[test]
fn a_server_that_has_ended_leaves_no_descendants() {
    let stage = Stage::new();
    let mut server = started(stage.plan(&format!("{BROOD} sleep 0.3; echo so long; exit 7")));
    let error = stage.ready(&mut server).unwrap_err();
    let ServerError::Ended { ending, tail } = error else {
        panic!("{error}");
    };
    assert_eq!(
        (ending, tail),
        (Ending::Code(7), vec!["so long".to_owned()])
    );
    wait_until("the end of all", || stage.left().is_empty());
    server.stop(&Stop::default()).unwrap();
}

#[test]
fn a_server_is_asked_to_end_before_it_is_made_to() {
    let stage = Stage::new();
    let script = "trap 'echo orderly; exit 3' TERM; echo up; while :; do sleep 0.05; done";
    let server = started(stage.plan(script));
    wait_until("its trap", || stage.logged().contains("up"));
    server.stop(&Stop::default()).unwrap();
    assert!(stage.logged().contains("orderly"), "{}", stage.logged());
}

#[test]
fn who_does_not_listen_is_killed_after_the_grace() {
    let stage = Stage::new();
    let deaf =
        "trap '' TERM; setsid sh -c 'while :; do sleep 0.05; done' & while :; do sleep 0.05; done";
    let plan = ServerPlan {
        grace: Nanos::from_millis(400),
        ..stage.plan(deaf)
    };
    let server = started(plan);
    wait_until("both", || stage.left().len() >= 2);
    let began = clock::monotonic();
    server.stop(&Stop::default()).unwrap();
    assert!(clock::monotonic().saturating_sub(began) >= Nanos::from_millis(400));
    assert_eq!(stage.left(), [0; 0]);
}

#[test]
fn an_impatient_user_need_not_wait_for_the_grace() {
    let stage = Stage::new();
    let server = started(stage.plan("trap '' TERM; while :; do sleep 0.05; done"));
    let stop = Stop::default();
    stop.ask();
    stop.ask();
    // The grace is an hour.
    server.stop(&stop).unwrap();
    assert_eq!(stage.left(), [0; 0]);
}

#[test]
fn a_keeper_is_deaf_to_what_is_meant_for_the_program() {
    let stage = Stage::new();
    let mut server = started(stage.plan(SIM));
    stage.ready(&mut server).unwrap();
    let keeper = parent(server.pid());
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        kill(keeper, signal).unwrap();
    }
    assert_eq!(
        nix::unistd::getpgid(Some(keeper)),
        Ok(keeper),
        "a group of its own"
    );
    clock::sleep(Duration::from_millis(200));
    server.alive().unwrap();
    assert_eq!(parent(server.pid()), keeper);
    server.stop(&Stop::default()).unwrap();
}

#[test]
fn a_keeper_that_is_killed_takes_its_server_along_and_the_rest_is_found() {
    let stage = Stage::new();
    let mut server = started(stage.plan(&format!("{BROOD}{SIM}")));
    stage.ready(&mut server).unwrap();
    wait_until("all descendants", || stage.left().len() >= 7);
    let pid = i32::try_from(server.pid()).unwrap();
    kill(parent(server.pid()), Signal::SIGKILL).unwrap();
    wait_until("the end of the server", || !stage.left().contains(&pid));
    wait_until("the news", || server.alive().is_err());
    let error = server.alive().unwrap_err().to_string();
    assert!(error.contains("together with its keeper"), "{error}");
    server.stop(&Stop::default()).unwrap();
    assert_eq!(stage.left(), [0; 0]);
    assert!(stage.is_free());
}

#[test]
fn a_server_that_is_dropped_ends() {
    let stage = Stage::new();
    let mut server = started(stage.plan(SIM));
    stage.ready(&mut server).unwrap();
    drop(server);
    assert_eq!(stage.left(), [0; 0]);
}

#[test]
fn a_server_ends_when_what_measures_it_panics() {
    let stage = Stage::new();
    let panicked = std::thread::scope(|scope| {
        let measure = scope.spawn(|| {
            let mut server = started(stage.plan(SIM));
            stage.ready(&mut server).unwrap();
            panic!("on purpose");
        });
        measure.join().is_err()
    });
    assert!(panicked);
    assert_eq!(stage.left(), [0; 0]);
}

#[test]
fn a_keeper_that_says_nothing_is_given_up() {
    let stage = Stage::new();
    let stop = Stop::default();
    let silent = |arguments: &[&str]| KeeperCommand {
        program: "sh".into(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
    };
    let error = Server::start(stage.plan(SIM), &silent(&["-c", "exit"]), &stop).unwrap_err();
    assert!(
        matches!(error, ServerError::Start(StartError::Keeper(_))),
        "{error}"
    );
    stop.ask();
    let error = Server::start(stage.plan(SIM), &silent(&["-c", "exec sleep 3600"]), &stop);
    assert!(matches!(error, Err(ServerError::Interrupted)), "{error:?}");
}

#[test]
fn what_cannot_be_started_is_named() {
    let stage = Stage::new();
    let plan = ServerPlan {
        command: vec!["no-such-server".to_owned()],
        ..stage.plan("")
    };
    let error = Server::start(plan, &keeper(), &Stop::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("no-such-server cannot be started: No such file"),
        "{text}"
    );
}

#[test]
fn a_server_that_never_becomes_healthy_is_not_waited_for_longer_than_asked() {
    let stage = Stage::new();
    let plan = ServerPlan {
        ready_within: Nanos::from_millis(300),
        ..stage.plan("echo loading; exec sleep 3600")
    };
    let mut server = started(plan);
    let text = stage.ready(&mut server).unwrap_err().to_string();
    assert!(
        text.contains("refused") && text.contains("loading"),
        "{text}"
    );
    server.stop(&Stop::default()).unwrap();
    assert_eq!(stage.left(), [0; 0]);
}

#[test]
fn health_over_tls_needs_no_certificate_where_none_is_asked_for() {
    let (stage, place) = (Stage::new(), Place::new());
    let sim = Sim::start(&place, "--profile demo");
    let service = Encrypted::before(&sim, &place);
    let ready = |certificates| {
        let plan = ServerPlan {
            ready_within: Nanos::from_millis(200),
            ..stage.plan("exec sleep 3600")
        };
        let target = Target {
            url: service.url.clone(),
            certificates,
            ..stage.target()
        };
        let mut server = started(plan);
        let ready = server.ready(&target, &Stop::default());
        server.stop(&Stop::default()).unwrap();
        ready.map_err(|error| error.to_string())
    };
    ready(Certificates::Unchecked).unwrap();
    let text = ready(Certificates::Checked).unwrap_err();
    assert!(text.contains("certificate"), "{text}");
}

#[test]
fn a_wait_for_health_can_be_interrupted_while_a_page_is_awaited() {
    let stage = Stage::new();
    let mut server = started(stage.plan("exec sleep 3600"));
    let silent = TcpListener::bind(("127.0.0.1", stage.port)).unwrap();
    let stop = Stop::default();
    let error = std::thread::scope(|scope| {
        let asked = stop.clone();
        scope.spawn(move || {
            let (_connection, _) = silent.accept().unwrap();
            asked.ask();
            clock::sleep(Duration::from_millis(300));
        });
        server.ready(&stage.target(), &stop).unwrap_err()
    });
    assert!(matches!(error, ServerError::Interrupted), "{error}");
}

#[test]
fn a_port_that_somebody_has_is_not_measured() {
    let stage = Stage::new();
    let _theirs = TcpListener::bind(("0.0.0.0", stage.port)).unwrap();
    let error = Server::start(stage.plan(SIM), &keeper(), &Stop::default()).unwrap_err();
    let expected = format!("something listens at 127.0.0.1:{} already", stage.port);
    assert_eq!(error.to_string(), expected);
    assert_eq!(stage.left(), [0; 0]);
}

#[test]
fn a_later_start_adds_to_the_log_and_tells_only_of_itself() {
    let stage = Stage::new();
    for (text, tail) in [("one", ["one"]), ("two", ["two"])] {
        let mut server = started(stage.plan(&format!("echo {text}")));
        wait_until("its end", || server.alive().is_err());
        assert_eq!(server.tail(), tail);
        server.stop(&Stop::default()).unwrap();
    }
    let lines: Vec<String> = stage.logged().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(
        lines[0].starts_with("--- crestline: started at 2"),
        "{lines:?}"
    );
    assert_eq!((lines[1].as_str(), lines[3].as_str()), ("one", "two"));
}

#[test]
fn a_server_waits_for_the_end_of_an_earlier_one() {
    let stage = Stage::new();
    let first = started(stage.plan("echo first up; exec sleep 3600"));
    wait_until("the first", || stage.logged().contains("first up"));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| started(stage.plan("echo second up; exec sleep 3600")));
        clock::sleep(Duration::from_millis(300));
        assert!(!second.is_finished());
        first.stop(&Stop::default()).unwrap();
        let second = second.join().unwrap();
        wait_until("the second", || stage.logged().contains("second up"));
        second.stop(&Stop::default()).unwrap();
    });
}

#[test]
fn a_command_that_is_kept_tells_how_it_ended() {
    let stage = Stage::new();
    let run = |script: &str| {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let log = stage.folder.path().join("command.log");
        let task = Task::of_command(command, log, Nanos::from_secs(3600));
        let mut kept = Kept::start(&task, &keeper(), &Stop::default()).unwrap();
        let ending = kept.wait(&Stop::default());
        kept.end(&Stop::default());
        ending
    };
    assert_eq!(run("exit 0"), Some(Ending::Code(0)));
    assert_eq!(run("exit 9"), Some(Ending::Code(9)));
    assert_eq!(run("kill -KILL $$"), Some(Ending::Signal(9)));
}
