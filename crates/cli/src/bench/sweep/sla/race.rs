//! `--prune`: server combinations are searched in turns, and each is stopped in the contests that another one certainly wins.
//!
//! Who has the next turn and who is out is for `core::search::race`; here servers are started for it, and what is known is
//! put down after each turn, so that a command that goes on finds the race where it was.

mod file;
mod shown;

use std::ops::Range;

use crestline_core::search::race::{Lost, Race, Seat, State, Turn};
use crestline_core::search::{Answer, Outcome};
use crestline_core::units::Nanos;
use crestline_load::clock;

use super::Gathered;
use super::combination::{AllFound, Combined, KeptAnswer};
use super::plan::{Method, SlaSweep};
use crate::bench::sweep::course::{Course, Halt};
use crate::bench::sweep::server::Host;
use crate::console;
use crate::problem::Problem;

/// A race of the server combinations of an experiment.
struct SlaRace<'a> {
    sla: &'a SlaSweep,
    /// Those of each server together.
    all: &'a [Vec<Combined<'a>>],
    /// Names of the benchmark combinations.
    benches: Vec<String>,
    state: Kept,
}

/// What a command that goes on has to know.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Kept {
    race: Race,
    /// Of each server in each contest, what its last turn came to.
    answers: Vec<Vec<Option<KeptAnswer>>>,
    /// Time of load of each server with each benchmark.
    spent: Vec<Vec<Nanos>>,
}

