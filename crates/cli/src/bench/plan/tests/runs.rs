//! What the flags of several runs change, and of what goes on beside a run.

use super::*;

#[test]
fn the_number_of_runs_is_told_to_the_report() {
    reports("--num-runs 3", &expect!["turns: 3,"]);
}
