//! The store from outside: what a killed process leaves behind.

mod kill;
