//! `race.json`: what is known of each configuration, why some were stopped, and what a command that goes on needs.

use crestline_core::search::race::{Lost, Place, Reach, State};
use serde_json::{Value, json};

use super::{Kept, SlaRace};
use crate::bench::sweep::layout;
use crate::bench::sweep::results;
use crate::console;
use crate::problem::Problem;

/// Version of the file. Fields may be added within a version; none changes its meaning.
const VERSION: u32 = 1;

impl SlaRace<'_> {
    /// What an earlier command left, where its race was the same.
    pub(super) fn read(&self) -> Result<Option<Kept>, Problem> {
        let path = layout::race(&self.sla.sweep.experiment);
        let Some(found) = results::read(&path)? else {
            return Ok(None);
        };
        let kept = serde_json::from_value::<Kept>(found["state"].clone()).ok();
        let kept = kept.filter(|_| found["made_by"] == self.made_by());
        if kept.is_none() {
            console::tell(&format!(
                "note: {} is of a race that was run otherwise: this one begins anew, with the searches that fit",
                path.display()
            ));
        }
        Ok(kept)
    }

    /// Puts down how the race stands.
    pub(super) fn write(&self) -> Result<(), Problem> {
        let race = &self.state.race;
        let contests = self.benches.iter().enumerate().flat_map(|(bench, name)| {
            let slas = self.sla.slas.iter().enumerate();
            slas.map(move |(place, sla)| {
                let contest = bench * self.sla.slas.len() + place;
                json!({
                    "bench": name,
                    "sla": sla.shown(),
                    "configurations": self.standings(contest),
                })
            })
        });
        let document = json!({
            "format": "crestline_sweep_race",
            "version": VERSION,
            "variable": self.sla.variable.name(),
            "bound_error": race.tail(),
            "load_time_s": self.load_time().as_secs_f64(),
            "saved_s": race.saved().as_secs_f64(),
            "contests": contests.collect::<Vec<_>>(),
            "made_by": self.made_by(),
            "state": self.state,
        });
        results::write(&layout::race(&self.sla.sweep.experiment), &document)
    }

    fn standings(&self, contest: usize) -> Vec<Value> {
        let lanes = self.state.race.lanes().iter().enumerate();
        lanes
            .map(|(lane, standing)| {
                let place = &standing.places[contest];
                json!({
                    "serve": self.name(lane),
                    "status": status(place),
                    "load_time_s": place.spent.as_secs_f64(),
                    "low": low(&place.reach),
                    "high": place.reach.high,
                    "stopped": match &place.state {
                        State::Out(lost) => self.stopped(lost),
                        _ => Value::Null,
                    },
                })
            })
            .collect()
    }

    fn stopped(&self, lost: &Lost) -> Value {
        json!({
            "after_s": lost.after.as_secs_f64(),
            "high": lost.own.high,
            "better": self.name(lost.to),
            "better_low": lost.best.low,
        })
    }

    /// What must be the same for a race to go on.
    fn made_by(&self) -> Value {
        let servers = self.all.iter().map(|server| {
            let identities = server.iter().map(super::Combined::identity);
            identities.collect::<Vec<_>>()
        });
        json!(servers.collect::<Vec<_>>())
    }
}

fn status(place: &Place) -> Value {
    match &place.state {
        State::Absent => "absent".into(),
        State::Open => "open".into(),
        State::Done(outcome) => json!(outcome),
        State::Out(_) => "stopped".into(),
    }
}

/// Nothing is known below the first bound.
fn low(reach: &Reach) -> Option<f64> {
    (reach.low > 0.0).then_some(reach.low)
}
