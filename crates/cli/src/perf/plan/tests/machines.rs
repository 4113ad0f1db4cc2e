//! Workers on other machines: what is asked for, and what is refused.

use std::num::NonZeroUsize;

use super::*;
use crate::perf::plan::Machines;

fn asked(flags: &[&str]) -> Option<Machines> {
    Machines::of(&read(flags).unwrap())
}

#[test]
fn no_cluster_is_asked_for_unless_it_is_named() {
    assert_eq!(asked(&["--model", "m"]), None);
    let every_node = Machines {
        address: "auto".to_owned(),
        workers: None,
    };
    assert_eq!(asked(&["--ray", "auto"]), Some(every_node));
    let three = Machines {
        address: "10.0.0.1:6379".to_owned(),
        workers: NonZeroUsize::new(3),
    };
    assert_eq!(
        asked(&["--ray", " 10.0.0.1:6379", "--workers", "3"]),
        Some(three)
    );
}

#[test]
fn workers_without_a_cluster() {
    refuses_more(
        "--workers 2",
        &expect![[r"
            error: --workers needs --ray
              hint: give --ray auto, or the HOST:PORT of a cluster; --threads is for the threads of this machine"]],
    );
}

#[test]
fn no_workers_at_all() {
    refuses_more(
        "--ray auto --workers 0",
        &expect!["error: --workers must be a number from 1 to 4294967295, not 0"],
    );
}

#[test]
fn a_cluster_in_virtual_time() {
    refuses_more(
        "--ray auto --url sim:demo",
        &expect![[r"
            error: --ray has no effect in virtual time
              cause: sim: is measured on this machine, without a connection
              hint: leave out --ray, or start `crestline sim` and give its --url"]],
    );
}
