//! What is made from the models in `models/`, one module for each service. `cargo xtask codegen` makes the files below.

pub mod batch;
pub mod logs;
pub mod sts;
