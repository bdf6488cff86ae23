//! The binary `batchyard`.
fn main() {}
