//! One search of a configuration while it has its turn: which of its groups are out, and when the turn is over.

use std::ops::{ControlFlow, Range};

use super::super::run::Search;
use super::{Lost, Race, State};
use crate::units::Nanos;

/// How long a search goes on in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// Until there is an upper bound for each of its groups, and at least so long.
    Scout(Nanos),
    /// As long as one of its contests is led, and at least so long.
    Lead(Nanos),
}

/// A search that has its turn.
#[derive(Debug, Clone)]
pub struct Seat {
    lane: usize,
    /// The contests of its groups.
    contests: Range<usize>,
    slice: Slice,
    /// Time of load of the search when the turn began, and at the last look.
    began: Option<Nanos>,
    last: Nanos,
}

impl Seat {
    /// Of a search that answers a group for each of these contests, in their order.
    pub fn new(lane: usize, contests: Range<usize>, slice: Slice) -> Self {
        Self {
            lane,
            contests,
            slice,
            began: None,
            last: Nanos::ZERO,
        }
    }

    /// Time of load in this turn.
    pub fn lasted(&self) -> Nanos {
        self.last.saturating_sub(self.began.unwrap_or(self.last))
    }
}

impl Race {
    /// Looks at a search that has its turn; `spent` is its time of load, that of earlier turns included. Stops groups that
    /// are out, and breaks where the turn is over. `why` puts into words why a group is out.
    pub fn look(
        &mut self,
        seat: &mut Seat,
        search: &mut Search,
        spent: Nanos,
        why: &dyn Fn(&Lost) -> String,
    ) -> ControlFlow<String> {
        self.account(seat, search, spent);
        for group in 0..seat.contests.len() {
            self.judge(seat, search, group, why);
        }
        let Some(open) = search.open() else {
            return ControlFlow::Continue(());
        };
        let answers = search.answers();
        let is_wanted = |group: &usize| {
            let contest = seat.contests.start + group;
            let is_open = answers[*group].is_none();
            is_open
                && match seat.slice {
                    Slice::Scout(_) => !self.lanes[seat.lane].places[contest].reach.is_bounded(),
                    Slice::Lead(_) => self.leads(seat.lane, contest),
                }
        };
        let (Slice::Scout(least) | Slice::Lead(least)) = seat.slice;
        let wanted = (0..seat.contests.len()).find(is_wanted);
        match wanted {
            Some(_) if is_wanted(&open) => ControlFlow::Continue(()),
            Some(wanted) => {
                search.focus(wanted);
                ControlFlow::Continue(())
            }
            None if seat.lasted() < least => ControlFlow::Continue(()),
            None => ControlFlow::Break("its turn is over".to_owned()),
        }
    }

    /// Time since the last look went into the group that is worked on.
    fn account(&mut self, seat: &mut Seat, search: &Search, spent: Nanos) {
        let last = seat.began.map_or(spent, |_| seat.last);
        seat.began.get_or_insert(spent);
        seat.last = spent;
        if let Some(open) = search.open() {
            let place = &mut self.lanes[seat.lane].places[seat.contests.start + open];
            place.spent += spent.saturating_sub(last);
        }
    }

    fn judge(
        &mut self,
        seat: &Seat,
        search: &mut Search,
        group: usize,
        why: &dyn Fn(&Lost) -> String,
    ) {
        let contest = seat.contests.start + group;
        if self.lanes[seat.lane].places[contest].state == State::Absent {
            return;
        }
        let reach = search.reach(group, self.tail);
        let outcome = search.answers()[group].map(|answer| answer.outcome);
        let place = &mut self.lanes[seat.lane].places[contest];
        match (outcome, &place.state) {
            (Some(outcome), State::Open) => {
                place.reach = reach;
                place.state = State::Done(outcome);
            }
            (None, State::Out(lost)) => search.outpace(group, &why(lost)),
            // Its budget was used up in an earlier turn.
            (None, State::Done(_)) => {
                search.give_up_group(group, "nothing more may be spent on it");
            }
            (None, State::Open) => {
                if let Some(lost) = self.hold_against_the_best(seat.lane, contest, reach) {
                    search.outpace(group, &why(&lost));
                }
            }
            _ => {}
        }
    }
}
