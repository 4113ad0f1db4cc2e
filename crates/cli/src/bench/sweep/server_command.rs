//! What a server command says of itself: whose server it starts, where that listens, how it is asked.
//!
//! Knows programs, their flags and their defaults. Starts nothing.

use std::path::Path;

use crestline_core::units::Nanos;
use crestline_experiment::server::Address;
use crestline_load::target::{Certificates, Secret, Target};

use crate::problem::Problem;

/// Longest time for a connection to a server.
const CONNECT_PATIENCE: Nanos = Nanos::from_secs(2);
/// Longest time for a whole answer of a page of its own.
const ANSWER_PATIENCE: Nanos = Nanos::from_secs(10);

/// Whose server a command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// vLLM.
    Vllm,
    /// `crestline sim`, which has vLLM's pages.
    Sim,
    Sglang,
    /// llama.cpp.
    LlamaServer,
    Trtllm,
    Infinity,
    /// Some other, with vLLM's defaults.
    Other,
}

impl Program {
    /// By the words of a command: the program may stand behind others, as in `env A=b vllm serve …`.
    pub(crate) fn of(command: &[String]) -> Self {
        let first = command.first().map(|word| base(word)).unwrap_or_default();
        let mut words = command.iter().enumerate();
        let known = words.find_map(|(at, word)| {
            let next = command.get(at + 1).map_or("", String::as_str);
            Some(match (base(word), next) {
                ("vllm", "serve") | ("vllm.entrypoints.openai.api_server", _) => Self::Vllm,
                ("crestline", "sim") => Self::Sim,
                ("sglang.launch_server", _) | ("sglang", "serve") => Self::Sglang,
                ("llama-server", _) => Self::LlamaServer,
                ("trtllm-serve", _) => Self::Trtllm,
                ("infinity_emb", _) => Self::Infinity,
                _ => return None,
            })
        });
        match known {
            Some(known) => known,
            None if first.ends_with("vllm") => Self::Vllm,
            None => Self::Other,
        }
    }

    /// Where it listens if it is not told.
    fn port(self) -> u16 {
        match self {
            Self::Sim => 8801,
            Self::LlamaServer => 8080,
            Self::Sglang => 30_000,
            Self::Infinity => 7997,
            Self::Vllm | Self::Trtllm | Self::Other => 8000,
        }
    }

    /// Names of the flag for the port. llama.cpp's `-p` is a prompt.
    fn port_flags(self) -> &'static [&'static str] {
        match self {
            Self::Vllm | Self::Other => &["--port", "-p"],
            _ => &["--port"],
        }
    }
}

/// The last part of a path.
fn base(word: &str) -> &str {
    let name = Path::new(word).file_name();
    name.and_then(|name| name.to_str()).unwrap_or(word)
}

/// Where a server listens and how it is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Site {
    /// As it is told.
    pub(crate) address: Address,
    /// How its own pages are reached.
    pub(crate) target: Target,
}

impl Site {
    /// By `--server-address`, else by the command itself.
    pub(crate) fn of(command: &[String], typed: Option<&str>) -> Result<Self, Problem> {
        let program = Program::of(command);
        let has = |flag: &str| value(command, &[flag]).is_some();
        let is_encrypted = [
            "--ssl-keyfile",
            "--ssl-certfile",
            "--ssl-key-file",
            "--ssl-cert-file",
        ]
        .into_iter()
        .any(has);
        let (scheme, address) = match typed {
            Some(typed) => typed_address(typed)?,
            None => (None, told_address(command, program)?),
        };
        let scheme = scheme.unwrap_or(if is_encrypted { "https" } else { "http" });
        let asked = Address {
            host: asked_host(&address.host),
            port: address.port,
        };
        let certificates = if is_loopback(&asked.host) {
            Certificates::Unchecked
        } else {
            Certificates::Checked
        };
        Ok(Self {
            target: Target {
                url: format!("{scheme}://{asked}/"),
                headers: Vec::new(),
                api_key: value(command, &["--api-key"]).map(Secret::new),
                connect_timeout: Some(CONNECT_PATIENCE),
                read_timeout: None,
                total_timeout: ANSWER_PATIENCE,
                certificates,
            },
            address,
        })
    }
}

/// `HOST:PORT`, also with a scheme before it and a slash behind.
fn typed_address(typed: &str) -> Result<(Option<&'static str>, Address), Problem> {
    let (scheme, rest) = match typed.split_once("://") {
        Some(("http", rest)) => (Some("http"), rest),
        Some(("https", rest)) => (Some("https"), rest),
        Some(_) => (None, ""),
        None => (None, typed),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let address = rest.rsplit_once(':').and_then(|(host, port)| {
        let host = host
            .strip_prefix('[')
            .map_or(Some(host), |host| host.strip_suffix(']'))?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let host = Some(host).filter(|host| !host.is_empty() && !host.contains('/'))?;
        Some(Address {
            host: host.to_owned(),
            port,
        })
    });
    let address = address.ok_or_else(|| {
        Problem::usage(format!("--server-address {typed} is no address"))
            .hint("write a host and a port, as in 127.0.0.1:8000")
    })?;
    Ok((scheme, address))
}

fn told_address(command: &[String], program: Program) -> Result<Address, Problem> {
    let port = match value(command, program.port_flags()) {
        None => program.port(),
        Some(typed) => typed.parse().map_err(|_| {
            Problem::usage(format!("--serve-cmd: the port {typed} is no port"))
                .hint("say with --server-address HOST:PORT where the server listens")
        })?,
    };
    if port == 0 {
        return Err(Problem::usage(
            "--serve-cmd: with port 0 nobody knows where the server listens",
        )
        .hint("write the number of a free port, here and in --bench-cmd"));
    }
    Ok(Address {
        host: value(command, &["--host"])
            .map(|host| host.trim_matches(['[', ']']).to_owned())
            .filter(|host| !host.is_empty())
            .unwrap_or_else(|| "localhost".to_owned()),
        port,
    })
}

/// The value of the last of some flags, as `--flag value` or `--flag=value`.
pub(crate) fn value(command: &[String], flags: &[&str]) -> Option<String> {
    let of = |(at, word): (usize, &String)| {
        if flags.contains(&word.as_str()) {
            return command.get(at + 1).cloned();
        }
        let (flag, value) = word.split_once('=')?;
        flags.contains(&flag).then(|| value.to_owned())
    };
    command.iter().enumerate().rev().find_map(of)
}

/// Who listens at all addresses is asked at this machine's own.
fn asked_host(host: &str) -> String {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    }
    .to_owned()
}

