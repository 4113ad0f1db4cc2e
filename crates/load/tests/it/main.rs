//! The engine against scripted servers on loopback.

mod loads;
mod script;
