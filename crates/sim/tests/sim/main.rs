//! Playback, forecasts and simulations, by scripts with golden output and by properties.

mod failure;
mod forecast;
mod playback;
mod prediction;
mod report;
mod site;
mod stage;
mod workload;
