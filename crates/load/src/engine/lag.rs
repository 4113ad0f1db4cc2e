//! How late a worker comes back to what waits for it: a timer of the kernel that fires every few milliseconds has to
//! queue behind all streams that have just received something, as a socket read does.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use crestline_core::stats::Histogram;
use crestline_core::units::Nanos;

use super::pacer::Pacer;
use crate::clock::Clock;

/// Time between two looks.
const EVERY: Nanos = Nanos::from_millis(10);

/// The lags that were seen, in ns.
pub(crate) type Lags = Rc<RefCell<Histogram>>;

/// Watches the calling thread's runtime from now on.
pub(crate) fn watch(clock: Clock) -> io::Result<Lags> {
    let lags = Lags::default();
    let pacer = Pacer::new(clock)?;
    let seen = Rc::clone(&lags);
    tokio::task::spawn_local(async move {
        loop {
            let at = clock.now().saturating_add(EVERY);
            pacer.until(at).await;
            seen.borrow_mut().add(clock.now().saturating_sub(at).0);
        }
    });
    Ok(lags)
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, LocalOptions};

    use super::*;

    #[test]
    fn a_runtime_that_is_held_up_is_seen() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .unwrap();
        runtime.block_on(async {
            let lags = watch(Clock::start()).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            crate::clock::sleep(std::time::Duration::from_millis(40));
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            assert!(
                lags.borrow().max().unwrap() >= 25_000_000,
                "{:?}",
                lags.borrow().max()
            );
        });
    }
}
