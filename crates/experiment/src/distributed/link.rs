//! The two ends of a link between the coordinator and one worker.
//!
//! Carries whole frames in order, and says when the other side is gone. Knows nothing of what is in them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Frames that may wait on a link that nobody takes from, in each direction: what a transport should have room for.
pub const FRAMES_ON_THE_WAY: usize = 64;

/// Why a transport carries no more frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone(pub String);

/// A frame, or the last word of a transport.
pub type Delivery = Result<Vec<u8>, Gone>;

/// One end of a link; the coordinator and the worker have one each.
///
/// A transport that ends says why, where it knows, by a [`Gone`] before it drops its sender; a sender that is dropped without
/// a word means that the other side is gone too. Dropping an end tells the transport that nothing more will come.
#[derive(Debug)]
pub struct Link {
    /// What the user knows the machine at the other end by: a host name, an address.
    pub name: String,
    /// Frames to the other side.
    pub to: SyncSender<Vec<u8>>,
    /// Frames from the other side.
    pub from: Receiver<Delivery>,
}

/// The transport's side of an end: what it takes away, and where it brings what came.
#[derive(Debug)]
pub struct Carrier {
    /// Frames to carry to the other side.
    pub outgoing: Receiver<Vec<u8>>,
    /// Where frames from the other side go.
    pub incoming: SyncSender<Delivery>,
}

impl Link {
    /// An end, and what a transport needs to serve it.
    pub fn carried(name: impl Into<String>) -> (Self, Carrier) {
        let (to, outgoing) = sync_channel(FRAMES_ON_THE_WAY);
        let (incoming, from) = sync_channel(FRAMES_ON_THE_WAY);
        let link = Self {
            name: name.into(),
            to,
            from,
        };
        (link, Carrier { outgoing, incoming })
    }

    /// Both ends of a link inside this process: the coordinator's, and the worker's.
    pub fn joined(name: &str) -> (Self, Self) {
        let (near, there) = Self::carried(name);
        let (far, back) = Self::carried("coordinator");
        for (from, to) in [
            (there.outgoing, back.incoming),
            (back.outgoing, there.incoming),
        ] {
            // Ends with either end of the link.
            thread::spawn(
                move || while from.recv().is_ok_and(|frame| to.send(Ok(frame)).is_ok()) {},
            );
        }
        (near, far)
    }
}
