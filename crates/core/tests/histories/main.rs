//! Random histories: whatever clients ask and engines tell, in whatever order, what must always hold does.
//!
//! [`op`] makes histories, [`world`] plays one against the core with engines that answer late, twice, or not at all, and [`invariant`]
//! says what must hold after every step. Run it hard with `PROPTEST_CASES=20000 cargo test --release --test histories`.

mod invariant;
mod op;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

use crate::world::World;

fn config() -> Config {
    let seeds = FileFailurePersistence::Direct("proptest-regressions/histories.txt");
    Config {
        failure_persistence: Some(Box::new(seeds)),
        // Shrinking a long history to the few steps that matter takes many tries, each of them quick.
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_step_keeps_the_invariants_and_everything_ends(history in op::history()) {
        let mut world = World::new();
        for op in &history {
            world.play(op);
        }
        world.let_everything_end();
    }

    #[test]
    fn the_same_history_has_the_same_outcome(history in op::history()) {
        let play = || {
            let mut world = World::new();
            for op in &history {
                world.play(op);
            }
            world.into_outputs()
        };
        prop_assert_eq!(play(), play());
    }
}
