//! The groups of a search: which one is worked on, what is known of each, and how one is stopped before the others.
//!
//! Decides nothing: whoever watches a search does.

use super::Search;
use crate::search::answer::{Answer, Outcome};
use crate::search::race::Reach;
use crate::search::seeker::Next;

impl Search {
    /// The service is idle: a load that is applied next is joined and settles anew.
    pub fn begin_idle(&mut self) {
        self.is_idle = true;
    }

    /// Takes the answer that an earlier session came to, as [`Search::settled`] gave it.
    pub fn restore_answer(&mut self, group: usize, answer: Answer) {
        self.asks[group].answer.get_or_insert(answer);
    }

    /// Stops here: every group that is open gets the answer that can be given.
    pub fn give_up(&mut self, why: &str) {
        while let Some(open) = self.open() {
            self.stop_group(open, |answer| answer, why);
        }
    }

    /// Stops the group that is worked on.
    pub(super) fn give_up_next(&mut self, why: &str) {
        if let Some(open) = self.open() {
            self.give_up_group(open, why);
        }
    }

    /// Stops here with one group, which gets the answer that can be given; the others go on.
    pub fn give_up_group(&mut self, group: usize, why: &str) {
        self.stop_group(group, |answer| answer, why);
    }

    /// Stops one group, because another configuration is better; the others go on.
    pub fn outpace(&mut self, group: usize, why: &str) {
        self.stop_group(group, |answer| answer.outpaced(why), why);
    }

    fn stop_group(&mut self, group: usize, as_what: impl FnOnce(Answer) -> Answer, why: &str) {
        if self.open() == Some(group) {
            self.plan = None;
        }
        self.catch_up(group);
        let ask = &mut self.asks[group];
        if ask.answer.is_some() {
            return;
        }
        let mut answer = ask.seeker.give_up(&self.evidence, why);
        if ask.group.aim.is_some() && answer.best.is_none() {
            // The limits are known at best; what is sought within them is not.
            answer.outcome = Outcome::Inconclusive;
        }
        ask.answer = Some(as_what(answer));
        ask.is_given_up = true;
    }

    /// Works on this group from now on, as long as it is open.
    pub fn focus(&mut self, group: usize) {
        let before = self.open();
        self.focus = Some(group);
        if self.open() != before {
            self.plan = None;
        }
    }

    /// The group that is worked on; `None` when all have their answers.
    pub fn open(&self) -> Option<usize> {
        let is_open = |group: &usize| self.asks[*group].answer.is_none();
        self.focus
            .filter(is_open)
            .or_else(|| (0..self.asks.len()).find(is_open))
    }

    /// Between which loads the answer to a group lies, where the probability is `tail` for each bound that it is beyond.
    /// Nothing is known of a group that seeks the best of a measure: its answers are not compared by load.
    pub fn reach(&self, group: usize, tail: f64) -> Reach {
        let ask = &self.asks[group];
        if ask.group.aim.is_some() {
            return Reach::UNKNOWN;
        }
        match &ask.answer {
            None => ask.seeker.reach(tail),
            Some(answer) => Reach::of(answer, tail),
        }
    }

    /// The answers that groups came to by themselves, and that more load would not change.
    pub fn settled(&self) -> impl Iterator<Item = (usize, &Answer)> {
        let is_settled = |answer: &&Answer| match answer.outcome {
            Outcome::Value | Outcome::NotReached => true,
            // A service that answers nothing may be in order the next time.
            Outcome::Infeasible => self.evidence.pace().is_some(),
            Outcome::Inconclusive | Outcome::Void | Outcome::Outpaced => false,
        };
        let asks = self.asks.iter().enumerate();
        asks.filter(|(_, ask)| !ask.is_given_up)
            .filter_map(|(group, ask)| Some((group, ask.answer.as_ref()?)))
            .filter(move |(_, answer)| is_settled(answer))
    }

    /// What was spent since the last look went into the group that is worked on; what earlier sessions spent, into all alike.
    pub(super) fn account(&mut self) {
        let (now, sent) = (self.evidence.now, self.evidence.sent);
        let open = self.open();
        if let (Some((before, sent_before)), Some(open)) = (self.accounted, open) {
            let (time, requests) = &mut self.asks[open].spent;
            *time += now.saturating_sub(before);
            *requests += sent.saturating_sub(sent_before);
        }
        if self.accounted.is_none() {
            let began = self.evidence.started.unwrap_or(now);
            let groups = self.asks.len().max(1) as u64;
            let past = (now.saturating_sub(began) / groups, sent / groups);
            self.asks.iter_mut().for_each(|ask| ask.spent = past);
        }
        self.accounted = Some((now, sent));
    }

    /// A group whose turn has not come learns from what was seen for the others.
    fn catch_up(&mut self, group: usize) {
        if !self.warm || std::mem::replace(&mut self.asks[group].is_begun, true) {
            return;
        }
        let mut last = None;
        for _ in 0..self.evidence.dwells.len() + 64 {
            let seeker = &mut self.asks[group].seeker;
            let next = match last.take() {
                Some(dwell) => seeker.after(&self.evidence, dwell),
                None => seeker.begin(&self.evidence),
            };
            match next {
                Next::Settled(answer) => return self.settle(group, *answer),
                Next::Dwell(plan) => match self.shared(&plan, group) {
                    Some(dwell) => last = Some(dwell),
                    None => return,
                },
            }
        }
    }
}
