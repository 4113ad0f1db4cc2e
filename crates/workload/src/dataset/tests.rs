//! Tests of data sets that are read from files.
