//! What goes wrong in a simulation besides what its workload says: attempts that fail, and instances that are taken away, by chance.
//!
//! A [`Troubled`] script is another one with that added. Chance is a seed: the same one gives the same mishaps. Whether an attempt fails, and
//! when, depends on the seed, its job and its number alone, so that what is compared (another site, another order) meets with the same
//! failures.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use batchyard_core::change::Change;
use batchyard_core::command::{Command, Ended, Rejection};
use batchyard_core::id::{AttemptKey, InstanceId, JobKey};
use batchyard_core::state::State;
use batchyard_core::time::{Millis, Timestamp};

use crate::limits::INTERRUPTION_NOTICE;
use crate::playback::{Run, Script};

/// Exit code of an attempt that fails by chance.
const EXIT_FAILED: i32 = 1;

/// What goes wrong by chance.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Mishaps {
    /// Decides all of it.
    pub seed: u64,
    /// Of a million attempts that would succeed so many fail, 0 to 1,000,000, after some part of their run time.
    pub failures_per_million: u32,
    /// Seconds that instances last in the mean until they are taken away, from 1; `None` is for ever. How long each one lasts is distributed
    /// exponentially, as of things that do not age.
    pub instance_life_seconds: Option<u64>,
}

/// A script, and what goes wrong besides.
#[derive(Debug)]
pub struct Troubled<S> {
    script: S,
    mishaps: Mishaps,
    /// When instances are taken away.
    ends: BinaryHeap<Reverse<(Timestamp, InstanceId)>>,
    /// Attempts that hold a place on an instance.
    on_instances: usize,
    /// Whether the command that came last was one of ours.
    is_ours: bool,
}

impl<S: Script> Troubled<S> {
    /// What happens from `now` on in a state by a script and by chance.
    #[must_use]
    pub fn new(script: S, mishaps: Mishaps, state: &State, now: Timestamp) -> Self {
        let mut troubled = Troubled {
            script,
            mishaps,
            ends: BinaryHeap::new(),
            on_instances: 0,
            is_ours: false,
        };
        for (_, environment) in state.environments() {
            for id in environment.instances.keys() {
                troubled.expect_end(*id, now);
            }
        }
        let attempts = state.live_attempts();
        let on_instances = attempts.filter(|(_, _, execution)| {
            let attempt = execution.attempt.as_ref();
            attempt.is_some_and(|attempt| attempt.placement.instance.is_some())
        });
        troubled.on_instances = on_instances.count();
        troubled
    }

    /// The script without what went wrong.
    pub fn into_script(self) -> S {
        self.script
    }

    fn expect_end(&mut self, instance: InstanceId, start: Timestamp) {
        if let Some(mean) = self.mishaps.instance_life_seconds {
            let life = self.mishaps.life(instance, Millis::from_seconds(mean));
            self.ends.push(Reverse((start + life, instance)));
        }
    }

    /// When the next instance is taken away. Only as long as something happens anyway: idle instances would come and go for ever.
    fn next_end(&self) -> Option<Timestamp> {
        let Reverse((at, _)) = self.ends.peek()?;
        let goes_on = self.on_instances > 0 || self.script.next_arrival().is_some();
        goes_on.then_some(*at)
    }
}

impl<S: Script> Script for Troubled<S> {
    fn run(&mut self, state: &State, attempt: AttemptKey, elapsed: Millis) -> Run {
        match self.script.run(state, attempt, elapsed) {
            Run::Ends { after, exit_code: 0 } => {
                match self.mishaps.failure(self.script.key(attempt.job), attempt) {
                    Some(part) => Run::Ends {
                        after: part_of(after, part).max(elapsed),
                        exit_code: EXIT_FAILED,
                    },
                    None => Run::Ends { after, exit_code: 0 },
                }
            }
            run => run,
        }
    }

    fn saw(&mut self, state: &State, change: &Change, now: Timestamp) {
        match change {
            Change::InstanceAdded(added) => self.expect_end(added.id, now),
            Change::AttemptPlaced { placement, .. } => {
                self.on_instances += usize::from(placement.instance.is_some());
            }
            Change::GangPlaced(placed) => {
                let placements = placed.placements.iter();
                self.on_instances += placements.filter(|place| place.instance.is_some()).count();
            }
            Change::AttemptEnded(ended) => {
                let left = usize::from(ended.placement.instance.is_some());
                self.on_instances = self.on_instances.saturating_sub(left);
            }
            _ => {}
        }
        self.script.saw(state, change, now);
    }

