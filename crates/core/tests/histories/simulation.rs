//! The core among random histories, as the soak and the tests play it.

use batchyard_seeds::{Simulation, Tally};
use proptest::strategy::{BoxedStrategy, Strategy as _};

use crate::op::{self, Op};
use crate::world::World;

/// One of so many histories is played twice.
const REPEATED_OF: usize = 4;

pub(crate) struct Histories;

impl Simulation for Histories {
    const NAME: &'static str = "core";

    type History = Vec<Op>;

    fn histories() -> BoxedStrategy<Vec<Op>> {
        op::history().boxed()
    }

    fn play(history: &Vec<Op>, tally: &mut Tally) {
        let outputs = play_once(history, tally);
        // Nothing in a history makes its second course likelier to differ: some are enough.
        if history.len().is_multiple_of(REPEATED_OF) {
            let again = play_once(history, &mut Tally::default());
            assert!(outputs == again, "the same history has two outcomes");
            tally.count("checks");
        }
    }
}

fn play_once(history: &[Op], tally: &mut Tally) -> Vec<batchyard_core::Output> {
    let mut world = World::new();
    for op in history {
        world.play(op);
    }
    world.let_everything_end();
    let (outputs, counted) = world.into_outcome();
    tally.merge(&counted);
    tally.add("ops", history.len());
    outputs
}
