//! Figures of one serving run, computed from one row a request: counts, throughputs, spreads of latencies, peaks.
//!
//! Everything is plain numbers in seconds, as other tools have them in their files; what crestline itself measures and
//! judges by is in [`crate::metrics`] and [`crate::summary`]. Where other tools count events and whole seconds, although
//! tokens and moments are meant, [`Counting`] says which of the two is wanted. Knows no names of files or keys.

mod conversations;
mod figures;
mod lengths;
mod peak;
mod quantity;
mod repeats;
mod row;
mod spread;
mod steady;
mod timeline;
mod tokens;

pub use conversations::{ConversationFigures, TurnFigures, TurnRow, conversation_spans};
pub use figures::{Basis, Counting, Figures, Limits};
pub use lengths::{Bins, LengthStatistics};
pub use peak::{Second, seconds};
pub use quantity::Quantity;
pub use repeats::{Across, Figure, across_runs};
pub use row::{EventTokens, RequestClock, Row};
pub use spread::Spread;
pub use steady::{Applied, SteadyState, Window};
pub use timeline::{GapClass, Segment, SegmentKind, TimelineRow, timeline};

#[cfg(test)]
mod golden;
