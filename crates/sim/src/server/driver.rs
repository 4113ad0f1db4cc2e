//! Drives the engine on the real clock.
//!
//! Knows no connection: what an iteration brings goes to [`Service::publish`].

use std::io;

use crestline_core::units::Nanos;

use super::clock::{Alarm, now};
use super::service::Service;

/// Lateness up to which the next iteration begins where the last was planned to end, so that single delays do not add up.
/// Beyond it the schedule moves, and that is counted: iterations never pile up.
const CATCH_UP: Nanos = Nanos::from_millis(20);

/// Runs iterations for ever.
pub(super) async fn drive(service: &Service) -> io::Result<()> {
    let alarm = Alarm::new()?;
    let mut progress = Vec::new();
    let mut start = now();
    loop {
        let begun = service.state.borrow_mut().engine.begin(start);
        let Some(end) = begun else {
            service.work.notified().await;
            start = now();
            continue;
        };
        alarm.until(end).await?;
        progress.clear();
        service.state.borrow_mut().engine.finish(&mut progress);
        start = next_start(service, end);
        service.publish(&progress);
    }
}

/// When the next iteration begins, given when the last one was to end.
fn next_start(service: &Service, end: Nanos) -> Nanos {
    let now = now();
    let late = now.saturating_sub(end);
    let metrics = &mut service.state.borrow_mut().metrics;
    metrics.lateness.record(late);
    if late <= CATCH_UP {
        return end;
    }
    metrics.slips += 1;
    metrics.slipped += late;
    now
}
