//! Workers and the threads that carry frames to and from them.
//!
//! Looks into no frame. A link ends with the reason that its worker's transport gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crestline_experiment::distributed::link::{Carrier, Delivery, Gone, Link};

use super::Remote;

/// How long a worker is waited for at most, before it is looked up whether anyone still wants to hear it.
const WAIT: Duration = Duration::from_secs(1);

/// Workers that are started, until they are let go.
pub(crate) struct Crew {
    links: Vec<Link>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Begins to carry frames.
    pub(super) fn of(remotes: Vec<Arc<dyn Remote>>) -> Self {
        let mut crew = Self {
            links: Vec::new(),
            threads: Vec::new(),
        };
        for remote in remotes {
            let (link, carrier) = Link::carried(remote.name());
            crew.links.push(link);
            crew.threads.extend(carry(&remote, carrier));
        }
        crew
    }

    /// The coordinator's ends. Dropping them lets the workers go.
    pub(crate) fn take_links(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.links)
    }
}

impl Drop for Crew {
    /// Waits until the workers are ended, so that nothing of them is used after this.
    fn drop(&mut self) {
        self.links.clear();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

fn carry(remote: &Arc<dyn Remote>, carrier: Carrier) -> [JoinHandle<()>; 2] {
    let ended = Arc::new(AtomicBool::new(false));
    let Carrier { outgoing, incoming } = carrier;
    let there = {
        let (remote, ended, incoming) = (Arc::clone(remote), Arc::clone(&ended), incoming.clone());
        thread::spawn(move || bring_there(&*remote, &outgoing, &incoming, &ended))
    };
    let remote = Arc::clone(remote);
    let back = thread::spawn(move || bring_back(&*remote, &incoming, &ended));
    [there, back]
}

/// Takes what the coordinator says to the worker until it says no more, and ends the worker then.
fn bring_there(
    remote: &dyn Remote,
    outgoing: &Receiver<Vec<u8>>,
    incoming: &SyncSender<Delivery>,
    ended: &AtomicBool,
) {
    while let Ok(first) = outgoing.recv() {
        let frames = std::iter::once(first).chain(outgoing.try_iter()).collect();
        if let Err(why) = remote.send(frames) {
            // The other thread says it too; who comes first is heard.
            drop(incoming.try_send(Err(Gone(why))));
            break;
        }
    }
    ended.store(true, Ordering::Relaxed);
    remote.close();
}

/// Takes what the worker says to the coordinator while someone there listens.
fn bring_back(remote: &dyn Remote, incoming: &SyncSender<Delivery>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        match remote.receive(WAIT) {
            Ok(frames) => {
                for frame in frames {
                    if incoming.send(Ok(frame)).is_err() {
                        return;
                    }
                }
            }
            Err(why) => {
                drop(incoming.send(Err(Gone(why))));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};

    use super::*;

    /// Gives its frames back, until it is closed or told to die.
    struct Echo {
        to: Mutex<std::sync::mpsc::Sender<Vec<u8>>>,
        from: Mutex<Receiver<Vec<u8>>>,
        closed: AtomicBool,
    }

    impl Echo {
        fn new() -> Arc<Self> {
            let (to, from) = channel();
            Arc::new(Self {
                to: Mutex::new(to),
                from: Mutex::new(from),
                closed: AtomicBool::new(false),
            })
        }
    }

    impl Remote for Echo {
        fn name(&self) -> String {
            "10.0.0.2/3fa9c1".to_owned()
        }

        fn send(&self, frames: Vec<Vec<u8>>) -> Result<(), String> {
            if frames.iter().any(|frame| frame == b"die") {
                return Err("its process has died".to_owned());
            }
            for frame in frames {
                self.to.lock().unwrap().send(frame).unwrap();
            }
            Ok(())
        }

        fn receive(&self, wait: Duration) -> Result<Vec<Vec<u8>>, String> {
            if self.closed.load(Ordering::Relaxed) {
                return Err("it was ended".to_owned());
            }
            match self
                .from
                .lock()
                .unwrap()
                .recv_timeout(wait.min(Duration::from_millis(5)))
            {
                Ok(frame) => Ok(vec![frame]),
                Err(RecvTimeoutError::Timeout) => Ok(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => Err("it is gone".to_owned()),
            }
        }

        fn close(&self) {
            self.closed.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn frames_go_there_and_come_back_in_order() {
        let echo = Echo::new();
        let mut crew = Crew::of(vec![echo.clone()]);
        let links = crew.take_links();
        assert_eq!(links[0].name, "10.0.0.2/3fa9c1");
        for number in 0..200_u8 {
            links[0].to.send(vec![number; 3]).unwrap();
            assert_eq!(links[0].from.recv().unwrap(), Ok(vec![number; 3]));
        }
        assert!(!echo.closed.load(Ordering::Relaxed));
        drop(links);
        drop(crew);
        assert!(echo.closed.load(Ordering::Relaxed));
    }

    #[test]
    fn a_worker_that_is_gone_is_heard_with_the_reason() {
        let echo = Echo::new();
        let mut crew = Crew::of(vec![echo]);
        let links = crew.take_links();
        links[0].to.send(b"die".to_vec()).unwrap();
        let gone = Err(Gone("its process has died".to_owned()));
        assert_eq!(links[0].from.recv().unwrap(), gone);
    }

    #[test]
    fn workers_that_nobody_speaks_to_are_ended() {
        let echo = Echo::new();
        drop(Crew::of(vec![echo.clone()]));
        assert!(echo.closed.load(Ordering::Relaxed));
    }

    #[test]
    fn a_coordinator_that_hears_no_more_holds_nobody_up() {
        let (to, outgoing) = sync_channel(1);
        let (incoming, from) = sync_channel(1);
        let echo = Echo::new();
        echo.send(vec![vec![1], vec![2], vec![3]]).unwrap();
        let remote: Arc<dyn Remote> = echo.clone();
        let threads = carry(&remote, Carrier { outgoing, incoming });
        assert_eq!(from.recv().unwrap(), Ok(vec![1]));
        drop(from);
        drop(to);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(echo.closed.load(Ordering::Relaxed));
    }
}
