//! Tests of names and arguments of data sets.
