//! A race in words: whose turn it is, how it stands, who was stopped and what that saved.

use crestline_core::search::Variable;
use crestline_core::search::race::{Lost, Place, Reach, Slice, State, Turn};
use crestline_core::units::Nanos;
use crestline_report::number::significant;
use crestline_report::search_tables::{load_name, load_text};
use crestline_report::table::{Align, Style, Table};

use super::super::answers;
use super::super::combination::Combined;
use super::SlaRace;

/// Why a configuration is out.
pub(super) fn why(lost: &Lost, better: &str, variable: Variable) -> String {
    let own = lost.own.high.unwrap_or_default();
    format!(
        "it serves at most {}, and {better} at least {}",
        load_name(variable, own),
        load_text(variable, lost.best.low)
    )
}

impl SlaRace<'_> {
    /// The line before a turn.
    pub(super) fn turn_begins(&self, turn: Turn) -> String {
        let how_long = match turn.slice {
            Slice::Scout(_) => "until there is an upper bound for each SLA",
            Slice::Lead(_) => "as long as it may be the best for an SLA",
        };
        let number = self.state.race.lanes()[turn.lane].turns + 1;
        format!("[RACE] {}: turn {number}, {how_long}", self.name(turn.lane))
    }

    /// What is known after a turn.
    pub(super) fn stands(&self, lane: usize, combined: &Combined<'_>) -> String {
        let contests = self.contests(combined);
        let lines = contests.zip(&self.sla.slas).map(|(contest, sla)| {
            let place = &self.state.race.lanes()[lane].places[contest];
            format!("{}: {}", sla.shown(), self.standing(place))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn standing(&self, place: &Place) -> String {
        let known = known(&place.reach, self.sla.counted_in());
        match &place.state {
            State::Absent => "not in the race".to_owned(),
            State::Open => format!("{known} so far"),
            State::Done(outcome) => format!("{known}; {}", answers::verdict(*outcome)),
            State::Out(lost) => format!("stopped: {}", self.why()(lost)),
        }
    }

    /// Time of load of all searches.
    pub(super) fn load_time(&self) -> Nanos {
        let all = self.state.spent.iter().flatten();
        all.fold(Nanos::ZERO, |sum, spent| sum + *spent)
    }

    /// Who was stopped, when and why, and what that saved.
    pub(super) fn summary(&self) -> String {
        let lanes = self.state.race.lanes();
        let places = || lanes.iter().flat_map(|lane| &lane.places);
        let searches = places()
            .filter(|place| place.state != State::Absent)
            .count();
        let stopped = places()
            .filter(|place| matches!(place.state, State::Out(_)))
            .count();
        let load = self.load_time();
        if stopped == 0 {
            return format!(
                "Race: none of {searches} searches was stopped early, in {} of load\n",
                seconds(load)
            );
        }
        let saved = self.state.race.saved();
        let whole = (load + saved).as_secs_f64();
        let share = 100.0 * saved.as_secs_f64() / whole.max(1e-9);
        format!(
            "Race: {stopped} of {searches} searches were stopped early, after {} of load in all. About {} ({share:.0} %) were \
             saved, if each would have taken as long as those for the same SLA that ended.\n{}",
            seconds(load),
            seconds(saved),
            self.stopped_table()
        )
    }

    fn stopped_table(&self) -> String {
        let mut table = Table::new(Style::Grid);
        for (head, align) in [
            ("Stopped", Align::Left),
            ("SLA", Align::Left),
            ("After", Align::Right),
            ("At most", Align::Right),
            ("Better", Align::Left),
            ("At least", Align::Right),
        ] {
            table = table.column(head, align);
        }
        let variable = self.sla.counted_in();
        for (lane, standing) in self.state.race.lanes().iter().enumerate() {
            for (contest, place) in standing.places.iter().enumerate() {
                let State::Out(lost) = &place.state else {
                    continue;
                };
                table.row([
                    self.name(lane),
                    self.contest(contest),
                    seconds(lost.after),
                    load_name(variable, lost.own.high.unwrap_or_default()),
                    self.name(lost.to),
                    load_name(variable, lost.best.low),
                ]);
            }
        }
        table.render()
    }

    fn contest(&self, contest: usize) -> String {
        let slas = &self.sla.slas;
        let (bench, sla) = (
            &self.benches[contest / slas.len()],
            &slas[contest % slas.len()],
        );
        if bench.is_empty() {
            sla.shown()
        } else {
            format!("{} with {bench}", sla.shown())
        }
    }
}

fn known(reach: &Reach, variable: Variable) -> String {
    let low = load_text(variable, reach.low);
    match reach.high {
        Some(high) if reach.low > 0.0 => format!("{low} to {}", load_name(variable, high)),
        Some(high) => format!("at most {}", load_name(variable, high)),
        None if reach.low > 0.0 => format!("at least {}", load_name(variable, reach.low)),
        None => "nothing is known".to_owned(),
    }
}

fn seconds(time: Nanos) -> String {
    format!("{} s", significant(time.as_secs_f64(), 3))
}
