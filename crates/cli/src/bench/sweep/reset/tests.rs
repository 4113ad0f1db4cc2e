//! How servers are made to forget, against stand-ins that count what they are asked.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use super::*;
use crate::bench::sweep::server_command::Site;

fn of(command: &str, after: Option<&str>) -> Result<Reset, String> {
    let command = shlex::split(command).unwrap();
    Reset::of(&command, after).map_err(|problem| problem.to_string())
}

#[test]
fn each_server_is_made_to_forget_in_its_own_way() {
    for (command, reset) in [
        ("vllm serve m", Reset::Vllm),
        ("crestline sim", Reset::Vllm),
        ("python -m sglang.launch_server", Reset::Sglang),
        ("llama-server -m m", Reset::Slots),
        ("infinity_emb v2", Reset::Nothing),
    ] {
        assert_eq!(of(command, None), Ok(reset), "{command}");
    }
    let typed = Reset::Command(vec!["sh".to_owned(), "-c".to_owned(), "true".to_owned()]);
    assert_eq!(of("vllm serve m", Some("sh -c true")), Ok(typed));
    assert_eq!(of("anything", Some("")), Ok(Reset::Nothing));
}

#[test]
fn what_cannot_be_done_after_a_run_is_refused_before_the_first() {
    for (command, after, part) in [
        ("trtllm-serve m", None, "--after-bench-cmd ''"),
        ("./server", None, "./server"),
        (
            "infinity_emb v2 --vector-disk-cache",
            None,
            "--vector-disk-cache",
        ),
        ("vllm serve", Some("no-such-program x"), "no-such-program"),
        ("vllm serve", Some("'"), "quote"),
    ] {
        let problem = of(command, after).unwrap_err();
        assert!(problem.contains(part), "{command}: {problem}");
    }
}

/// A server that gives these answers, one a connection; what it was asked.
fn asked(
    program: &str,
    answers: &[(u16, &str)],
    reset: &Reset,
) -> (Vec<String>, Result<(), String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let command = shlex::split(&format!("{program} --host 127.0.0.1 --port {port}")).unwrap();
    let target = Site::of(&command, None).unwrap().target;
    thread::scope(|scope| {
        let serve = scope.spawn(|| {
            let serve = |(status, body): &(u16, &str)| {
                let (mut connection, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
                let asked = lines.next().unwrap().unwrap();
                assert!(lines.map_while(Result::ok).any(|line| line.is_empty()));
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} S\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
                );
                connection.write_all((head + body).as_bytes()).unwrap();
                asked.replace(" HTTP/1.1", "")
            };
            answers.iter().map(serve).collect::<Vec<_>>()
        });
        let done = reset.run(&target, Path::new("none"), &Stop::default());
        (
            serve.join().unwrap(),
            done.map_err(|problem| problem.to_string()),
        )
    })
}

#[test]
fn vllm_may_be_without_the_caches_of_later_versions() {
    let pages = [
        "POST /reset_prefix_cache",
        "POST /reset_mm_cache",
        "POST /reset_encoder_cache",
    ];
    let whole = [(200, ""), (200, ""), (200, "")];
    let earlier = [(200, ""), (200, ""), (404, "")];
    for answers in [whole, earlier] {
        let (said, done) = asked("vllm serve", &answers, &Reset::Vllm);
        assert_eq!((&said[..], done), (&pages.map(str::to_owned)[..], Ok(())));
    }
    let (_, done) = asked("vllm serve", &[(404, "")], &Reset::Vllm);
    let problem = done.unwrap_err();
    assert!(problem.contains("VLLM_SERVER_DEV_MODE=1"), "{problem}");
    let (_, done) = asked("vllm serve", &[(200, ""), (500, "broken")], &Reset::Vllm);
    let problem = done.unwrap_err();
    assert!(problem.contains("HTTP 500: broken"), "{problem}");
}

#[test]
fn sglang_is_asked_again_while_it_is_busy() {
    let answers = [(400, "running requests"), (200, "")];
    let (said, done) = asked("python -m sglang.launch_server", &answers, &Reset::Sglang);
    assert_eq!(said, ["POST /flush_cache", "POST /flush_cache"]);
    assert_eq!(done, Ok(()));
}

#[test]
fn each_slot_of_llama_cpp_is_emptied() {
    let props = "{\"total_slots\": 2, \"other\": []}";
    let answers = [(200, props), (200, "{}"), (200, "{}")];
    let (said, done) = asked("llama-server", &answers, &Reset::Slots);
    assert_eq!(
        said,
        [
            "GET /props",
            "POST /slots/0?action=erase",
            "POST /slots/1?action=erase"
        ]
    );
    assert_eq!(done, Ok(()));
    let (_, done) = asked(
        "llama-server",
        &[(200, props), (501, "start it with x")],
        &Reset::Slots,
    );
    let problem = done.unwrap_err();
    for part in [
        "start it with x",
        "--slots",
        "--slot-save-path FOLDER",
        "--after-bench-cmd",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn nobody_is_asked_where_there_is_nothing_to_forget() {
    let (said, done) = asked("infinity_emb", &[], &Reset::Nothing);
    assert_eq!((said.len(), done), (0, Ok(())));
}
