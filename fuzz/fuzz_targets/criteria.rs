//! `--sla-params` and `--goodput`: what is read can be written, and is read again as the same.
//!
//! An input is the criteria, a line feed, and the limits of a good request.

#![no_main]

use crestline_core::sla::{parse_groups, parse_slo};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (criteria, limits) = input.split_once('\n').unwrap_or((input, ""));
    let slo = parse_slo(&[limits.to_owned()]).ok();
    let Ok(groups) = parse_groups(criteria, slo.as_ref()) else {
        return;
    };
    assert!(!groups.is_empty(), "{input:?}");
    for group in &groups {
        assert!(!group.criteria.is_empty() || group.aim.is_some(), "{input:?}");
        for criterion in &group.criteria {
            let (measure, relation) = (criterion.measure, criterion.relation.symbol());
            let written = format!(r#"{{"{measure}": "{relation}{:?}"}}"#, criterion.threshold);
            let again = parse_groups(&written, slo.as_ref()).expect(&written);
            assert_eq!(again[0].criteria, [*criterion], "{input:?}");
        }
    }
});
