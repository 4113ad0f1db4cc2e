//! What a service says of itself while a load goes on: found before the load, read beside it, written to its database.

use crestline_load::server_metrics::{MetricsSource, Sampled, Sampler, Timing};
use crestline_load::target::{Target, masked_url};
use crestline_store::runs::PageWriter;

use crate::error::RunError;
use crate::plan::{ReadMetrics, ServerMetrics};

/// The service's page, where it is to be read and is there. It is read once for that.
pub(crate) fn find(
    plan: &ServerMetrics,
    target: &Target,
) -> Result<Option<MetricsSource>, RunError> {
    if plan.read == ReadMetrics::Never {
        return Ok(None);
    }
    let url = plan.url.as_deref();
    let missing = |url: String, text: String| match plan.read {
        ReadMetrics::Always => Err(RunError::NoMetrics { url, text }),
        ReadMetrics::IfThere | ReadMetrics::Never => Ok(None),
    };
    let found = MetricsSource::find(target, url, &[], |name| std::env::var(name).ok());
    let mut source = match found {
        Ok(source) => source,
        Err(error) => {
            let place = masked_url(url.unwrap_or(&target.url));
            return missing(place, error.to_string());
        }
    };
    match source.read() {
        Ok(_) => Ok(Some(source)),
        Err(error) => missing(source.url(), error.to_string()),
    }
}

/// The reading beside one load.
#[derive(Debug)]
pub(crate) struct Reading {
    sampler: Option<Sampler>,
    /// Why nothing is read although there is something to read.
    problem: Option<String>,
}

impl Reading {
    /// Begins, where there is something to read.
    pub(crate) fn begin(source: Option<&MetricsSource>, timing: Timing, to: PageWriter) -> Self {
        let begun = source.map(|source| {
            let source = source.another().map_err(|error| error.to_string())?;
            Sampler::start(source, timing, move |page| to.write(page))
                .map_err(|error| error.to_string())
        });
        match begun.transpose() {
            Ok(sampler) => Self {
                sampler,
                problem: None,
            },
            Err(why) => Self {
                sampler: None,
                problem: Some(why),
            },
        }
    }

    /// Ends; what the user should know.
    pub(crate) fn end(self) -> Option<String> {
        let missed = self
            .sampler
            .map(Sampler::end)
            .and_then(|sampled| told(&sampled));
        let problem = self
            .problem
            .map(|why| format!("the server's metrics were not read: {why}"));
        problem.or(missed)
    }
}

/// Samples that were missed.
fn told(sampled: &Sampled) -> Option<String> {
    let why = sampled.first_problem.as_deref()?;
    let all = sampled.read + sampled.missed;
    Some(format!(
        "the server's metrics could not be read {} of {all} times: {why}",
        sampled.missed
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_told_with_the_first_reason() {
        let sampled = |read, missed, why: Option<&str>| Sampled {
            read,
            missed,
            first_problem: why.map(str::to_owned),
        };
        assert_eq!(told(&sampled(7, 0, None)), None);
        assert_eq!(
            told(&sampled(7, 2, Some("/metrics: HTTP 500"))).unwrap(),
            "the server's metrics could not be read 2 of 9 times: /metrics: HTTP 500"
        );
    }
}