    fn next_arrival(&self) -> Option<Timestamp> {
        let both = [self.script.next_arrival(), self.next_end()];
        both.into_iter().flatten().min()
    }

    fn arrive(&mut self, now: Timestamp) -> Option<Command> {
        self.is_ours = false;
        if let Some(command) = self.script.arrive(now) {
            return Some(command);
        }
        self.next_end().filter(|at| *at <= now)?;
        let Reverse((_, instance)) = self.ends.pop()?;
        self.is_ours = true;
        Some(Command::InterruptInstance {
            instance,
            notice: INTERRUPTION_NOTICE,
        })
    }

    fn refused(&mut self, rejection: Rejection) {
        // One that was given back before it could be taken away.
        if !self.is_ours {
            self.script.refused(rejection);
        }
    }

    fn ended(&self, job: JobKey) -> Option<Ended> {
        self.script.ended(job)
    }

    fn key(&self, job: JobKey) -> u128 {
        self.script.key(job)
    }
}

impl Mishaps {
    /// After which part of its run time an attempt fails, 0 to 1; `None` if it does not.
    fn failure(self, job: u128, attempt: AttemptKey) -> Option<f64> {
        if self.failures_per_million == 0 {
            return None;
        }
        let child = attempt.job.child.map_or(0, |child| u64::from(child) + 1);
        let [high, low] = halves(job);
        let words = [self.seed, high, low, child, u64::from(attempt.attempt)];
        let mut dice = Dice::of(&words);
        (dice.one() * 1e6 < f64::from(self.failures_per_million)).then(|| dice.one())
    }

    fn life(self, instance: InstanceId, mean: Millis) -> Millis {
        let mut dice = Dice::of(&[self.seed, u64::MAX, u64::from(instance.0)]);
        // 1 - x is above 0.
        part_of(mean, -(1.0 - dice.one()).ln())
    }
}

/// So much of a span: `part` from 0.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "spans are some thousand years at most, and a millisecond more or less makes no difference"
)]
fn part_of(span: Millis, part: f64) -> Millis {
    Millis::new((span.as_millis() as f64 * part).round() as u64)
}

fn halves(word: u128) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = word.to_be_bytes();
    [
        u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        u64::from_be_bytes(rest),
    ]
}

/// Numbers that look random, from what they are for: the mixing of SplitMix64 (Steele, Lea and Flood, 2014), a few lines that stay the same,
/// where a library's numbers may change with its version.
struct Dice(u64);

impl Dice {
    fn of(words: &[u64]) -> Self {
        let mixed = words.iter().fold(0, |state, word| {
            let mut dice = Dice(state ^ word);
            dice.word()
        });
        Dice(mixed)
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are kept, as many as there are"
    )]
    fn one(&mut self) -> f64 {
        (self.word() >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

#[cfg(test)]
mod tests {
    use batchyard_core::id::JobId;

    use super::*;

    #[test]
    fn as_many_fail_as_should_and_lives_have_their_mean() {
        let mishaps = Mishaps {
            seed: 7,
            failures_per_million: 200_000,
            instance_life_seconds: None,
        };
        let attempt = |child| AttemptKey {
            job: JobKey::child(JobId::new(Timestamp::default(), 5), child),
            attempt: 1,
        };
        let parts: Vec<f64> = (0..10_000)
            .filter_map(|child| mishaps.failure(5, attempt(child)))
            .collect();
        assert!((1_800..2_200).contains(&parts.len()), "{}", parts.len());
        let early = parts.iter().filter(|part| **part < 0.5).count();
        assert!((800..1_200).contains(&early), "{early}");
        let lives = (0..10_000).map(|id| mishaps.life(InstanceId(id), Millis::new(1_000)).as_millis());
        let sum: u64 = lives.sum();
        assert!((9_500_000..10_500_000).contains(&sum), "{sum}");
    }
}
