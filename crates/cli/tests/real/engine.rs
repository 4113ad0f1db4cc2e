//! llama.cpp's own server with a small model, in a process that ends with its standard input.
//!
//! Measures nothing: what a load comes to is the tests' part.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server.
pub(crate) struct Engine {
    child: Child,
    /// Host and port.
    pub(crate) authority: String,
}

impl Engine {
    /// A server that generates so many answers at the same time.
    pub(crate) fn start(slots: u32) -> Self {
        let mut child = Command::new(root().join(".venv/bin/python"))
            .arg(root().join("crates/cli/tests/real/llama.py"))
            .args(["--slots", &slots.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`just real` makes .venv");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let authority = lines
            .find_map(|line| {
                Some(
                    line.unwrap()
                        .strip_prefix("listening on http://")?
                        .to_owned(),
                )
            })
            .expect("the engine says where it listens");
        Self { child, authority }
    }

    /// The whole response to a GET request.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The script waits for the end of its input; killing covers one that does not get that far.
        drop(self.child.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Prints what is to be looked at.
#[expect(clippy::print_stdout, reason = "the tables are what is looked at")]
pub(crate) fn show(bytes: &[u8]) {
    println!("{}", String::from_utf8_lossy(bytes));
}
