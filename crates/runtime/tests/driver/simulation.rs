//! Random stories of clients, engines and faults: whatever happens, what was promised is kept, and each job ends once.
//!
//! All of it is played by one thread whose tasks take turns, and nothing in it takes real time: the same story has the same course.

use std::sync::Arc;

use batchyard_core::command::DependsOn;
use batchyard_core::id::JobKey;
use batchyard_core::time::Millis;
use batchyard_seeds::{Simulation, Tally};
use proptest::prelude::*;

use crate::disk::Hold;
use crate::fixture::{job_id, submission, with_nodes};
use crate::world::World;

pub(crate) struct Faults;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Submit {
        array_size: Option<u32>,
        /// How many nodes; then it is no array.
        nodes: Option<u32>,
        attempts: u8,
        timeout_ms: Option<u64>,
        depends_on: Option<usize>,
        /// A client that has not heard of the new server asks the old one.
        asks_deposed: bool,
    },
    Terminate {
        pick: usize,
    },
    /// A program ends; perhaps nobody hears of it until somebody looks.
    Exit {
        pick: usize,
        exit_code: i32,
        is_told: bool,
    },
    /// What was told is told again.
    Repeat {
        pick: usize,
    },
    Elapse {
        ms: u64,
    },
    /// Somebody sets the clock back.
    SetBack {
        ms: u64,
    },
    Hold(Hold),
    Slow(u32),
    Fill(bool),
    Crash,
    /// The host goes away with all its programs, and the server with it.
    PowerCut,
    /// All programs are gone at once, and the server goes on. Perhaps the engine sees it only when it looks.
    LosePrograms {
        is_told: bool,
    },
    Start,
    /// Another server takes over from one that still runs.
    TakeOver,
    RefuseRecoveries(u32),
    /// So many turns of everything else.
    Run(u32),
    /// Whatever can go on without help does.
    Settle,
}

/// Turns in which whatever can go on without help has gone on.
const TURNS_TO_SETTLE: u32 = 300;

fn op() -> impl Strategy<Value = Op> {
    let submit = (
        prop::option::weighted(0.3, 2..5_u32),
        prop::option::weighted(0.3, 1..4_u32),
        1..=3_u8,
        prop::option::weighted(0.2, 1_000..60_000_u64),
        prop::option::weighted(0.3, 0..4_usize),
        prop::bool::weighted(0.1),
    );
    let submit = submit.prop_map(
        |(array_size, nodes, attempts, timeout_ms, depends_on, asks_deposed)| Op::Submit {
            array_size: array_size.filter(|_| nodes.is_none()),
            nodes,
            attempts,
            timeout_ms,
            depends_on,
            asks_deposed,
        },
    );
    let exit = (0..4_usize, 0..3_i32, prop::bool::weighted(0.8));
    let exit = exit.prop_map(|(pick, exit_code, is_told)| Op::Exit {
        pick,
        exit_code,
        is_told,
    });
    let hold = prop_oneof![2 => Just(Hold::None), 1 => Just(Hold::Before), 1 => Just(Hold::After)];
    prop_oneof![
        8 => submit,
        2 => (0..4_usize).prop_map(|pick| Op::Terminate { pick }),
        8 => exit,
        3 => (0..8_usize).prop_map(|pick| Op::Repeat { pick }),
        3 => (1..20_000_u64).prop_map(|ms| Op::Elapse { ms }),
        1 => (1..20_000_u64).prop_map(|ms| Op::SetBack { ms }),
        3 => hold.prop_map(Op::Hold),
        1 => prop_oneof![Just(0), 1..20_u32].prop_map(Op::Slow),
        2 => prop::bool::weighted(0.4).prop_map(Op::Fill),
        2 => Just(Op::Crash),
        1 => Just(Op::PowerCut),
        1 => any::<bool>().prop_map(|is_told| Op::LosePrograms { is_told }),
        4 => Just(Op::Start),
        1 => Just(Op::TakeOver),
        1 => (1..3_u32).prop_map(Op::RefuseRecoveries),
        8 => (1..40_u32).prop_map(Op::Run),
        6 => Just(Op::Settle),
    ]
}

impl Simulation for Faults {
    const NAME: &'static str = "driver";

    type History = Vec<Op>;

    fn histories() -> BoxedStrategy<Vec<Op>> {
        let short = prop::collection::vec(op(), 1..60);
        let long = prop::collection::vec(op(), 60..300);
        prop_oneof![3 => short, 1 => long].boxed()
    }

