//! Tables made by `cargo xtask codegen`.

pub(crate) mod instance_types;
