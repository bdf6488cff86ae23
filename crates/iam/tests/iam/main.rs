//! Verification and signing through the public interface.
//!
//! The modules are marked as tests so that the lints know their fixtures for what they are.

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod refusals;
