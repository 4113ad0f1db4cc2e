//! Where an MLflow server is and who asks, by the variables that MLflow's own clients read.
//!
//! Reads no file and asks nobody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crestline_core::units::Nanos;
use crestline_load::client::address::{Address, AddressError};
use crestline_load::target::{Certificates, Header, Secret, Target, masked_url};

use super::RUNNING;
use crate::problem::Problem;

/// Longest time for one request, where `MLFLOW_HTTP_REQUEST_TIMEOUT` says nothing.
const TIMEOUT: Nanos = Nanos::from_secs(20);

const URI: &str = "MLFLOW_TRACKING_URI";

/// What the environment says.
#[derive(Debug)]
pub(super) struct Settings {
    /// The server, its headers and how long it may take.
    pub(super) target: Target,
    /// Path of the server's page, without a slash at its end.
    pub(super) path: String,
    /// The experiment, where it is named.
    pub(super) experiment_name: Option<String>,
    /// The same by its number, which goes before the name.
    pub(super) experiment_id: Option<String>,
    /// What the user should know of it.
    pub(super) notes: Vec<String>,
}

impl Settings {
    /// Reads the variables that `env` gives; an empty one is as good as none.
    pub(super) fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let url = env(URI).ok_or_else(|| {
            Problem::usage("--visualizer mlflow needs the address of an MLflow server")
                .cause(format!("{URI} is not set"))
                .hint(RUNNING)
        })?;
        let url = url.trim().trim_end_matches('/').to_owned();
        Address::of_service(&url).map_err(|error| no_server(&url, &error))?;
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find('/').map_or("", |at| &rest[at..]).to_owned();
        let mut notes = Vec::new();
        if env("MLFLOW_TRACKING_SERVER_CERT_PATH").is_some() {
            notes.push(
                "MLFLOW_TRACKING_SERVER_CERT_PATH is not read; SSL_CERT_FILE names certificates to trust"
                    .to_owned(),
            );
        }
        Ok(Self {
            target: Target {
                url,
                headers: headers(&env)?,
                api_key: env("MLFLOW_TRACKING_TOKEN").map(Secret::new),
                connect_timeout: None,
                read_timeout: None,
                total_timeout: timeout(env("MLFLOW_HTTP_REQUEST_TIMEOUT"))?,
                certificates: certificates(env("MLFLOW_TRACKING_INSECURE_TLS").as_deref()),
            },
            path,
            experiment_name: env("MLFLOW_EXPERIMENT_NAME"),
            experiment_id: env("MLFLOW_EXPERIMENT_ID"),
            notes,
        })
    }

    /// The server's address for readers.
    pub(super) fn shown(&self) -> String {
        masked_url(&self.target.url)
    }
}

fn no_server(url: &str, error: &AddressError) -> Problem {
    let problem = Problem::usage(format!(
        "--visualizer mlflow needs an MLflow server, which {URI}={} is not",
        masked_url(url)
    ));
    match error {
        AddressError::Credentials(_) => problem
            .cause("it has a user name or a password in it")
            .hint("set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and leave them out of the address"),
        _ => problem
            .cause("crestline speaks to a server over http or https, and writes no store of MLflow's itself")
            .hint(RUNNING),
    }
}

/// Basic credentials, where there is no token, and the workspace of servers that have several.
fn headers(env: &impl Fn(&str) -> Option<String>) -> Result<Vec<Header>, Problem> {
    let mut headers = Vec::new();
    let user = env("MLFLOW_TRACKING_USERNAME");
    let password = env("MLFLOW_TRACKING_PASSWORD");
    if let (Some(user), Some(password)) = (&user, &password) {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        headers.push(header("Authorization", format!("Basic {pair}")));
    } else if user.is_some() || password.is_some() {
        return Err(Problem::usage(
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are only of use together",
        )
        .hint("set both, or MLFLOW_TRACKING_TOKEN, or none"));
    }
    if let Some(workspace) = env("MLFLOW_WORKSPACE") {
        headers.push(header("X-MLFLOW-WORKSPACE", workspace));
    }
    let is_sendable = |header: &Header| !header.value.reveal().chars().any(char::is_control);
    if headers.iter().all(is_sendable) {
        Ok(headers)
    } else {
        Err(Problem::usage("MLFLOW_WORKSPACE has a line break in it"))
    }
}