    fn play(history: &Vec<Op>, tally: &mut Tally) {
        let changes = play_once(history, tally);
        let again = play_once(history, &mut Tally::default());
        assert!(changes == again, "the same story has two courses");
        tally.count("checks");
    }
}

/// Plays a story; all that was ever committed.
fn play_once(history: &[Op], tally: &mut Tally) -> Vec<batchyard_core::change::Change> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(async {
        let mut world = World::new().await;
        for (number, op) in history.iter().enumerate() {
            play(&mut world, number, op, tally).await;
            world.check();
            tally.count("ops");
            tally.add("checks", World::CHECKS);
        }
        world.let_everything_end().await;
        tally.add("checks", World::CHECKS);
        tally.add("jobs", world.accepted());
        tally.add("attempts", world.disk.contents().placed.len());
        std::mem::take(&mut world.disk.contents().changes)
    })
}

async fn play(world: &mut World, number: usize, op: &Op, tally: &mut Tally) {
    match op {
        Op::Submit { .. } => submit(world, number, op, tally),
        Op::Terminate { pick } => {
            if world.has_server() && number > *pick {
                world.terminate(JobKey::whole(job_id(number - pick - 1)));
            }
        }
        Op::Exit {
            pick,
            exit_code,
            is_told,
        } => {
            let running = world.host.running();
            let Some(attempt) = running.get(*pick).copied() else {
                return;
            };
            world.host.exit(attempt, *exit_code);
            if *is_told {
                world.tell_facts(attempt).await;
            } else {
                tally.count("fault.report_lost");
                world.host.processes().unnoticed.insert(attempt);
            }
        }
        Op::Repeat { pick } => {
            let started = world.host.processes().started.iter().rev().nth(*pick).copied();
            if let Some(attempt) = started {
                tally.count("fault.report_repeated");
                world.tell_facts(attempt).await;
            }
        }
        Op::Elapse { ms } => world.clock.elapse(Millis::new(*ms)),
        Op::SetBack { ms } => {
            tally.count("fault.clock_set_back");
            world.clock.set_back(Millis::new(*ms));
        }
        Op::Hold(hold) => {
            if *hold != Hold::None {
                tally.count("fault.store_stalls");
            }
            world.disk.hold(*hold);
        }
        Op::Slow(turns) => world.disk.slow_down(*turns),
        Op::Fill(is_full) => {
            if *is_full {
                tally.count("fault.store_full");
            }
            world.disk.fill(*is_full);
        }
        Op::Crash => {
            if world.has_server() {
                tally.count("fault.crash");
            }
            world.crash().await;
        }
        Op::PowerCut => {
            tally.count("fault.power_cut");
            world.crash().await;
            let _lost = world.host.lose();
        }
        Op::LosePrograms { is_told } => {
            tally.count("fault.programs_lost");
            let lost = world.host.lose();
            if *is_told {
                world.tell_lost(&lost).await;
            }
        }
        Op::Start => world.start().await,
        Op::TakeOver => {
            if world.has_server() {
                tally.count("fault.taken_over");
                world.take_over().await;
            }
        }
        Op::RefuseRecoveries(count) => {
            tally.count("fault.engine_does_not_answer");
            world.host.processes().recoveries_refused = *count;
        }
        Op::Run(turns) => run(*turns).await,
        Op::Settle => run(TURNS_TO_SETTLE).await,
    }
}

async fn run(turns: u32) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

fn submit(world: &mut World, number: usize, op: &Op, tally: &mut Tally) {
    let Op::Submit {
        array_size,
        nodes,
        attempts,
        timeout_ms,
        depends_on,
        asks_deposed,
    } = op
    else {
        return;
    };
    if !world.has_server() {
        return;
    }
    let mut submit = submission(number);
    if let Some(count) = nodes {
        submit = with_nodes(submit, *count);
    }
    submit.array_size = *array_size;
    Arc::make_mut(&mut submit.profile).retry.attempts = *attempts;
    Arc::make_mut(&mut submit.profile).timeout = timeout_ms.map(Millis::new);
    // The one before may be unknown, refused, on its way, live or ended.
    let on = depends_on.and_then(|back| number.checked_sub(back + 1));
    submit.dependencies.extend(on.map(|on| DependsOn {
        on: JobKey::whole(job_id(on)),
        is_pairing: false,
        ended: None,
    }));
    if *asks_deposed && world.has_deposed() {
        tally.count("fault.deposed_server_asked");
        world.submit_to_deposed(submit);
    } else {
        world.submit(submit);
    }
}
