//! The store from outside: files of every version, and what a killed process leaves behind.

mod formats;
mod kill;
