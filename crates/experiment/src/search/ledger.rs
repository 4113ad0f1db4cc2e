//! What was seen in each dwell, for tables, files and whoever watches. Judges nothing for the search: that has evidence of
//! its own.

use crestline_core::record::{FailureKind, RequestRecord};
use crestline_core::request::LoadPoint;
use crestline_core::search::{Question, Span};
use crestline_core::sla::{Group, Measure, Probe, Throughput};
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;

use super::drive::Shape;
use super::journal::Dwelt;
use super::outcome::{Dwell, Spent, Tried, WorkRate};
use crate::event::Verdict;

/// Requests of a dwell below which nothing is said of it.
const LEAST_REQUESTS: u64 = 10;

/// All dwells of a search, those of earlier commands included.
pub(super) struct Ledger<'a> {
    question: &'a Question,
    shape: Shape,
    accounts: Vec<Account>,
    spent: Spent,
    longest: Nanos,
}

/// One dwell.
struct Account {
    stage: String,
    span: Span,
    /// Why it says nothing of the service, where that is so.
    void: Option<String>,
    summary: RunSummary,
    /// Requests that keep to the limits of a good one.
    good: u64,
    /// Requests that ended well while it counted, whenever they were sent.
    ended: u64,
    /// Tokens that arrived while it counted, of whichever requests; those of an answer come evenly.
    tokens: f64,
    /// What the search itself measured: seconds, and tokens in them.
    arrived: Option<(f64, f64)>,
}

impl Account {
    fn counts(&self, at: Nanos) -> bool {
        at >= self.span.counts_from && self.span.ended.is_none_or(|ended| at < ended)
    }

    fn probe(&self, groups: &[Group], now: Nanos) -> Probe {
        let mut probe = Probe::of(&self.summary, Some(self.good), groups);
        // Its requests end long after it has; what was done a second is another thing than from its first to its last.
        let pace = pace(&[self], &self.summary, now);
        let input = self.summary.input().tokens as f64;
        let in_all = 1.0 + input / (self.summary.output().tokens as f64).max(1.0);
        for figure in &mut probe.figures {
            if let Measure::Throughput(work) = figure.measure {
                figure.value = pace.map(|pace| match work {
                    Throughput::Requests => pace.requests_per_s,
                    Throughput::OutputTokens => pace.output_tokens_per_s,
                    Throughput::TotalTokens => pace.output_tokens_per_s * in_all,
                });
            }
        }
        probe
    }

    /// Seconds between two moments while it counted.
    fn counted_s(&self, from: Nanos, to: Nanos) -> f64 {
        let from = from.max(self.span.counts_from);
        let to = self.span.ended.map_or(to, |ended| to.min(ended));
        to.saturating_sub(from).as_secs_f64()
    }
}

impl<'a> Ledger<'a> {
    pub(super) fn new(question: &'a Question, shape: Shape) -> Self {
        Self {
            question,
            shape,
            accounts: Vec::new(),
            spent: Spent::default(),
            longest: Nanos::ZERO,
        }
    }

    /// Takes over the dwells that the search has; gives those that are new or have changed.
    pub(super) fn sync(&mut self, spans: impl Iterator<Item = Span>, stage: &str) -> Vec<Dwelt> {
        let mut news = Vec::new();
        for (place, span) in spans.enumerate() {
            match self.accounts.get_mut(place) {
                Some(account) if account.span == span => continue,
                Some(account) => account.span = span,
                None => self.accounts.push(self.account(span, stage)),
            }
            news.push(self.dwelt(place));
        }
        news
    }

    /// Takes over the tokens that the search counted as they arrived, so that the tables agree with its answers.
    pub(super) fn count(&mut self, arrived: impl Iterator<Item = Option<(f64, f64)>>) {
        for (account, arrived) in self.accounts.iter_mut().zip(arrived) {
            account.arrived = arrived;
        }
    }

