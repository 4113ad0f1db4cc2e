//! Injected faults: which requests of the server go wrong, and how.
//!
//! Only decides; the server does the damage. Virtual time knows no faults.

use std::fmt;
use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A kind of fault and the share of requests that it befalls; written as `kind=rate` or `kind=rate:parameter`.
///
/// ```
/// use crestline_sim::fault::{Fault, FaultKind};
/// let fault: Fault = "stall=0.05:1.5".parse().unwrap();
/// assert_eq!(fault.kind, FaultKind::Stall);
/// assert_eq!((fault.rate, fault.parameter), (0.05, Some(1.5)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Share of requests, 0 to 1.
    pub rate: f64,
    /// Seconds or a count, as [`FaultKind::parameter`] says; `None` takes the kind's own value.
    pub parameter: Option<f64>,
}

/// What goes wrong with a request. "Mid-stream" is when half of the answer's tokens are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Status 500 with an error body.
    Http500,
    /// Status 429 with `Retry-After`.
    Http429,
    /// The request is answered, its connection closed, and nobody listens for a moment: connects are refused.
    Refuse,
    /// The connection is reset before any byte of the response.
    Reset,
    /// The connection is reset mid-stream.
    ResetMidStream,
    /// Nothing more is sent from mid-stream on, for some seconds or for ever.
    Stall,
    /// The response head arrives byte by byte.
    SlowHeaders,
    /// The JSON of one event, or of the whole answer, ends in the middle.
    TruncatedJson,
    /// Mid-stream the blank line after an event is missing, and bytes follow that are no UTF-8.
    MalformedSse,
    /// An `error` object mid-stream, under status 200; the answer ends there.
    ErrorInStream,
    /// No usage, though it was asked for.
    MissingUsage,
    /// Several tokens in one event.
    MergedChunks,
    /// Each event is cut at random bytes into chunks and writes of its own.
    OddCuts,
    /// The kept-alive connection is closed after the response without `Connection: close`.
    SilentClose,
}

/// What a fault's parameter means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Parameter {
    /// There is none.
    Nothing,
    /// Seconds; the value where none is given, `None` for ever.
    Seconds(Option<f64>),
    /// A number of tokens, at least 2; the value where none is given.
    Tokens(f64),
}

/// A fault that cannot be understood.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// No `=`, or what follows is no number.
    #[error("fault `{0}` must be written kind=rate or kind=rate:parameter, such as stall=0.05:2")]
    Form(String),
    /// Not a kind.
    #[error("unknown fault `{0}`; kinds: {kinds}", kinds = FaultKind::list())]
    UnknownKind(String),
    /// A rate outside 0 to 1.
    #[error("the rate of fault `{0}` must be 0 to 1")]
    Rate(String),
    /// A parameter for a kind without one, or out of its range.
    #[error("the parameter of fault `{fault}` must be {rule}")]
    Parameter {
        /// As written.
        fault: String,
        /// What it may be.
        rule: &'static str,
    },
    /// Together more than all requests.
    #[error("the rates of all faults add up to {0}, which is more than 1")]
    Sum(f64),
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Http500,
        Self::Http429,
        Self::Refuse,
        Self::Reset,
        Self::ResetMidStream,
        Self::Stall,
        Self::SlowHeaders,
        Self::TruncatedJson,
        Self::MalformedSse,
        Self::ErrorInStream,
        Self::MissingUsage,
        Self::MergedChunks,
        Self::OddCuts,
        Self::SilentClose,
    ];

    /// The name used on command lines and in truth files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http500 => "http-500",
            Self::Http429 => "http-429",
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::ResetMidStream => "reset-mid-stream",
            Self::Stall => "stall",
            Self::SlowHeaders => "slow-headers",
            Self::TruncatedJson => "truncated-json",
            Self::MalformedSse => "malformed-sse",
            Self::ErrorInStream => "error-in-stream",
            Self::MissingUsage => "missing-usage",
            Self::MergedChunks => "merged-chunks",
            Self::OddCuts => "odd-cuts",
            Self::SilentClose => "silent-close",
        }
    }

    /// What its parameter means.
    pub fn parameter(self) -> Parameter {
        match self {
            Self::Http429 => Parameter::Seconds(Some(1.0)),
            Self::Refuse => Parameter::Seconds(Some(0.005)),
            Self::Stall => Parameter::Seconds(None),
            Self::SlowHeaders => Parameter::Seconds(Some(2.0)),
            Self::MergedChunks => Parameter::Tokens(4.0),
            _ => Parameter::Nothing,
        }
    }

    /// Whether an answer that is not streamed can have it.
    pub fn befalls_whole_answers(self) -> bool {
        !matches!(self, Self::MalformedSse | Self::MergedChunks)
    }

    fn list() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl Fault {
    /// The parameter, or the kind's own value; `None` is "for ever".
    pub fn parameter(&self) -> Option<f64> {
        self.parameter.or(match self.kind.parameter() {
            Parameter::Nothing => None,
            Parameter::Seconds(seconds) => seconds,
            Parameter::Tokens(tokens) => Some(tokens),
        })
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let form = || FaultError::Form(text.to_owned());
        let (name, numbers) = text.split_once('=').ok_or_else(form)?;
        let kind = FaultKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name.trim())
            .ok_or_else(|| FaultError::UnknownKind(name.trim().to_owned()))?;
        let (rate, parameter) = match numbers.split_once(':') {
            Some((rate, parameter)) => (rate, Some(parameter)),
            None => (numbers, None),
        };
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| form());
        let rate = number(rate)?;
        if !(0.0..=1.0).contains(&rate) {
            return Err(FaultError::Rate(text.to_owned()));
        }
        let parameter = parameter.map(number).transpose()?;
        if let Some(value) = parameter {
            check_parameter(kind, value, text)?;
        }
        Ok(Self {
            kind,
            rate,
            parameter,
        })
    }
}