fn is_loopback(host: &str) -> bool {
    let ip = host.parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        shlex::split(line).unwrap()
    }

    fn site(line: &str) -> Site {
        Site::of(&words(line), None).unwrap()
    }

    #[test]
    fn a_server_is_known_wherever_its_program_stands() {
        for (line, program) in [
            ("vllm serve m", Program::Vllm),
            ("/opt/bin/vllm serve m", Program::Vllm),
            ("env A=b numactl -N 0 vllm serve m", Program::Vllm),
            (
                "python -m vllm.entrypoints.openai.api_server --model m",
                Program::Vllm,
            ),
            ("./my-vllm m", Program::Vllm),
            ("crestline sim", Program::Sim),
            ("python3 -m sglang.launch_server", Program::Sglang),
            ("build/bin/llama-server -m m.gguf", Program::LlamaServer),
            ("trtllm-serve m", Program::Trtllm),
            ("infinity_emb v2", Program::Infinity),
            ("crestline bench", Program::Other),
            ("text-generation-launcher --model-id vllm", Program::Other),
        ] {
            assert_eq!(Program::of(&words(line)), program, "{line}");
        }
    }

    #[test]
    fn an_address_is_found_in_every_spelling() {
        for (line, address, url) in [
            ("vllm serve m", "localhost:8000", "http://localhost:8000/"),
            ("vllm serve m -p 81", "localhost:81", "http://localhost:81/"),
            (
                "vllm serve m --port 1 --port=82 --host=h",
                "h:82",
                "http://h:82/",
            ),
            (
                "vllm serve m --host 0.0.0.0",
                "0.0.0.0:8000",
                "http://127.0.0.1:8000/",
            ),
            ("vllm serve m --host ::", "[::]:8000", "http://[::1]:8000/"),
            (
                "vllm serve m --host [::1]",
                "[::1]:8000",
                "http://[::1]:8000/",
            ),
            (
                "vllm serve m --ssl-keyfile k --host 127.0.0.1",
                "127.0.0.1:8000",
                "https://127.0.0.1:8000/",
            ),
            ("crestline sim", "localhost:8801", "http://localhost:8801/"),
            (
                "llama-server -p 81",
                "localhost:8080",
                "http://localhost:8080/",
            ),
            (
                "python -m sglang.launch_server --host x",
                "x:30000",
                "http://x:30000/",
            ),
        ] {
            let site = site(line);
            assert_eq!(site.address.to_string(), address, "{line}");
            assert_eq!(site.target.url, url, "{line}");
        }
    }

    #[test]
    fn only_this_machine_is_believed_without_a_certificate() {
        let certificates = |line| site(line).target.certificates;
        for line in [
            "vllm serve --host 127.0.0.1",
            "vllm serve",
            "vllm serve --host ::",
        ] {
            assert_eq!(certificates(line), Certificates::Unchecked, "{line}");
        }
        assert_eq!(
            certificates("vllm serve --host 10.0.0.1"),
            Certificates::Checked
        );
    }

    #[test]
    fn a_typed_address_wins_and_what_is_none_is_refused() {
        let command = words("sh run.sh -p 80:80");
        let of = |typed| Site::of(&command, Some(typed)).map(|site| site.target.url);
        assert_eq!(of("h:9").unwrap(), "http://h:9/");
        assert_eq!(of("https://h:9/").unwrap(), "https://h:9/");
        assert_eq!(of("[::1]:9").unwrap(), "http://[::1]:9/");
        for wrong in [
            "h",
            "h:",
            ":9",
            "h:0",
            "ftp://h:9",
            "h/x:9",
            "http://h:9/v1",
        ] {
            let problem = of(wrong).unwrap_err().to_string();
            assert!(problem.contains("127.0.0.1:8000"), "{wrong}: {problem}");
        }
        let problem = Site::of(&command, None).unwrap_err().to_string();
        assert!(
            problem.contains("80:80") && problem.contains("--server-address"),
            "{problem}"
        );
        let problem = Site::of(&words("vllm serve --port 0"), None).unwrap_err();
        assert!(problem.to_string().contains("port 0"), "{problem}");
    }

    #[test]
    fn the_key_of_a_server_is_sent_to_it_and_shown_to_nobody() {
        let target = site("python -m sglang.launch_server --api-key=s3cret").target;
        assert_eq!(target.api_key.as_ref().map(Secret::reveal), Some("s3cret"));
        assert_eq!(target.redacted("api_key='s3cret'"), "api_key='***'");
    }
}
