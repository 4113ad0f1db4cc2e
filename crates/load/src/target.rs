//! The service under load: its address, its headers, how long to wait for it.

use std::fmt;

use crestline_core::units::Nanos;
use serde::{Deserialize, Serialize, Serializer};

/// A live service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Full URL of the endpoint, `http` or `https`.
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
        out.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}
