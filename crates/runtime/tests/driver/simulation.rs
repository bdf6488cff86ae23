//! Random stories of clients, engines and faults: whatever happens, what was promised is kept, and each job ends once.
//!
//! Run it hard with `PROPTEST_CASES=5000 cargo test --release -p batchyard-runtime --test driver history`.

use batchyard_core::command::DependsOn;
use batchyard_core::id::JobKey;
use batchyard_core::time::Millis;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

use crate::disk::Hold;
use crate::fixture::{job_id, submission, with_nodes};
use crate::world::World;

#[derive(Clone, Debug)]
enum Op {
    Submit {
        array_size: Option<u32>,
        /// How many nodes; then it is no array.
        nodes: Option<u32>,
        attempts: u8,
        timeout_ms: Option<u64>,
        depends_on: Option<usize>,
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
    Hold(Hold),
    Fill(bool),
    Crash,
    /// The host goes away with all its programs, and the server with it.
    PowerCut,
    Start,
    RefuseRecoveries(u32),
    /// Whatever can go on without help does.
    Settle,
}

fn op() -> impl Strategy<Value = Op> {
    let submit = (
        prop::option::weighted(0.3, 2..5_u32),
        prop::option::weighted(0.3, 1..4_u32),
        1..=3_u8,
        prop::option::weighted(0.2, 1_000..60_000_u64),
        prop::option::weighted(0.3, 0..4_usize),
    );
    let submit = submit.prop_map(
        |(array_size, nodes, attempts, timeout_ms, depends_on)| Op::Submit {
            array_size: array_size.filter(|_| nodes.is_none()),
            nodes,
            attempts,
            timeout_ms,
            depends_on,
        },
    );
    let exit = (0..4_usize, 0..3_i32, prop::bool::weighted(0.8));
    let exit = exit.prop_map(|(pick, exit_code, is_told)| Op::Exit {
        pick,
        exit_code,
        is_told,
    });
    let hold = prop_oneof![Just(Hold::None), Just(Hold::Before), Just(Hold::After)];
    prop_oneof![
        8 => submit,
        2 => (0..4_usize).prop_map(|pick| Op::Terminate { pick }),
        8 => exit,
        3 => (0..8_usize).prop_map(|pick| Op::Repeat { pick }),
        3 => (1..20_000_u64).prop_map(|ms| Op::Elapse { ms }),
        4 => hold.prop_map(Op::Hold),
        2 => any::<bool>().prop_map(Op::Fill),
        2 => Just(Op::Crash),
        1 => Just(Op::PowerCut),
        4 => Just(Op::Start),
        1 => (1..3_u32).prop_map(Op::RefuseRecoveries),
        8 => Just(Op::Settle),
    ]
}

fn config() -> Config {
    let seeds = FileFailurePersistence::Direct("proptest-regressions/driver.txt");
    Config {
        failure_persistence: Some(Box::new(seeds)),
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_was_promised_is_kept_and_each_job_ends_once(history in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for (number, op) in history.iter().enumerate() {
                play(&mut world, number, op).await;
            }
            world.let_everything_end().await;
        });
    }
}

async fn play(world: &mut World, number: usize, op: &Op) {
    match op {
        Op::Submit {
            array_size,
            nodes,
            attempts,
            timeout_ms,
            depends_on,
        } => {
            if !world.has_server() {
                return;
            }
            let mut submit = submission(number);
            if let Some(count) = nodes {
                submit = with_nodes(submit, *count);
            }
            submit.array_size = *array_size;
            submit.profile.retry.attempts = *attempts;
            submit.profile.timeout = timeout_ms.map(Millis::new);
            // The one before may be unknown, refused, on its way, live or ended.
            let on = depends_on.and_then(|back| number.checked_sub(back + 1));
            submit.dependencies.extend(on.map(|on| DependsOn {
                on: JobKey::whole(job_id(on)),
                is_pairing: false,
                ended: None,
            }));
            world.submit(submit);
        }
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
                world.host.processes().unnoticed.insert(attempt);
            }
        }
        Op::Repeat { pick } => {
            let started = world.host.processes().started.iter().rev().nth(*pick).copied();
            if let Some(attempt) = started {
                world.tell_facts(attempt).await;
            }
        }
        Op::Elapse { ms } => world.clock.elapse(Millis::new(*ms)),
        Op::Hold(hold) => world.disk.hold(*hold),
        Op::Fill(is_full) => world.disk.fill(*is_full),
        Op::Crash => world.crash().await,
        Op::PowerCut => {
            world.crash().await;
            world.host.lose();
        }
        Op::Start => world.start().await,
        Op::RefuseRecoveries(count) => world.host.processes().recoveries_refused = *count,
        Op::Settle => {
            if world.has_server() {
                // The answer comes after all that was sent before; while the store is full there is none.
                let _it_may_be_refused = world.handle().read(|_| ()).await;
            }
        }
    }
}