fn header(name: &str, value: String) -> Header {
    Header {
        name: name.to_owned(),
        value: Secret::new(value),
    }
}

fn timeout(value: Option<String>) -> Result<Nanos, Problem> {
    let Some(value) = value else {
        return Ok(TIMEOUT);
    };
    let seconds = value.trim().parse().ok();
    let seconds = seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
    seconds.map(Nanos::from_secs_f64).ok_or_else(|| {
        Problem::usage(format!(
            "MLFLOW_HTTP_REQUEST_TIMEOUT must be above 0 seconds, not {value}"
        ))
    })
}

fn certificates(insecure: Option<&str>) -> Certificates {
    match insecure.map(str::to_ascii_lowercase).as_deref() {
        Some("true" | "1") => Certificates::Unchecked,
        _ => Certificates::Checked,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Problem> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Settings::read(|name| variables.get(name).map(|&value| value.to_owned()))
    }

    fn refused(variables: &[(&str, &str)], expected: &Expect) {
        expected.assert_eq(&read(variables).unwrap_err().to_string());
    }

    #[test]
    fn what_is_no_server_is_told_with_what_to_do() {
        refused(
            &[],
            &expect![[r"
            error: --visualizer mlflow needs the address of an MLflow server
              cause: MLFLOW_TRACKING_URI is not set
              hint: start one with `mlflow server --backend-store-uri sqlite:///mlflow.db --port 5000` and set MLFLOW_TRACKING_URI=http://127.0.0.1:5000"]],
        );
        for uri in [
            "sqlite:///m.db",
            "file:///tmp/mlruns",
            "./mlruns",
            "databricks",
        ] {
            let text = read(&[(URI, uri)]).unwrap_err().to_string();
            assert!(
                text.contains(&format!("MLFLOW_TRACKING_URI={uri} is not")),
                "{text}"
            );
            assert!(
                text.contains("hint: start one with `mlflow server"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        refused(
            &[(URI, "http://me:s3cret@h:5000")],
            &expect![[r"
            error: --visualizer mlflow needs an MLflow server, which MLFLOW_TRACKING_URI=http://***@h:5000 is not
              cause: it has a user name or a password in it
              hint: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and leave them out of the address"]],
        );
    }

    #[test]
    fn credentials_time_and_experiment_are_those_of_the_environment() {
        let settings = read(&[
            (URI, "https://h/mlflow/"),
            ("MLFLOW_TRACKING_USERNAME", "me"),
            ("MLFLOW_TRACKING_PASSWORD", "pw"),
            ("MLFLOW_TRACKING_INSECURE_TLS", "true"),
            ("MLFLOW_EXPERIMENT_NAME", "nightly"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "1.5"),
        ])
        .unwrap();
        assert_eq!(settings.path, "/mlflow");
        assert_eq!(settings.experiment_name.as_deref(), Some("nightly"));
        assert_eq!(settings.target.total_timeout, Nanos::from_millis(1500));
        assert_eq!(settings.target.certificates, Certificates::Unchecked);
        let headers = &settings.target.headers;
        assert_eq!(headers[0].value.reveal(), "Basic bWU6cHc=");
        assert!(!format!("{settings:?}").contains("bWU6"), "{settings:?}");
    }

    #[test]
    fn half_a_login_and_no_time_at_all_are_refused() {
        let user = [(URI, "http://h"), ("MLFLOW_TRACKING_USERNAME", "me")];
        assert!(
            read(&user)
                .unwrap_err()
                .to_string()
                .contains("only of use together")
        );
        let time = [(URI, "http://h"), ("MLFLOW_HTTP_REQUEST_TIMEOUT", "0")];
        assert!(
            read(&time)
                .unwrap_err()
                .to_string()
                .contains("above 0 seconds")
        );
    }
}
