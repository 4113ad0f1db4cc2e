//! `crestline bench sweep`: servers started, parameters varied.

mod overrides;
mod params;
mod python;