/// Races the servers; what is found is gathered however it ends.
pub(super) fn run(
    course: &mut Course<'_>,
    sla: &SlaSweep,
    all: &[Vec<Combined<'_>>],
    gathered: &mut Gathered,
) -> Result<(), Halt> {
    let mut race = SlaRace::open(sla, all)?;
    let raced = race.go_on(course);
    race.gather(gathered)?;
    race.write()?;
    console::say(&race.summary());
    raced
}

impl<'a> SlaRace<'a> {
    /// Begins a race, or goes on with that of an earlier command.
    fn open(sla: &'a SlaSweep, all: &'a [Vec<Combined<'a>>]) -> Result<Self, Problem> {
        let mut benches: Vec<String> = Vec::new();
        for combined in all.iter().flatten() {
            let name = combined.bench();
            if !benches.contains(&name) {
                benches.push(name);
            }
        }
        let contests = benches.len() * sla.slas.len();
        let present = |server: &Vec<Combined<'_>>| -> Vec<bool> {
            let has = |bench: &String| server.iter().any(|combined| combined.bench() == *bench);
            let each = benches.iter().map(has);
            each.flat_map(|has| vec![has; sla.slas.len()]).collect()
        };
        let present: Vec<Vec<bool>> = all.iter().map(present).collect();
        let Method::Crest { confidence, .. } = sla.method else {
            unreachable!("only sessions are raced")
        };
        let mut race = Self {
            state: Kept {
                race: Race::new(&present, confidence),
                answers: vec![vec![None; contests]; all.len()],
                spent: vec![vec![Nanos::ZERO; benches.len()]; all.len()],
            },
            benches,
            sla,
            all,
        };
        if sla.sweep.is_resumed {
            match race.read()? {
                Some(kept) => race.state = kept,
                None => race.take_over()?,
            }
        }
        Ok(race)
    }

    /// Takes over the answers of a command that did not race.
    fn take_over(&mut self) -> Result<(), Problem> {
        for (lane, server) in self.all.iter().enumerate() {
            for combined in server {
                let Some(all) = combined.find()? else {
                    continue;
                };
                combined.say_found(&all);
                for (contest, found) in self.contests(combined).zip(all.answers) {
                    self.state.race.found(lane, contest, &found.answer);
                    self.state.answers[lane][contest] = Some(KeptAnswer {
                        answer: found.answer,
                        tokens_per_s: found.tokens_per_s,
                    });
                }
            }
        }
        Ok(())
    }

    fn bench_place(&self, combined: &Combined<'_>) -> usize {
        let name = combined.bench();
        let place = self.benches.iter().position(|bench| *bench == name);
        place.expect("all benchmarks have their place")
    }

    /// One for each SLA.
    fn contests(&self, combined: &Combined<'_>) -> Range<usize> {
        let from = self.bench_place(combined) * self.sla.slas.len();
        from..from + self.sla.slas.len()
    }

    fn go_on(&mut self, course: &mut Course<'_>) -> Result<(), Halt> {
        while let Some(turn) = self.state.race.next() {
            self.turn(course, turn)?;
            self.write()?;
        }
        Ok(())
    }

    /// Starts a server and searches on it. One that fails is out of the race.
    fn turn(&mut self, course: &mut Course<'_>, turn: Turn) -> Result<(), Halt> {
        console::say(&self.turn_begins(turn));
        let server = self.all[turn.lane].first().map(|first| first.server);
        let server = server.expect("a server in the race has a benchmark");
        let began = clock::monotonic();
        let mut took = None;
        course.on_server(server, &mut |course, host| {
            let start = clock::monotonic().saturating_sub(began);
            self.state.race.started(start);
            took = self.searches(course, host, turn)?;
            Ok(())
        })?;
        match took {
            Some(took) => self.state.race.turn_over(turn.lane, took),
            None => self.state.race.withdraw(turn.lane),
        }
        Ok(())
    }

    /// The searches of a server for a turn. Gives their mean time of load; `None` where one of them failed.
    fn searches(
        &mut self,
        course: &mut Course<'_>,
        host: &mut Host,
        turn: Turn,
    ) -> Result<Option<Nanos>, Halt> {
        let (lane, all) = (turn.lane, self.all);
        let mut times = Vec::new();
        for combined in &all[lane] {
            let contests = self.contests(combined);
            let places = &self.state.race.lanes()[lane].places[contests.clone()];
            let was_open: Vec<bool> = places
                .iter()
                .map(|place| place.state == State::Open)
                .collect();
            if !was_open.contains(&true) {
                continue;
            }
            let mut seat = Seat::new(lane, contests.clone(), turn.slice);
            let why = self.why();
            let race = &mut self.state.race;
            let turned = combined.turn(course, host, &mut |search, spent| {
                race.look(&mut seat, search, spent, &why)
            })?;
            let Some(turned) = turned else {
                return Ok(None);
            };
            times.push(seat.lasted().as_secs_f64());
            let bench = self.bench_place(combined);
            self.state.spent[lane][bench] = turned.spent;
            let new = contests.zip(turned.answers).zip(was_open);
            for ((contest, answer), _) in new.filter(|(_, was_open)| *was_open) {
                self.state.answers[lane][contest] = Some(answer);
            }
            console::say(&self.stands(lane, combined));
        }
        let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
        Ok(Some(Nanos::from_secs_f64(mean)))
    }

    /// Why a server is out of a contest, in words.
    fn why(&self) -> impl Fn(&Lost) -> String + use<> {
        let names: Vec<String> = (0..self.all.len()).map(|lane| self.name(lane)).collect();
        let variable = self.sla.counted_in();
        move |lost| shown::why(lost, &names[lost.to], variable)
    }

    fn name(&self, lane: usize) -> String {
        let server = self.all[lane].first().map(|first| first.server);
        match server.map(|server| server.parameters.name()) {
            Some(name) if !name.is_empty() => name,
            _ => "default".to_owned(),
        }
    }

    /// Puts the last word on each search into its files, and hands all of it over.
    fn gather(&mut self, gathered: &mut Gathered) -> Result<(), Problem> {
        let why = self.why();
        for (lane, server) in self.all.iter().enumerate() {
            for combined in server {
                let mut all = AllFound::default();
                let contests = self.contests(combined);
                for (place, contest) in contests.clone().enumerate() {
                    let Some(kept) = &mut self.state.answers[lane][contest] else {
                        continue;
                    };
                    let answer = std::slice::from_mut(&mut kept.answer);
                    self.state
                        .race
                        .amend(lane, contest..contest + 1, answer, &why);
                    if kept.answer.load.is_none() {
                        kept.tokens_per_s = None;
                    }
                    let (found, rows) = combined.amended(place, kept.clone())?;
                    all.rows.extend(rows);
                    all.answers.push(found);
                }
                let places = &self.state.race.lanes()[lane].places[contests];
                let is_done = places
                    .iter()
                    .all(|place| matches!(place.state, State::Done(_)));
                if is_done && all.answers.iter().all(|found| is_final(&found.answer)) {
                    combined.keep(&all)?;
                }
                gathered.add(all);
            }
        }
        Ok(())
    }
}

/// A command without a race would come to the same.
fn is_final(answer: &Answer) -> bool {
    answer.outcome != Outcome::Outpaced
}
