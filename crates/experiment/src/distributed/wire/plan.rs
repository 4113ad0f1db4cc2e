//! A plan on its way to a worker: with its secrets, which no other form of it has.
//!
//! It is made for a link and never for a file: see [`Plan`]'s own form for those, in which secrets are masked.

use std::fmt;

use crestline_load::target::{Secret, Target};
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, SubjectPlan};

/// A whole plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WirePlan {
    /// As files have it.
    plan: Plan,
    secrets: Secrets,
}

/// What is masked in it.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Secrets {
    url: String,
    /// In the order of the headers.
    headers: Vec<String>,
    api_key: Option<String>,
    metrics_url: Option<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(crestline_load::target::MASK)
    }
}

impl WirePlan {
    /// For the link.
    pub fn of(plan: &Plan) -> Self {
        let mut secrets = Secrets {
            metrics_url: plan.server_metrics.url.clone(),
            ..Secrets::default()
        };
        if let SubjectPlan::Live(target) = &plan.subject {
            let values = target.headers.iter().map(|header| header.value.reveal());
            secrets.url.clone_from(&target.url);
            secrets.headers = values.map(str::to_owned).collect();
            secrets.api_key = target.api_key.as_ref().map(|key| key.reveal().to_owned());
        }
        Self {
            plan: plan.clone(),
            secrets,
        }
    }

    /// The plan as it was.
    pub fn restore(self) -> Plan {
        let Self { mut plan, secrets } = self;
        plan.server_metrics.url = secrets.metrics_url;
        if let SubjectPlan::Live(target) = &mut plan.subject {
            let Target {
                url,
                headers,
                api_key,
                ..
            } = target;
            *url = secrets.url;
            *api_key = secrets.api_key.map(Secret::new);
            for (header, value) in headers.iter_mut().zip(secrets.headers) {
                header.value = Secret::new(value);
            }
        }
        plan
    }
}
