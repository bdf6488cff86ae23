//! Attempts that fail: as a list says, by chance, and with their instances; and small examples whose numbers are reckoned out by hand.

use batchyard_core::time::{Millis, Timestamp};
use batchyard_sim::mishap::Mishaps;
use batchyard_sim::playback::{Manners, Playback};
use batchyard_sim::present::Present;
use batchyard_sim::replay::Replay;
use batchyard_sim::report::Report;
use batchyard_sim::simulation::{Options, PresentOptions, of_present, of_workload};
use batchyard_sim::site::Site;
use batchyard_sim::workload::{SwfOptions, read_csv, read_swf};
use expect_test::expect;

const CLOUD: &str = r#"
[[environment]]
name = "cloud"
max_vcpus = 8
instance_types = ["c5.large"]
idle_seconds = 60
[[queue]]
name = "main"
[prices]
instance_hour = { "c5.large" = 0.36 }
"#;

fn simulate(jobs: &str, site: &Site, options: &Options) -> Report {
    let workload = read_csv(jobs.as_bytes(), "jobs.csv").expect("it is sound");
    of_workload(&workload, site, options).expect("it is sound")
}

#[test]
fn failed_attempts_are_tried_again_as_often_as_the_job_may() {
    let jobs = "name,run,vcpus,exit_code,failures,attempts,depends_on\n\
                flaky,60,2,,1,3,\n\
                broken,30,1,3,,2,\n\
                after,10,1,,,,broken\n\
                fine,10,1,0,0,,flaky\n";
    let report = simulate(jobs, &Site::simple(4, None, 0, false), &Options::default());
    // flaky: 2 vCPUs from 0 to 60 s in vain and to 120 s; broken: 1 vCPU from 0 to 30 s and to 60 s, both in vain; fine from 120 to 130 s.
    // In vain 2 × 60 + 1 × 60 vCPU seconds of 240 + 60 + 10; these are 59.6 % of the 4 × 130 that there were.
    expect![[r#"
        attempts     5, 1 never ran, as a job they depend on failed
        failed       3 attempts (exit code 3), 2 tried again; 1 job failed; 0.05 vCPU hours wasted
        makespan     2m10s
        vCPU hours   0.09, 59.6 % of 4 vCPUs

        QUEUE    ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50   P95   MAX
        default         5       3    0.09    0.05      0.0s  0.0s  0.0s
    "#]]
    .assert_eq(&report.to_string());
    assert!((report.wasted_vcpu_hours - 180.0 / 3_600.0).abs() < 1e-12);
}

#[test]
fn a_child_that_is_tried_again_does_not_change_since_when_the_others_wait() {
    let jobs = "run,array_size,failures,attempts\n10,2,1,2\n";
    let report = simulate(jobs, &Site::simple(1, None, 0, false), &Options::default());
    // Child 0 runs from 0 and, first in line, again from 10 s; child 1 from 20 s and again from 30 s.
    let queue = &report.queues[0];
    assert_eq!((queue.attempts, queue.failed_attempts), (4, 2));
    assert_eq!((queue.wait_p50_seconds, queue.wait_max_seconds), (0.0, 20.0));
}

#[test]
fn what_failed_in_a_trace_fails_and_what_followed_it_runs() {
    let line = |number: u32, run: u32, status: u32, preceding: i32| {
        format!("{number} 0 -1 {run} 1 -1 -1 1 -1 -1 {status} 1 1 -1 1 1 {preceding} -1\n")
    };
    let trace = [
        line(1, 60, 0, -1),
        line(2, 30, 5, 1),
        line(3, 10, 1, 2),
        line(4, 50, 3, -1),
    ]
    .concat();
    let workload = read_swf(trace.as_bytes(), "t.swf", SwfOptions::default()).expect("it is sound");
    let report = of_workload(&workload, &Site::simple(1, None, 0, false), &Options::default());
    expect![[r#"
        attempts     3
        failed       2 attempts (exit code 2); 2 jobs failed; 0.03 vCPU hours wasted
        makespan     1m40s
        vCPU hours   0.03, 100.0 % of 1 vCPUs

        QUEUE    ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50   P95   MAX
        default         3       2    0.03    0.03      0.0s  0.0s  0.0s
        note: 1 job left out, being parts of others
    "#]]
    .assert_eq(&report.expect("it is sound").to_string());
}

#[test]
fn chance_is_a_seed_and_is_the_same_on_another_site() {
    let jobs = "run,array_size\n60,1000\n";
    let options = |seed, failures_per_million| Options {
        attempts: 3,
        mishaps: Mishaps {
            seed,
            failures_per_million,
            instance_life_seconds: None,
        },
        ..Options::default()
    };
    let play = |vcpus, options: &Options| simulate(jobs, &Site::simple(vcpus, None, 0, false), options);
    let small = play(10, &options(1, 100_000));
    expect![[r#"
        attempts     1097
        failed       99 attempts (exit code 99), 97 tried again; 2 jobs failed; 0.90 vCPU hours wasted
        makespan     1h45m
        vCPU hours   17.5, 99.4 % of 10 vCPUs

        QUEUE    ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50    P95    MAX
        default      1097      99    17.5    0.90    46m43s  1h38m  1h44m
    "#]]
    .assert_eq(&small.to_string());
    assert_eq!(small, play(10, &options(1, 100_000)));
    let large = play(500, &options(1, 100_000));
    assert_eq!(small.failed_attempts, large.failed_attempts);
    assert!((small.wasted_vcpu_hours - large.wasted_vcpu_hours).abs() < 1e-9);
    let other = play(10, &options(2, 100_000));
    assert_ne!(small.failed_attempts, other.failed_attempts);
    let all = play(10, &options(1, 1_000_000));
    assert_eq!((all.attempts, all.failed), (3_000, 1_000));
    assert_eq!(play(10, &options(1, 0)).failed_attempts.total(), 0);
}

#[test]
fn instances_are_taken_away_with_what_runs_on_them() {
    let jobs = "run,vcpus,array_size\n600,2,20\n";
    let options = |minutes: u64| Options {
        attempts: 4,
        mishaps: Mishaps {
            seed: 3,
            failures_per_million: 0,
            instance_life_seconds: Some(minutes * 60),
        },
        ..Options::default()
    };
    let site = Site::parse(CLOUD).expect("it is sound");
    expect![[r#"
        attempts     26
        failed       6 attempts (interruption 6), 6 tried again; 0 jobs failed; 1.43 vCPU hours wasted
        makespan     1h05m
        vCPU hours   8.09, 93.2 % of 8 vCPUs
        cost         1.48

        QUEUE  ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50     P95     MAX
        main         26       6    8.09    1.43    17m01s  51m51s  55m08s
    "#]]
    .assert_eq(&simulate(jobs, &site, &options(30)).to_string());
    // Idle instances that a minimum keeps do not come and go for ever, whether all has run or something never will.
    let kept = CLOUD.replace("max_vcpus = 8", "max_vcpus = 8\nmin_vcpus = 4");
    let kept = Site::parse(&kept).expect("it is sound");
    let never = format!("{jobs}10,64,\n");
    assert_eq!(simulate(&never, &kept, &options(30)).left, 1);
}

#[test]
fn jobs_of_a_server_are_tried_again_by_their_own_strategies() {
    let site = Site::simple(1, None, 0, false);
    let core = site.core(Timestamp::default()).expect("it is sound");
    let workload = read_csv("run,attempts\n10,3\n10,1\n".as_bytes(), "jobs.csv").expect("it is sound");
    let queues = site.queues.iter().map(|queue| (queue.name.clone(), false));
    let replay = Replay::new(&workload, queues, 1);
    let mut playback = Playback::new(core, Timestamp::default(), Manners::default(), replay);
    playback.play_until(Timestamp::default() + Millis::from_seconds(5));
    let present = Present::of(playback.core(), playback.now());
    let of_server = PresentOptions {
        assumed_run_seconds: Some(20),
        ..PresentOptions::default()
    };
    let options = Options {
        mishaps: Mishaps {
            seed: 0,
            failures_per_million: 1_000_000,
            instance_life_seconds: None,
        },
        ..Options::default()
    };
    // One runs, the other waits; three attempts of the one, one of the other.
    let report = of_present(present, &of_server, &options).expect("it is sound");
    assert_eq!((report.attempts, report.failed), (4, 2));
    assert_eq!(
        (report.failed_attempts.by_program, report.failed_attempts.retried),
        (4, 2)
    );
}

#[test]
fn a_report_reckoned_out_by_hand() {
    let site = r#"
        host = { vcpus = 1 }
        environment = [{ name = "cluster", max_vcpus = 1 }]
        queue = [{ name = "main", fair_share = { weights = { b = 0.5 } } }]
        prices = { vcpu_hour = 0.6, currency = "EUR" }
    "#;
    let jobs = "submit,run,share\n0,60,a\n0,60,b\n0,60,a\n240,60,a\n";
    let report = simulate(
        jobs,
        &Site::parse(site).expect("it is sound"),
        &Options::default(),
    );
    // a from 0, b from 60 s, a from 120 to 180 s, a from 240 to 300 s: 240 of 300 vCPU seconds, which cost 0.6 × 240 / 3,600.
    assert_eq!((report.makespan_seconds, report.utilisation), (300.0, 0.8));
    let cost = report.cost.expect("prices are known");
    assert!((cost.total - 0.04).abs() < 1e-12 && (cost.vcpus - 0.04).abs() < 1e-12);
    // Waits 0, 0, 60 and 120 s: half do not exceed 0, 19 of 20 not 120 s.
    let waits = |group: &batchyard_sim::report::Group| {
        [
            group.wait_p50_seconds,
            group.wait_p95_seconds,
            group.wait_max_seconds,
        ]
    };
    assert_eq!(waits(&report.queues[0]), [0.0, 120.0, 120.0]);
    assert_eq!(waits(&report.shares[0]), [0.0, 120.0, 120.0]);
    assert_eq!(waits(&report.shares[1]), [60.0, 60.0, 60.0]);
    // Both shares had jobs from 0 to 120 s, and 60 s each of them; times their weights 60 and 30: 90² ÷ (2 × (60² + 30²)) = 0.9.
    let fairness = report.queues[0].fairness.expect("there are two shares");
    assert!((fairness - 0.9).abs() < 1e-12, "{fairness}");

    // An instance of two vCPUs from 0 to 180 s, the last 60 of them idle, at 0.36 an hour, for a job of one vCPU and 120 s.
    let site = Site::parse(CLOUD).expect("it is sound");
    let report = simulate("run\n120\n", &site, &Options::default());
    let cost = report.cost.expect("prices are known");
    assert!((cost.total - 0.018).abs() < 1e-12, "{cost:?}");
    assert_eq!((report.vcpus, report.utilisation), (8.0, 0.125));
}
