//! What a report shows of a run beside its [summary](crate::summary): its course over time, its lengths, its requests, its
//! failures.
//!
//! Made of records in one pass, in any order, and of a size that does not depend on how many there are. Digests of any parts
//! of a run merge to the digest of the whole, the same to the last bit in any order. Draws nothing, and judges nothing.

mod course;
mod curve;
mod failures;
mod least;
mod lengths;
mod requests;
mod window;

pub use course::{COURSE_METRICS, Course, CoursePoint, PointSpread};
pub use curve::{QuantilePoint, quantile_curve};
pub use failures::{FailureFacts, Failures, TEXTS};
pub use lengths::{Held, LengthCounts, Lengths};
pub use requests::{Extreme, Limits, RequestRow, Requests};
pub use window::Window;

use crate::record::{Phase, RequestRecord};

/// What is kept of a run's requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    /// Figures of each span of time.
    pub course: Course,
    /// How long prompts and answers were.
    pub lengths: Lengths,
    /// Single requests: all of them, or a sample with the extremes.
    pub requests: Requests,
    /// What went wrong, by kind.
    pub failures: Failures,
}

impl Digest {
    /// Of no requests yet.
    pub fn new(window: Window, limits: Limits) -> Self {
        Self {
            course: Course::new(window),
            lengths: Lengths::default(),
            requests: Requests::new(limits),
            failures: Failures::default(),
        }
    }

    /// Takes a request that has ended; ignores one of the warm-up.
    pub fn add(&mut self, record: &RequestRecord) {
        if record.phase == Phase::Warmup {
            return;
        }
        self.course.add(record);
        self.lengths.add(record);
        self.requests.add(record);
        self.failures.add(record);
    }

    /// Takes over all requests of another part of the same run. Panics where its window or its limits are others.
    pub fn merge(&mut self, other: Self) {
        self.course.merge(&other.course);
        self.lengths.merge(&other.lengths);
        self.requests.merge(other.requests);
        self.failures.merge(other.failures);
    }
}

#[cfg(test)]
mod tests;
