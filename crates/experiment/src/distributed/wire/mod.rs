//! What a coordinator and its workers say to each other, as bytes.
//!
//! A frame begins with a byte that says what it is. Records and lists of requests in flight have a form of their own, since
//! they are nearly all of the traffic; everything else is JSON. Whoever reads believes nothing: bytes come from outside.

mod bytes;
mod in_flight;
mod message;
mod plan;
mod record_frame;

pub use message::{Beside, Frame, Heard, Hello, Opening, Order, Report};
pub use plan::WirePlan;
pub use record_frame::{RecordWriter, read_records};

/// Of the form of all frames; one more with each change that an older side would not understand.
pub const PROTOCOL: u32 = 1;

/// Bytes that are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It has no first byte, or one that nothing is known by.
    #[error("a frame of an unknown kind")]
    Kind,
    /// It ends too early, or has something that cannot be.
    #[error("a frame of {0} that is damaged")]
    Damaged(&'static str),
    /// A message that is not understood.
    #[error("a message that is not understood: {0}")]
    Message(String),
}

/// How many records were handed over, and a number that depends on every byte of them: both sides count, and compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// Records.
    pub records: u64,
    /// Of the frames that they came in, in order.
    pub check: u64,
}

impl Receipt {
    /// A frame with so many records was sent, or has come.
    pub fn add(&mut self, records: u64, frame: &[u8]) {
        self.records += records;
        let mut check = self.check ^ frame.len() as u64;
        let (words, rest) = frame.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        for word in words.iter().chain([&last]) {
            // Multiplication by an odd number loses nothing, and the turn brings high bits down.
            check = (check ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29);
        }
        self.check = check;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_tells_frames_that_were_lost_doubled_swapped_or_changed() {
        let receipt = |frames: &[&[u8]]| {
            let mut receipt = Receipt::default();
            for frame in frames {
                receipt.add(1, frame);
            }
            receipt
        };
        let (one, two) = (b"first frame".as_slice(), b"second one".as_slice());
        let right = receipt(&[one, two]);
        assert_eq!(right, receipt(&[one, two]));
        for wrong in [
            receipt(&[one]),
            receipt(&[one, two, two]),
            receipt(&[two, one]),
            receipt(&[one, b"second onf"]),
            receipt(&[one, b"second one\0"]),
        ] {
            assert_ne!(right, wrong);
        }
    }
}