    /// The present dwell says nothing of the service. Gives its line for the journal.
    pub(super) fn void(&mut self, reason: &str) -> Option<Dwelt> {
        self.accounts.last_mut()?.void = Some(reason.to_owned());
        Some(self.dwelt(self.accounts.len() - 1))
    }

    /// The search has ended, and with it the present dwell, if it goes on. Gives its line for the journal then.
    pub(super) fn end(&mut self, now: Nanos) -> Option<Dwelt> {
        let span = &mut self.accounts.last_mut()?.span;
        if span.ended.is_some() {
            return None;
        }
        span.ended = Some(now);
        Some(self.dwelt(self.accounts.len() - 1))
    }

    fn dwelt(&self, place: usize) -> Dwelt {
        let account = &self.accounts[place];
        Dwelt {
            number: place as u32 + 1,
            stage: account.stage.clone(),
            span: account.span,
            void: account.void.clone(),
        }
    }

    /// Takes over a dwell of an earlier command.
    pub(super) fn restore(&mut self, dwelt: &Dwelt) {
        let account = self.account(dwelt.span, &dwelt.stage);
        self.accounts.push(Account {
            void: dwelt.void.clone(),
            ..account
        });
    }

    fn account(&self, span: Span, stage: &str) -> Account {
        Account {
            stage: stage.to_owned(),
            span,
            void: None,
            summary: RunSummary::new(LoadPoint {
                load: self.shape.load(span.load),
                requests: 0,
                warmup: 0,
                duration: None,
            }),
            good: 0,
            ended: 0,
            tokens: 0.0,
            arrived: None,
        }
    }

    /// A request has ended.
    pub(super) fn record(&mut self, record: &RequestRecord) {
        let failure = record.failure.as_ref().map(|failure| failure.kind);
        if let Some(first) = record.first_token {
            let tokens = record
                .output_tokens
                .map_or(record.chunks, |tokens| tokens.count);
            self.arrived(tokens, first, record.last_token.unwrap_or(first));
        }
        if failure == Some(FailureKind::Cancelled) {
            self.spent.given_up += 1;
            return;
        }
        self.spent.requests += 1;
        self.spent.failed += u64::from(failure.is_some());
        let tokens = record
            .output_tokens
            .map_or(0, |tokens| u64::from(tokens.count));
        if failure.is_none() {
            self.longest = self.longest.max(record.latency());
            self.spent.output_tokens += tokens;
            self.spent.input_tokens += record
                .prompt_tokens
                .map_or(0, |tokens| u64::from(tokens.count));
            if let Some(account) = self.at(record.end) {
                account.ended += 1;
            }
        }
        let good = self.question.slo.met_by(record);
        if let Some(account) = self.at(record.sent) {
            account.good += u64::from(good);
            account.summary.add(record);
        }
    }

    /// So many tokens of one request arrived between two moments.
    pub(super) fn arrived(&mut self, tokens: u32, first: Nanos, last: Nanos) {
        let seconds = last.saturating_sub(first).as_secs_f64();
        if seconds <= 0.0 {
            if let Some(account) = self.at(last) {
                account.tokens += f64::from(tokens);
            }
            return;
        }
        for account in self.accounts.iter_mut().rev() {
            if account.span.ended.is_some_and(|ended| ended <= first) {
                break;
            }
            account.tokens += f64::from(tokens) * account.counted_s(first, last) / seconds;
        }
    }

    /// The dwell that counts what happens at a moment; requests end soon after they are sent, so the last ones come first.
    fn at(&mut self, moment: Nanos) -> Option<&mut Account> {
        self.accounts
            .iter_mut()
            .rev()
            .find(|account| account.counts(moment))
    }

