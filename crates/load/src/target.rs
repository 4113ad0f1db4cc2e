//! The service under load: its address, its headers, how long to wait for it.

use std::fmt;

use crestline_core::units::Nanos;
use serde::{Deserialize, Serialize, Serializer};

/// A live service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Full URL of the endpoint, `http` or `https`; written out by [`masked_url`].
    #[serde(serialize_with = "write_masked")]
    pub url: String,
    /// Sent with each request, in this order. Values of sensitive names are masked wherever they are written.
    pub headers: Vec<Header>,
    /// Sent as `Authorization: Bearer …`, in place of a header of that name.
    #[serde(skip)]
    pub api_key: Option<Secret>,
    /// Longest time for name look-up, TCP and TLS together.
    pub connect_timeout: Option<Nanos>,
    /// Longest silence inside a response.
    pub read_timeout: Option<Nanos>,
    /// Longest time for one request in all.
    pub total_timeout: Nanos,
    /// Whether the service has to show who it is, where it is reached by TLS.
    #[serde(default, skip_serializing_if = "Certificates::are_checked")]
    pub certificates: Certificates,
}

/// What is asked of a service's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificates {
    /// It is for the service's name, and somebody whom this machine trusts vouches for it.
    #[default]
    Checked,
    /// Nothing: whoever answers is taken for the service.
    Unchecked,
}

impl Certificates {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    fn are_checked(&self) -> bool {
        *self == Self::Checked
    }
}

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Parts of the names of headers and parameters whose values are secrets.
const SENSITIVE_PARTS: [&str; 8] = [
    "auth",
    "key",
    "token",
    "secret",
    "cookie",
    "password",
    "signature",
    "credential",
];

/// Whole names of the same kind.
const SENSITIVE_NAMES: [&str; 5] = ["sig", "code", "pass", "passwd", "pwd"];

/// Secrets shorter than this are not looked for in texts: they would be found in words.
const SHORTEST_SECRET: usize = 4;

/// Whether the value of a header or a parameter of this name is a secret.
pub fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SENSITIVE_NAMES.contains(&name.as_str())
        || SENSITIVE_PARTS.iter().any(|part| name.contains(part))
}

/// A URL for readers and files: user names, passwords and values of sensitive parameters are `***`.
///
/// ```
/// use crestline_load::target::masked_url;
/// let url = "https://host/v1/completions?api-version=2&api-key=s3cret";
/// assert_eq!(masked_url(url), "https://host/v1/completions?api-version=2&api-key=***");
/// ```
pub fn masked_url(url: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let base = masked_user(base);
    let Some(query) = query else { return base };
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, value)) if is_sensitive(name) && !value.is_empty() => {
                format!("{name}={MASK}")
            }
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{base}?{}", parameters.join("&"))
}

fn masked_user(base: &str) -> String {
    let (scheme, rest) = base
        .split_once("://")
        .map_or(("", base), |(scheme, rest)| (scheme, rest));
    let authority = rest.split('/').next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else {
        return base.to_owned();
    };
    let after = &rest[user.len()..];
    if scheme.is_empty() {
        format!("{MASK}{after}")
    } else {
        format!("{scheme}://{MASK}{after}")
    }
}

fn write_masked<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&masked_url(url))
}

impl Target {
    /// A text that the service sent, with every secret that it was sent replaced by `***`: some services repeat the
    /// key in their refusal.
    pub fn redacted(&self, text: &str) -> String {
        self.secrets()
            .fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }

    /// The longest of each first, so that none is left in half.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let headers = self
            .headers
            .iter()
            .filter(|header| is_sensitive(&header.name))
            .map(|header| header.value.reveal());
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let parameters = query
            .split('&')
            .filter_map(|parameter| parameter.split_once('='))
            .filter(|(name, _)| is_sensitive(name))
            .map(|(_, value)| value);
        let key = self.api_key.as_ref().map(Secret::reveal);
        key.into_iter()
            .chain(headers)
            .flat_map(|value| [value, value.rsplit(' ').next().unwrap_or(value)])
            .chain(parameters)
            .filter(|secret| secret.len() >= SHORTEST_SECRET)
    }
}

/// One request header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Name, in any case.
    pub name: String,
    /// Value; written out as `***` where the name is one of the sensitive ones.
    pub value: Secret,
}

/// Text that is shown and written as `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_a_url_are_masked_and_nothing_else() {
        for (url, masked) in [
            ("http://h/v1?a=b", "http://h/v1?a=b"),
            (
                "http://h/v1?sig=x&a=b&CODE=y",
                "http://h/v1?sig=***&a=b&CODE=***",
            ),
            (
                "http://h/v1?access_token=x=y",
                "http://h/v1?access_token=***",
            ),
            (
                "http://h/v1?subscription-key=",
                "http://h/v1?subscription-key=",
            ),
            ("http://me:pw@h/v1@2", "http://***@h/v1@2"),
            ("me:pw@h:1/v1", "***@h:1/v1"),
        ] {
            assert_eq!(masked_url(url), masked);
        }
    }

    #[test]
    fn a_target_is_written_without_its_secrets() {
        let text = serde_json::to_string(&target()).unwrap();
        for secret in ["k3y-one", "k3y-two", "k3y-three"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("?api_key=***"), "{text}");
    }

    #[test]
    fn a_refusal_that_repeats_a_secret_is_redacted() {
        let text =
            "no key k3y-one, nor Bearer k3y-two, nor k3y-two, nor k3y-three; team plain-text";
        assert_eq!(
            target().redacted(text),
            "no key ***, nor ***, nor ***, nor ***; team plain-text"
        );
    }

    fn target() -> Target {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: Secret::new(value),
        };
        Target {
            url: "http://h/v1?api_key=k3y-three".to_owned(),
            headers: vec![
                header("X-Authorization", "Bearer k3y-two"),
                header("X-Team", "plain-text"),
            ],
            api_key: Some(Secret::new("k3y-one")),
            connect_timeout: None,
            read_timeout: None,
            total_timeout: Nanos::from_secs(1),
            certificates: Certificates::Checked,
        }
    }
}
