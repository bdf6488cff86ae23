//! AWS Batch.

pub mod job_definition;