fn check_parameter(kind: FaultKind, value: f64, fault: &str) -> Result<(), FaultError> {
    let (range, rule) = match kind.parameter() {
        Parameter::Nothing => (1.0..=0.0, "left out"),
        Parameter::Seconds(_) => (0.0..=1e6, "0 to 1000000 seconds"),
        Parameter::Tokens(_) => (2.0..=1e6, "2 to 1000000 tokens"),
    };
    if range.contains(&value) {
        return Ok(());
    }
    Err(FaultError::Parameter {
        fault: fault.to_owned(),
        rule,
    })
}

/// Draws the faults of a run's requests, at most one each.
#[derive(Debug, Clone)]
pub struct Faults {
    faults: Vec<Fault>,
    rng: ChaCha8Rng,
}

impl Faults {
    /// The rates may add up to 1 at most.
    pub fn new(faults: Vec<Fault>, seed: u64) -> Result<Self, FaultError> {
        let sum = faults.iter().map(|fault| fault.rate).sum();
        if sum > 1.0 + 1e-9 {
            return Err(FaultError::Sum(sum));
        }
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Ok(Self { faults, rng })
    }

    /// The fate of the next request.
    pub fn draw(&mut self) -> Option<Fault> {
        if self.faults.is_empty() {
            return None;
        }
        let mut left: f64 = self.rng.random();
        for fault in &self.faults {
            if left < fault.rate {
                return Some(*fault);
            }
            left -= fault.rate;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_by_its_name() {
        for kind in FaultKind::ALL {
            let fault: Fault = format!("{kind}=0.25").parse().unwrap();
            assert_eq!((fault.kind, fault.rate), (kind, 0.25));
        }
    }

    #[test]
    fn parameters_have_the_kind_s_own_value_unless_given() {
        let parameter = |text: &str| text.parse::<Fault>().unwrap().parameter();
        assert_eq!(parameter("stall=0.1"), None);
        assert_eq!(parameter("stall=0.1:3"), Some(3.0));
        assert_eq!(parameter("http-429=1"), Some(1.0));
        assert_eq!(parameter("merged-chunks=1:8"), Some(8.0));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_can() {
        let error = |text: &str| text.parse::<Fault>().unwrap_err();
        assert!(error("explode=0.1").to_string().contains("odd-cuts"));
        assert_eq!(error("stall"), FaultError::Form("stall".into()));
        assert_eq!(error("stall=x"), FaultError::Form("stall=x".into()));
        assert_eq!(error("stall=1.5"), FaultError::Rate("stall=1.5".into()));
        assert_eq!(error("stall=nan"), FaultError::Rate("stall=nan".into()));
        for text in ["reset=0.1:3", "stall=0.1:-1", "merged-chunks=0.1:1"] {
            assert!(
                matches!(error(text), FaultError::Parameter { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn faults_come_at_their_rates_and_the_same_each_time() {
        let faults = || {
            let given = ["http-500=0.1", "stall=0.2"];
            let given = given.map(|text| text.parse().unwrap());
            Faults::new(given.to_vec(), 3).unwrap()
        };
        let draw = |mut faults: Faults| -> Vec<Option<FaultKind>> {
            let kinds = std::iter::from_fn(|| Some(faults.draw().map(|fault| fault.kind)));
            kinds.take(10_000).collect()
        };
        let drawn = draw(faults());
        let count = |kind| drawn.iter().filter(|drawn| **drawn == kind).count();
        assert!((900..1100).contains(&count(Some(FaultKind::Http500))));
        assert!((1850..2150).contains(&count(Some(FaultKind::Stall))));
        assert_eq!(drawn, draw(faults()));
    }

    #[test]
    fn rates_beyond_all_requests_are_refused() {
        let faults = ["reset=0.6", "stall=0.6"].map(|text| text.parse().unwrap());
        assert!(matches!(
            Faults::new(faults.to_vec(), 0),
            Err(FaultError::Sum(_))
        ));
    }
}
