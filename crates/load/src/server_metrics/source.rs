//! Where a server's metrics are: the page `/metrics` beside the endpoint under load, or a page of its own.

use crestline_core::server_series::Reading;
use crestline_core::units::Nanos;

use super::page;
use crate::aside::{Aside, AsideError};
use crate::client::address::Address;
use crate::client::connect::RouteError;
use crate::client::trust::ExtraRoots;
use crate::target::Target;

/// Where servers have their page.
const PATH: &str = "/metrics";
/// Longest time for a page, its connection included.
const PATIENCE: Nanos = Nanos::from_secs(1);
/// Longest page, in bytes.
const LONGEST: usize = 8 * 1024 * 1024;
/// Most series of a page.
const MOST_SERIES: usize = 20_000;

/// A page of metrics, and the way to it.
#[derive(Debug)]
pub struct MetricsSource {
    aside: Aside,
    path: String,
}

/// A page that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// It did not come.
    #[error(transparent)]
    Aside(#[from] AsideError),
    /// What came is another kind of page.
    #[error("{path}: this is no page of metrics in the text form of Prometheus")]
    NoMetrics {
        /// What was asked for.
        path: String,
    },
    /// More than anyone could look at.
    #[error("{path}: {count} series are more than the {MOST_SERIES} that are taken")]
    TooMany {
        /// What was asked for.
        path: String,
        /// Series on the page, bounds of histograms left out.
        count: usize,
    },
}

impl MetricsSource {
    /// The page beside a service, or the one at `url`. Headers and key of the service go along only where the page is at the
    /// same host and port. `env` gives the proxy variables. Sends nothing yet.
    pub fn find(
        service: &Target,
        url: Option<&str>,
        roots: &ExtraRoots,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, AsideError> {
        let (target, path) = match url {
            None => (service.clone(), PATH.to_owned()),
            Some(url) => elsewhere(service, url)?,
        };
        Ok(Self {
            aside: Aside::new(&target, PATIENCE, roots, env)?.with_most(LONGEST),
            path,
        })
    }

    /// The same page over a connection of its own, for another thread.
    pub fn another(&self) -> Result<Self, AsideError> {
        Ok(Self {
            aside: self.aside.another()?,
            path: self.path.clone(),
        })
    }

    /// The URL of the page, without a query.
    pub fn url(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{}{path}", self.aside.base())
    }

    /// Reads the page once. Takes no longer than a second.
    pub fn read(&mut self) -> Result<Vec<Reading>, MetricsError> {
        let reply = self.aside.get(&self.path)?;
        let readings = page::readings(&reply.text());
        let path = || self.path.clone();
        match readings.len() {
            0 => Err(MetricsError::NoMetrics { path: path() }),
            count if count > MOST_SERIES => Err(MetricsError::TooMany {
                path: path(),
                count,
            }),
            _ => Ok(readings),
        }
    }
}

/// A page at an address of its own, and its path.
fn elsewhere(service: &Target, url: &str) -> Result<(Target, String), AsideError> {
    let parts = |url: &str| Address::of_service(url).map_err(RouteError::from);
    let (page, service_address) = (parts(url)?, parts(&service.url)?);
    let place = |address: &Address| (address.tls, address.host.clone(), address.port);
    let mut target = Target {
        url: url.to_owned(),
        ..service.clone()
    };
    if place(&page) != place(&service_address) {
        target.headers.clear();
        target.api_key = None;
    }
    let path = match page.path.as_str() {
        "/" => PATH.to_owned(),
        path => path.to_owned(),
    };
    Ok((target, path))
}
