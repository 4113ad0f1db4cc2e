//! The flags of what a service says of itself while a load goes on: the same in all dialects.

use clap::{Args, ValueEnum};
use crestline_experiment::plan::{ReadMetrics, ServerMetrics, SubjectPlan};
use crestline_load::client::address::Address;

use crate::problem::Problem;

/// The flags as typed.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MetricsArgs {
    /// Read the service's `/metrics` each second while a load goes on, and keep what it says in the run's database: `auto`
    /// where it has such a page; with `on`, or no word, nothing is sent without one [default: auto; with
    /// `--server-metrics-url`, on].
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true,
        num_args = 0..=1,
        default_missing_value = "on"
    )]
    pub(crate) server_metrics: Option<When>,
    /// Where that page is, if not at `/metrics` of the service.
    #[arg(long, value_name = "URL")]
    pub(crate) server_metrics_url: Option<String>,
}

/// Whether the page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// Where there is one.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// What the flags mean for a service, or for the engine in virtual time, which has no page. `place` is the flag that says
/// where the service is.
pub(crate) fn plan(
    args: &MetricsArgs,
    subject: &SubjectPlan,
    place: &str,
) -> Result<ServerMetrics, Problem> {
    let url = args.server_metrics_url.as_deref();
    let read = match (args.server_metrics, url) {
        (Some(When::Off), Some(_)) => {
            return Err(Problem::usage("--server-metrics off reads no page")
                .hint("leave out --server-metrics-url, or --server-metrics"));
        }
        (Some(When::Off), None) => ReadMetrics::Never,
        (Some(When::On), _) | (None, Some(_)) => ReadMetrics::Always,
        (Some(When::Auto), _) | (None, None) => ReadMetrics::IfThere,
    };
    if let (SubjectPlan::Virtual(_), Some(flag)) = (subject, needs_service(args)) {
        return Err(Problem::usage(format!("{flag} needs a service"))
            .cause("in virtual time nothing is asked beside the load")
            .hint(format!(
                "start crestline sim, and give its address with {place}"
            )));
    }
    if let Some(url) = url {
        Address::of_service(url).map_err(|error| {
            Problem::usage("--server-metrics-url is no place that can be read")
                .because(&error)
                .hint("give a whole URL, such as http://127.0.0.1:8000/metrics")
        })?;
    }
    Ok(ServerMetrics {
        read,
        url: url.map(str::to_owned),
    })
}

/// The flag that has no meaning without a service.
fn needs_service(args: &MetricsArgs) -> Option<&'static str> {
    if args.server_metrics_url.is_some() {
        return Some("--server-metrics-url");
    }
    (args.server_metrics == Some(When::On)).then_some("--server-metrics on")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn args(when: Option<When>, url: Option<&str>) -> MetricsArgs {
        MetricsArgs {
            server_metrics: when,
            server_metrics_url: url.map(str::to_owned),
        }
    }

    fn engine() -> SubjectPlan {
        SubjectPlan::Virtual("gpu-small".to_owned())
    }

    #[test]
    fn a_url_asks_for_the_page_unless_something_else_is_said() {
        let url = Some("http://127.0.0.1:9/m");
        let check = |when, url, expected| {
            let plan = plan(&args(when, url), &live(), "--url");
            let plan = plan.unwrap();
            assert_eq!((plan.read, plan.url.as_deref()), (expected, url));
        };
        check(None, None, ReadMetrics::IfThere);
        check(None, url, ReadMetrics::Always);
        check(Some(When::Auto), url, ReadMetrics::IfThere);
        check(Some(When::On), None, ReadMetrics::Always);
        check(Some(When::Off), None, ReadMetrics::Never);
    }

    fn live() -> SubjectPlan {
        let target = serde_json::json!({
            "url": "http://127.0.0.1:8000/v1/completions",
            "headers": [],
            "connect_timeout": null,
            "read_timeout": null,
            "total_timeout": 1,
        });
        SubjectPlan::Live(serde_json::from_value(target).unwrap())
    }

    fn refuses(args: &MetricsArgs, subject: &SubjectPlan, expected: &Expect) {
        let problem = plan(args, subject, "--url").unwrap_err();
        expected.assert_eq(&problem.to_string());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let url = Some("http://127.0.0.1:9/m");
        refuses(
            &args(Some(When::Off), url),
            &live(),
            &expect![[r"
            error: --server-metrics off reads no page
              hint: leave out --server-metrics-url, or --server-metrics"]],
        );
        refuses(
            &args(None, Some("metrics")),
            &live(),
            &expect![[r"
            error: --server-metrics-url is no place that can be read
              cause: `metrics` is not a URL such as http://127.0.0.1:8000/v1/chat/completions
              hint: give a whole URL, such as http://127.0.0.1:8000/metrics"]],
        );
        refuses(
            &args(Some(When::On), None),
            &engine(),
            &expect![[r"
            error: --server-metrics on needs a service
              cause: in virtual time nothing is asked beside the load
              hint: start crestline sim, and give its address with --url"]],
        );
        refuses(
            &args(Some(When::Auto), url),
            &engine(),
            &expect![[r"
            error: --server-metrics-url needs a service
              cause: in virtual time nothing is asked beside the load
              hint: start crestline sim, and give its address with --url"]],
        );
        assert!(plan(&args(Some(When::Auto), None), &engine(), "--url").is_ok());
    }
}
