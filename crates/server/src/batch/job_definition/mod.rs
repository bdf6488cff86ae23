//! Job definitions.

pub(crate) mod check;
