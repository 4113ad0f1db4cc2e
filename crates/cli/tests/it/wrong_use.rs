//! Wrong use is told before any load: exit code 2, what is wrong, why, and what to do.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use crate::harness::{Place, Ran};

/// Checks that a command is refused with these texts and leaves no results.
fn refused(place: &Place, line: &str, texts: &[&str]) {
    let ran = place.run(line);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("error: "), "{ran:#?}");
    for text in texts {
        assert!(ran.err.contains(text), "no `{text}` in {}", ran.err);
    }
    assert!(!ran.out.contains("Benchmarking summary"), "{ran:#?}");
}

/// A perf command of one prompt against a URL.
fn perf(url: &str) -> String {
    format!("perf --model m --prompt hello --number 2 --url {url}")
}

/// Answers each connection with one fixed response, and ends with the test.
fn answering(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else {
                return;
            };
            let mut request = vec![0; 65536];
            if connection.read(&mut request).is_ok() {
                drop(connection.write_all(response.as_bytes()));
            }
        }
    });
    format!("http://{address}/v1/chat/completions")
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/v1/chat/completions",
        listener.local_addr().unwrap()
    );
    drop(listener);
    refused(
        &Place::new(),
        &perf(&url),
        &[
            "the service does not answer",
            "hint: start the server",
            "crestline sim",
        ],
    );
}

#[test]
fn the_host_has_no_address() {
    refused(
        &Place::new(),
        &perf("http://no.such.host.invalid/v1"),
        &[
            "the service cannot be reached",
            "no.such.host.invalid",
            "hint: check the host name in --url",
        ],
    );
}

#[test]
fn the_key_is_wrong() {
    let url = answering(
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 23\r\n\r\n{\"error\":\"no such key\"}",
    );
    refused(&Place::new(), &perf(&url), &["401", "--api-key"]);
}

#[test]
fn the_path_is_wrong() {
    let url = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot Found");
    refused(
        &Place::new(),
        &perf(&url),
        &[
            "404",
            "hint: check the path of --url",
            "/v1/chat/completions",
        ],
    );
}

#[test]
fn what_a_service_sends_cannot_steer_the_terminal() {
    let url = answering(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 18\r\n\r\nno\x1b]0;mine\x07\x1b[2Jno",
    );
    let place = Place::new();
    let refused = place.run(&perf(&url));
    let ran = place.run(&format!("{} --no-test-connection", perf(&url)));
    for text in [refused.err, ran.out, ran.err] {
        assert!(
            !text.contains(['\x1b', '\x07']),
            "a control character is in {text:?}"
        );
    }
}

#[test]
fn the_service_is_not_http() {
    let url = answering("SSH-2.0-OpenSSH_9.2\r\n");
    refused(
        &Place::new(),
        &perf(&url),
        &["the service does not answer", "hint: "],
    );
}

#[test]
fn the_tokenizer_is_missing() {
    refused(
        &Place::new(),
        "perf --url sim:gpu-small --model m --dataset random --tokenizer-path Qwen/Qwen2.5-0.5B-Instruct --number 2",
        &["Qwen/Qwen2.5-0.5B-Instruct", "hint: "],
    );
}

#[test]
fn the_data_set_is_missing() {
    refused(
        &Place::new(),
        "perf --url sim:gpu-small --model m --number 2",
        &["openqa", "hint: "],
    );
}

#[test]
fn the_data_set_is_empty() {
    let place = Place::new();
    fs::write(place.path("empty.txt"), "\n\n").unwrap();
    refused(
        &place,
        "perf --url sim:gpu-small --model m --dataset line_by_line --dataset-path empty.txt --tokenizer-path builtin",
        &["dataset is empty"],
    );
}

#[test]
fn the_output_folder_cannot_be_written() {
    let place = Place::new();
    fs::write(place.path("outputs"), "a file, not a folder").unwrap();
    let line =
        "perf --url sim:gpu-small --model m --prompt hello --tokenizer-path builtin --number 2";
    refused(
        &place,
        line,
        &[
            "the results cannot be written",
            "outputs",
            "hint: choose another folder with --outputs-dir",
        ],
    );
}

#[test]
fn the_output_folder_is_read_only() {
    let place = Place::new();
    let folder = place.path("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // A superuser writes everywhere.
    if fs::write(folder.join("probe"), "").is_err() {
        let line = "perf --url sim:gpu-small --model m --prompt hello --tokenizer-path builtin --outputs-dir locked";
        refused(&place, line, &["the results cannot be written"]);
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_profile_is_unknown() {
    let line = "perf --url sim:gpu-smal --model m --prompt hello --tokenizer-path builtin";
    refused(&Place::new(), line, &["gpu-smal", "crestline sim --list"]);
}

#[test]
fn a_flag_is_unknown() {
    refused(
        &Place::new(),
        "perf --paralell 3",
        &[
            "unknown argument --paralell",
            "hint: did you mean --parallel?",
        ],
    );
}

#[test]
fn several_loads_are_written_with_commas() {
    refused(
        &Place::new(),
        "perf --model m --parallel 1,2,4",
        &[
            "--parallel cannot be 1,2,4",
            "hint: write several values with blanks: --parallel 1 2 4",
        ],
    );
}

#[test]
fn a_flag_is_not_supported_yet() {
    refused(
        &Place::new(),
        "perf --model m --multi-turn",
        &["--multi-turn is not supported yet", "hint: "],
    );
}

#[test]
fn a_search_has_no_criteria() {
    refused(
        &Place::new(),
        "perf --model m --sla-auto-tune",
        &["--sla-auto-tune needs --sla-params", "hint: "],
    );
}

#[test]
fn a_search_to_go_on_with_is_not_there() {
    for resume in ["--resume", "--resume nowhere"] {
        refused(
            &Place::new(),
            &format!(
                r#"perf --url sim:demo --model m --dataset random --tokenizer-path builtin --sla-auto-tune --sla-params [{{"p99_ttft":"<=1s"}}] {resume}"#
            ),
            &["there is no search to go on with", "hint: "],
        );
    }
}

#[test]
fn no_sub_command_is_given() {
    refused(&Place::new(), "", &["no sub-command", "crestline demo"]);
}

#[test]
fn a_sub_command_is_unknown() {
    refused(
        &Place::new(),
        "pref",
        &["unknown sub-command pref", "did you mean perf?"],
    );
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::new();
    for line in ["--help", "perf --help", "perf -h", "--version"] {
        let Ran { out, err, .. } = place.run(line).done();
        assert!(
            out.contains("crestline") && err.is_empty(),
            "{line}: {out}{err}"
        );
    }
}

#[test]
fn a_refused_benchmark_leaves_nothing() {
    let place = Place::new();
    let ran = place.run("bench serve --model m --save-result --request-rate 0");
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err.contains("--request-rate cannot be 0"),
        "{}",
        ran.err
    );
    assert_eq!(place.list(""), Vec::<String>::new());
}
