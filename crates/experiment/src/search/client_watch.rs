//! Whether the client keeps up while a search goes on: judged window by window, so that one hiccup of the machine voids
//! nothing and a lasting bottleneck does.
//!
//! Measures nothing itself, and does not know what a void load means for the search.

use crestline_core::health::{ClientHealth, HealthVerdict};
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;

/// Length of a window; processor use is not judged in less.
const WINDOW: Nanos = Nanos::from_millis(1200);

/// Windows in a row in which the client must fall behind.
const WINDOWS: u32 = 2;

/// Requests at a load from which their median latency can be told, which lags are compared with.
const LEAST_REQUESTS: u64 = 10;

/// The client's health in the course of a search.
#[derive(Debug, Default)]
pub(super) struct ClientWatch {
    /// Of the whole search.
    total: ClientHealth,
    window: ClientHealth,
    began: Option<Nanos>,
    void_in_a_row: u32,
}

impl ClientWatch {
    /// Takes over what the client observed since the last time.
    pub(super) fn take(&mut self, part: ClientHealth) {
        absorb(&mut self.window, part);
    }

    /// Judges the client against the requests at the present load. Gives why it was the bottleneck, where it was for several
    /// windows in a row.
    pub(super) fn judge(&mut self, now: Nanos, present: &RunSummary) -> Option<String> {
        let began = *self.began.get_or_insert(now);
        if now.saturating_sub(began) < WINDOW {
            return None;
        }
        let is_idle = self.window.pace.sends == 0;
        if is_idle || present.total() < LEAST_REQUESTS {
            return None;
        }
        let verdict = self.window.verdict(present);
        self.close_window(now);
        match verdict {
            HealthVerdict::Sound => {
                self.void_in_a_row = 0;
                None
            }
            HealthVerdict::Void(reasons) => {
                self.void_in_a_row += 1;
                if self.void_in_a_row < WINDOWS {
                    return None;
                }
                self.void_in_a_row = 0;
                reasons.first().map(ToString::to_string)
            }
        }
    }

    fn close_window(&mut self, now: Nanos) {
        self.began = Some(now);
        absorb(&mut self.total, std::mem::take(&mut self.window));
    }

    /// Of the whole search.
    pub(super) fn total(mut self) -> ClientHealth {
        absorb(&mut self.total, self.window);
        self.total
    }
}

/// Adds what was observed later. The processor time of workers is added up, so that there stays one entry for each: merged
/// as shards of a run, every part would bring workers of its own; and likewise of machines.
pub(super) fn absorb(all: &mut ClientHealth, mut part: ClientHealth) {
    let workers = std::mem::take(&mut part.workers);
    let nodes = std::mem::take(&mut part.nodes);
    all.merge(part);
    for more in nodes {
        match all.nodes.iter_mut().find(|node| node.name == more.name) {
            Some(node) => {
                node.requests += more.requests;
                node.clock = more.clock;
                node.lost = node.lost.take().or(more.lost);
                absorb(&mut node.health, more.health);
            }
            None => all.nodes.push(more),
        }
    }
    for (place, more) in workers.into_iter().enumerate() {
        match all.workers.get_mut(place) {
            Some(worker) => {
                worker.cpu += more.cpu;
                worker.wall += more.wall;
            }
            None => all.workers.push(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crestline_core::health::{ClockFit, NodeHealth, WorkerUse};
    use crestline_core::record::{Phase, RequestRecord};
    use crestline_core::request::{Load, LoadPoint};

    use super::*;

    /// Requests of 100 ms.
    fn present(requests: u64) -> RunSummary {
        let mut run = RunSummary::new(LoadPoint {
            load: Load::closed(NonZeroU32::new(4).unwrap()),
            requests: 0,
            warmup: 0,
            duration: None,
        });
        for index in 0..requests {
            run.add(&RequestRecord {
                end: Nanos::from_millis(100),
                ..RequestRecord::new(index, Phase::Measured)
            });
        }
        run
    }

    /// So many requests, each sent so late.
    fn health(lag: Nanos) -> ClientHealth {
        let mut health = ClientHealth::default();
        for index in 0..30 {
            health.add(&RequestRecord {
                sent: lag,
                ..RequestRecord::new(index, Phase::Measured)
            });
        }
        health
    }

    /// Judges after one window each; late ones are true.
    fn judged(windows: &[bool]) -> Vec<bool> {
        let mut watch = ClientWatch::default();
        let run = present(50);
        assert!(watch.judge(Nanos::ZERO, &run).is_none());
        let mut now = Nanos::ZERO;
        windows
            .iter()
            .map(|late| {
                now += WINDOW;
                watch.take(health(if *late {
                    Nanos::from_millis(80)
                } else {
                    Nanos::ZERO
                }));
                watch.judge(now, &run).is_some()
            })
            .collect()
    }

    #[test]
    fn one_hiccup_is_forgiven_and_a_lasting_bottleneck_is_not() {
        assert_eq!(judged(&[true, false, true, false]), [false; 4]);
        assert_eq!(judged(&[false, true, true]), [false, false, true]);
        assert_eq!(
            judged(&[true, true, true]),
            [false, true, false],
            "it begins anew after it was told"
        );
    }

    #[test]
    fn nothing_is_judged_before_latencies_are_known() {
        let mut watch = ClientWatch::default();
        for seconds in 0..9 {
            watch.take(health(Nanos::from_secs(1)));
            let told = watch.judge(Nanos::from_secs(seconds), &present(LEAST_REQUESTS - 1));
            assert_eq!(told, None);
        }
    }

    /// From two machines, of which one was late.
    fn from_two(lag: Nanos) -> ClientHealth {
        let mut all = ClientHealth::default();
        for (name, lag) in [("near", Nanos::ZERO), ("far", lag)] {
            all.merge_node(NodeHealth {
                name: name.to_owned(),
                requests: 30,
                health: health(lag),
                clock: ClockFit::default(),
                lost: None,
            });
        }
        all
    }

    #[test]
    fn a_machine_that_falls_behind_is_named_and_machines_stay_as_many_as_there_are() {
        let mut watch = ClientWatch::default();
        let run = present(50);
        assert!(watch.judge(Nanos::ZERO, &run).is_none());
        let mut now = Nanos::ZERO;
        let mut said = Vec::new();
        for _ in 0..2 {
            now += WINDOW;
            watch.take(from_two(Nanos::from_millis(80)));
            said.extend(watch.judge(now, &run));
        }
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("far: requests were sent late"),
            "{said:?}"
        );
        let total = watch.total();
        let requests: Vec<u64> = total.nodes.iter().map(|node| node.requests).collect();
        assert_eq!(requests, [60, 60]);
        assert_eq!(total.nodes[1].health.pace.sends, 60);
        assert_eq!(total.pace.sends, 120);
    }

    #[test]
    fn workers_stay_as_many_as_there_are() {
        let mut watch = ClientWatch::default();
        let used = |millis| WorkerUse {
            cpu: Nanos::from_millis(millis),
            wall: Nanos::from_secs(1),
        };
        for now in 0..3 {
            watch.take(ClientHealth {
                workers: vec![used(100), used(900)],
                ..ClientHealth::default()
            });
            watch.close_window(Nanos::from_secs(now));
        }
        let workers = watch.total().workers;
        assert_eq!(workers.len(), 2);
        assert_eq!(workers[1].cpu, Nanos::from_millis(2700));
        assert_eq!(workers[1].wall, Nanos::from_secs(3));
    }
}
