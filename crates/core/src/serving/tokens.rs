//! When the tokens of an answer came, and the spans between them.
//!
//! Knows one answer only; what a second or a run comes to is elsewhere.

use super::spread::Alike;
use super::{Counting, EventTokens, Row};

/// Tokens that came at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Arrived {
    pub(super) at_s: f64,
    pub(super) tokens: u64,
}

/// A wait for the tokens that came at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wait {
    pub(super) span_s: f64,
    pub(super) tokens: u64,
}

impl Row {
    /// The events of an answer with the tokens that they count for.
    pub(super) fn arrived(&self, counting: Counting) -> impl Iterator<Item = Arrived> + '_ {
        let mut at_s = self.start_s + self.ttft_s;
        let gaps = std::iter::once(0.0).chain(self.itls_s.iter().copied());
        gaps.enumerate().map(move |(event, gap)| {
            at_s += gap;
            let tokens = match counting {
                Counting::Events => 1,
                Counting::Tokens => self.tokens_of_event(event),
            };
            Arrived { at_s, tokens }
        })
    }

    fn tokens_of_event(&self, event: usize) -> u64 {
        let later = self.itls_s.len() as u64;
        match &self.event_tokens {
            EventTokens::One => 1,
            EventTokens::Known(tokens) => tokens.get(event).map_or(1, |&count| count.into()),
            EventTokens::Even if later == 0 => self.output_tokens,
            EventTokens::Even => {
                let rest = self.output_tokens.saturating_sub(1);
                let up_to =
                    |event: u64| (u128::from(rest) * u128::from(event) / u128::from(later)) as u64;
                match event as u64 {
                    0 => self.output_tokens.min(1),
                    event => up_to(event) - up_to(event - 1),
                }
            }
        }
    }

    /// The spans between tokens: an event that brought `k` tokens after a span counts as `k` spans of a `k`-th, and the
    /// span to an event without tokens belongs to the next one that has some. The tokens of the first event have no
    /// span: what was before it is the time to first token.
    ///
    /// Counted by events, every event has its span.
    pub(super) fn gaps(&self, counting: Counting) -> Vec<Alike> {
        let (_, waits) = self.waits(counting);
        waits
            .into_iter()
            .map(|wait| Alike {
                value_s: wait.span_s / wait.tokens as f64,
                times: wait.tokens,
            })
            .collect()
    }

    /// From the start of the request to its first token, and from there the waits for what came next, without a break.
    /// An answer whose events brought no token has waited for the last of them.
    pub(super) fn waits(&self, counting: Counting) -> (f64, Vec<Wait>) {
        if counting == Counting::Events {
            let each = |&span_s: &f64| Wait { span_s, tokens: 1 };
            return (self.ttft_s, self.itls_s.iter().map(each).collect());
        }
        let mut waits = Vec::with_capacity(self.itls_s.len());
        let mut first_s = self.ttft_s;
        let mut has_begun = self.tokens_of_event(0) > 0;
        let mut span_s = 0.0;
        for (event, span) in (1..).zip(&self.itls_s) {
            span_s += span;
            let tokens = self.tokens_of_event(event);
            if tokens == 0 {
                continue;
            }
            if has_begun {
                waits.push(Wait { span_s, tokens });
            } else {
                first_s += span_s;
            }
            has_begun = true;
            span_s = 0.0;
        }
        if !has_begun {
            first_s += span_s;
        }
        (first_s, waits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn answer(output_tokens: u64, itls_s: &[f64], event_tokens: EventTokens) -> Row {
        Row {
            start_s: 10.0,
            ttft_s: 0.5,
            itls_s: itls_s.to_vec(),
            latency_s: 0.5 + itls_s.iter().sum::<f64>(),
            output_tokens,
            event_tokens,
            succeeded: true,
            ..Row::default()
        }
    }

    fn tokens(row: &Row) -> Vec<u64> {
        row.arrived(Counting::Tokens)
            .map(|arrived| arrived.tokens)
            .collect()
    }

    fn gaps_s(row: &Row, counting: Counting) -> Vec<f64> {
        row.gaps(counting)
            .into_iter()
            .flat_map(|alike| std::iter::repeat_n(alike.value_s, alike.times as usize))
            .collect()
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(
            found.len(),
            expected.len(),
            "{found:?} and not {expected:?}"
        );
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?} and not {expected:?}");
        }
    }

    #[test]
    fn an_event_with_three_tokens_is_three_spans_of_a_third() {
        let row = answer(5, &[0.3, 0.1], EventTokens::Known(vec![1, 3, 1]));
        assert_near(&gaps_s(&row, Counting::Tokens), &[0.1, 0.1, 0.1, 0.1]);
        assert_near(&gaps_s(&row, Counting::Events), &[0.3, 0.1]);
    }

    #[test]
    fn further_tokens_of_the_first_event_have_no_span() {
        let row = answer(3, &[0.2], EventTokens::Known(vec![2, 1]));
        assert_near(&gaps_s(&row, Counting::Tokens), &[0.2]);
    }

    #[test]
    fn the_span_to_an_event_without_tokens_is_part_of_the_next_one() {
        let row = answer(
            3,
            &[0.2, 0.1, 0.4, 0.7],
            EventTokens::Known(vec![1, 0, 1, 1, 0]),
        );
        assert_near(&gaps_s(&row, Counting::Tokens), &[0.3, 0.4]);
        let late = answer(2, &[0.2, 0.1, 0.4], EventTokens::Known(vec![0, 0, 1, 1]));
        assert_near(&gaps_s(&late, Counting::Tokens), &[0.4]);
        assert_near(&[late.waits(Counting::Tokens).0], &[0.5 + 0.3]);
        let silent = answer(0, &[0.2, 0.1], EventTokens::Known(vec![0, 0, 0]));
        let (first_s, waits) = silent.waits(Counting::Tokens);
        assert_near(&[first_s], &[0.8]);
        assert_eq!(waits, []);
    }

    #[test]
    fn events_come_at_the_sum_of_the_spans_before_them() {
        let row = answer(3, &[0.25, 0.5], EventTokens::One);
        let at: Vec<_> = row.arrived(Counting::Events).map(|it| it.at_s).collect();
        assert_near(&at, &[10.5, 10.75, 11.25]);
    }

    #[test]
    fn an_unknown_share_is_one_token_first_and_then_equal_parts() {
        assert_eq!(
            tokens(&answer(7, &[0.1; 3], EventTokens::Even)),
            [1, 2, 2, 2]
        );
        assert_eq!(
            tokens(&answer(8, &[0.1; 3], EventTokens::Even)),
            [1, 2, 2, 3]
        );
        assert_eq!(
            tokens(&answer(3, &[0.1; 4], EventTokens::Even)),
            [1, 0, 1, 0, 1]
        );
        assert_eq!(tokens(&answer(6, &[], EventTokens::Even)), [6]);
        assert_eq!(tokens(&answer(0, &[0.1], EventTokens::Even)), [0, 0]);
        assert_eq!(tokens(&answer(9, &[0.1; 2], EventTokens::One)), [1, 1, 1]);
        let short = EventTokens::Known(vec![4]);
        assert_eq!(tokens(&answer(6, &[0.1; 2], short)), [4, 1, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn spread_tokens_are_all_there_and_their_spans_have_the_mean_of_the_tpot(
            output in 2..300_u64, itls in proptest::collection::vec(0.0..0.2_f64, 1..100),
        ) {
            let row = answer(output, &itls, EventTokens::Even);
            prop_assert_eq!(tokens(&row).iter().sum::<u64>(), output);
            let gaps = gaps_s(&row, Counting::Tokens);
            prop_assert_eq!(gaps.len() as u64, output - 1);
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            prop_assert!((mean - row.tpot_s().unwrap()).abs() < 1e-12);
        }
    }
}