    /// What the present dwell says of a group so far.
    pub(super) fn verdict(&self, group: usize, now: Nanos) -> Verdict {
        let Some(account) = self.accounts.last() else {
            return Verdict::Open;
        };
        let Some(group) = self.question.groups.get(group) else {
            return Verdict::Open;
        };
        let probe = account.probe(std::slice::from_ref(group), now);
        if probe.total < LEAST_REQUESTS || group.criteria.is_empty() {
            Verdict::Open
        } else if group.judge(&probe).met() {
            Verdict::Meets
        } else {
            Verdict::Fails
        }
    }

    /// What the present dwell's requests come to.
    pub(super) fn present(&self) -> Option<&RunSummary> {
        self.accounts.last().map(|account| &account.summary)
    }

    /// The longest time that an answer took.
    pub(super) fn longest(&self) -> Nanos {
        self.longest
    }

    /// What was spent by `now`, which counts from the begin of the first command.
    pub(super) fn spent(&self, now: Nanos) -> Spent {
        let began = self
            .accounts
            .first()
            .map_or(now, |first| first.span.applied);
        Spent {
            time: now.saturating_sub(began),
            ..self.spent
        }
    }

    /// When the first load was applied.
    pub(super) fn began(&self) -> Nanos {
        let first = self.accounts.first();
        first.map_or(Nanos::ZERO, |first| first.span.applied)
    }

    /// Every dwell, with times since the search began.
    pub(super) fn dwells(&self, now: Nanos) -> Vec<Dwell> {
        let began = self.began();
        let since = |at: Nanos| at.saturating_sub(began);
        let numbered = (1..).zip(&self.accounts);
        numbered
            .map(|(number, account)| {
                let end = account.span.ended.unwrap_or(now);
                Dwell {
                    number,
                    load: account.span.load,
                    stage: account.stage.clone(),
                    start: since(account.span.applied),
                    counted_from: (account.span.counts_from < end)
                        .then(|| since(account.span.counts_from)),
                    end: since(end),
                    ending: ending(account),
                    is_void: account.void.is_some(),
                    probe: account.probe(&self.question.groups, now),
                }
            })
            .collect()
    }

    /// The loads in increasing order, the dwells of each together; void ones are left out.
    pub(super) fn tried(&self, now: Nanos) -> Vec<Tried> {
        let counted = |account: &&Account| account.void.is_none();
        let mut accounts: Vec<&Account> = self.accounts.iter().filter(counted).collect();
        accounts.sort_by(|one, other| one.span.load.total_cmp(&other.span.load));
        accounts
            .chunk_by(|one, other| one.span.load.total_cmp(&other.span.load).is_eq())
            .filter_map(|same| {
                let mut summary = same.first()?.summary.clone();
                same[1..]
                    .iter()
                    .for_each(|more| summary.merge(more.summary.clone()));
                summary.sort();
                // The warm-up counts nowhere, and neither does a load that was left before it was steady.
                (summary.total() > 0).then(|| Tried {
                    load: same[0].span.load,
                    pace: pace(same, &summary, now),
                    runs: vec![summary],
                })
            })
            .collect()
    }
}

/// Work done a second. A short time holds few whole answers, so requests are counted by the tokens that arrived and the
/// mean number of tokens of an answer; where no tokens are known, by those that ended.
fn pace(same: &[&Account], summary: &RunSummary, now: Nanos) -> Option<WorkRate> {
    let work = same.iter().map(|account| {
        let estimated = (account.counted_s(Nanos::ZERO, now), account.tokens);
        account.arrived.unwrap_or(estimated)
    });
    let (seconds, tokens) = work.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if seconds <= 0.0 {
        return None;
    }
    let ended: u64 = same.iter().map(|account| account.ended).sum();
    let an_answer = summary.output().tokens as f64 / summary.succeeded().max(1) as f64;
    let requests = if an_answer > 0.0 {
        tokens / an_answer
    } else {
        ended as f64
    };
    Some(WorkRate {
        requests_per_s: requests / seconds,
        output_tokens_per_s: tokens / seconds,
    })
}

