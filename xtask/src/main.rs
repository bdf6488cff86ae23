//! Build tasks: `cargo xtask codegen|deps|tidy|test|bench`.
fn main() {}
