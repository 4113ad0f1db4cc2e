//! Where prompts come from, one file a data set.

pub(crate) mod random;
mod random_ids;