fn ending(account: &Account) -> String {
    if let Some(reason) = &account.void {
        return format!("void: {reason}");
    }
    match (account.span.ended, account.span.cut) {
        (None, _) => "cut off",
        (Some(_), true) => "ended by another load",
        (Some(_), false) => "ended",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use crestline_core::record::{Failure, Phase, TokenCount, TokenSource};
    use crestline_core::search::{Bounds, Budget, Variable};
    use crestline_core::sla::{Slo, parse_groups};

    use super::*;

    fn question() -> Question {
        Question {
            variable: Variable::Users,
            bounds: Bounds {
                lowest: 1.0,
                highest: 64.0,
            },
            first: 1.0,
            groups: parse_groups(r#"{"avg_latency": "<=2s"}"#, None).unwrap(),
            slo: Slo::default(),
            confidence: 0.9,
            tolerance: 0.05,
            budget: Budget::default(),
        }
    }

    fn span(load: f64, counts_from: u64, ended: Option<u64>) -> Span {
        Span {
            load,
            applied: Nanos::from_secs(counts_from.saturating_sub(1)),
            counts_from: Nanos::from_secs(counts_from),
            ended: ended.map(Nanos::from_secs),
            cut: false,
        }
    }

    fn ledger<'a>(question: &'a Question, spans: &[Span]) -> Ledger<'a> {
        let shape = Shape {
            variable: Variable::Users,
            fixed_parallel: None,
        };
        let mut ledger = Ledger::new(question, shape);
        ledger.sync(spans.iter().copied(), "ramp");
        ledger
    }

    /// A request of 10 tokens that all come in its last second.
    fn request(index: u64, sent: u64, end: u64) -> RequestRecord {
        RequestRecord {
            due: Nanos::from_secs(sent),
            sent: Nanos::from_secs(sent),
            first_token: Some(Nanos::from_secs(end - 1)),
            last_token: Some(Nanos::from_secs(end)),
            end: Nanos::from_secs(end),
            output_tokens: Some(TokenCount {
                count: 10,
                source: TokenSource::Usage,
            }),
            ..RequestRecord::new(index, Phase::Measured)
        }
    }

    fn failed(kind: FailureKind, record: RequestRecord) -> RequestRecord {
        RequestRecord {
            failure: Some(Failure {
                kind,
                text: String::new(),
            }),
            ..record
        }
    }

    #[test]
    fn a_request_counts_where_it_was_sent_and_its_tokens_where_they_came() {
        let question = question();
        let spans = [span(2.0, 1, Some(5)), span(4.0, 6, Some(10))];
        let mut ledger = ledger(&question, &spans);
        ledger.record(&request(0, 4, 7));
        ledger.record(&request(1, 5, 8));
        ledger.record(&request(2, 6, 9));
        let tried = ledger.tried(Nanos::from_secs(10));
        let counts: Vec<u64> = tried.iter().map(|tried| tried.runs[0].total()).collect();
        assert_eq!(counts, [1, 1], "one was sent while the second load settled");
        let pace = tried[1].pace.unwrap();
        assert!((pace.output_tokens_per_s - 30.0 / 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_ends_after_the_search_is_of_its_last_load_and_of_no_time() {
        let question = question();
        let mut ledger = ledger(&question, &[span(4.0, 1, None)]);
        let now = Nanos::from_secs(5);
        assert_eq!(ledger.end(now).unwrap().span.ended, Some(now));
        assert!(ledger.end(now).is_none(), "it has ended already");
        ledger.record(&request(0, 4, 7));
        ledger.record(&request(1, 3, 5));
        let tried = &ledger.tried(now)[0];
        assert_eq!(tried.runs[0].total(), 2);
        let pace = tried.pace.unwrap();
        assert!((pace.output_tokens_per_s - 10.0 / 4.0).abs() < 1e-9);
        assert_eq!(ledger.longest(), Nanos::from_secs(3));
    }

    #[test]
    fn a_void_dwell_is_told_and_is_no_row() {
        let question = question();
        let spans = [span(2.0, 1, Some(5)), span(4.0, 6, None)];
        let mut ledger = ledger(&question, &spans);
        ledger.record(&request(0, 2, 4));
        ledger.record(&request(1, 7, 8));
        let line = ledger.void("late").unwrap();
        assert_eq!((line.number, line.void.as_deref()), (2, Some("late")));
        let now = Nanos::from_secs(9);
        assert_eq!(ledger.tried(now).len(), 1);
        assert_eq!(ledger.dwells(now)[1].ending, "void: late");
    }

    #[test]
    fn throughput_of_a_dwell_is_that_of_its_time() {
        let groups = parse_groups(r#"{"tps": "max", "total_tps": ">=1"}"#, None).unwrap();
        let question = Question {
            groups,
            ..question()
        };
        let mut ledger = ledger(&question, &[span(4.0, 1, Some(5))]);
        // The tokens come long after it has ended.
        ledger.record(&request(0, 4, 90));
        ledger.record(&request(1, 3, 5));
        let probe = &ledger.dwells(Nanos::from_secs(99))[0].probe;
        let values: Vec<Option<f64>> = probe.figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [Some(2.5), Some(2.5)], "{probe:?}");
    }

    #[test]
    fn dwells_of_one_load_come_to_one_row() {
        let question = question();
        let spans = [
            span(4.0, 1, Some(3)),
            span(2.0, 4, Some(6)),
            span(4.0, 7, None),
        ];
        let mut ledger = ledger(&question, &spans);
        ledger.record(&request(0, 1, 2));
        ledger.record(&request(1, 7, 8));
        let tried = ledger.tried(Nanos::from_secs(9));
        let loads: Vec<(f64, u64)> = tried
            .iter()
            .map(|tried| (tried.load, tried.runs[0].total()))
            .collect();
        assert_eq!(loads, [(4.0, 2)], "nothing counts of the other load");
        let pace = tried[0].pace.unwrap();
        assert!((pace.requests_per_s - 2.0 / 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_the_search_gave_up_is_no_failure() {
        let question = question();
        let mut ledger = ledger(&question, &[span(2.0, 1, None)]);
        ledger.record(&failed(FailureKind::Cancelled, request(0, 2, 4)));
        ledger.record(&failed(FailureKind::ServerError, request(1, 2, 4)));
        ledger.record(&request(2, 2, 4));
        let spent = ledger.spent(Nanos::from_secs(5));
        assert_eq!((spent.requests, spent.failed, spent.given_up), (2, 1, 1));
        assert_eq!(spent.time, Nanos::from_secs(5));
        assert_eq!(ledger.present().unwrap().failed(), 1);
    }

    #[test]
    fn a_verdict_waits_for_some_requests() {
        let question = question();
        let mut ledger = ledger(&question, &[span(2.0, 1, None)]);
        for index in 0..9 {
            ledger.record(&request(index, 2, 3));
            assert_eq!(ledger.verdict(0, Nanos::MAX), Verdict::Open);
        }
        ledger.record(&request(9, 2, 3));
        assert_eq!(ledger.verdict(0, Nanos::MAX), Verdict::Meets);
        ledger.record(&request(10, 2, 60));
        assert_eq!(ledger.verdict(0, Nanos::MAX), Verdict::Fails);
    }

    #[test]
    fn only_what_is_new_of_the_dwells_goes_into_the_journal() {
        let question = question();
        let open = span(2.0, 1, None);
        let mut ledger = ledger(&question, &[open]);
        assert!(ledger.sync([open].into_iter(), "ramp").is_empty());
        let news = ledger.sync(
            [span(2.0, 1, Some(5)), span(4.0, 6, None)].into_iter(),
            "refine",
        );
        let lines: Vec<(u32, &str)> = news
            .iter()
            .map(|dwelt| (dwelt.number, dwelt.stage.as_str()))
            .collect();
        assert_eq!(lines, [(1, "ramp"), (2, "refine")]);
    }
}
