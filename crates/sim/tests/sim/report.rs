//! What comes of simulations.

use batchyard_core::job::ShareClaim;
use batchyard_core::resources::{MilliVcpus, Resources};
use batchyard_core::time::{Millis, Timestamp};
use batchyard_sim::mishap::Mishaps;
use batchyard_sim::present::Present;
use batchyard_sim::simulation::{Options, PresentOptions, of_present, of_workload};
use batchyard_sim::site::Site;
use batchyard_sim::workload::{Job, SwfOptions, Workload, read_csv, read_swf};
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn csv() -> Workload {
    read_csv(include_bytes!("../data/jobs.csv").as_slice(), "jobs.csv").expect("it is sound")
}

fn site() -> Site {
    Site::parse(include_str!("../data/site.toml")).expect("it is sound")
}

fn check(workload: &Workload, site: &Site, edits: &[&str], expect: &Expect) {
    let options = Options {
        edits: edits
            .iter()
            .map(|edit| edit.parse().expect("it is a change"))
            .collect(),
        ..Options::default()
    };
    let shown = match of_workload(workload, site, &options) {
        Ok(report) => report.to_string(),
        Err(error) => format!("{error}\n"),
    };
    expect.assert_eq(&shown);
}

#[test]
fn a_trace_on_its_own_machine() {
    let trace = read_swf(
        include_bytes!("../data/small.swf").as_slice(),
        "small.swf",
        SwfOptions::default(),
    )
    .expect("it is sound");
    check(
        &trace,
        &Site::simple(8, None, 0, false),
        &[],
        &expect![[r#"
            attempts     5
            failed       1 attempt (timeout 1); 1 job failed; 0.02 vCPU hours wasted
            makespan     3m10s
            vCPU hours   0.26, 61.8 % of 8 vCPUs

            QUEUE    ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50    P95    MAX
            default         5       1    0.26    0.02     30.0s  1m20s  1m20s
            note: 1 job of unknown submit time, run time or size left out
        "#]],
    );
    check(
        &trace,
        &Site::simple(8, None, 0, true),
        &[],
        &expect![[r#"
            attempts     5
            failed       1 attempt (timeout 1); 1 job failed; 0.02 vCPU hours wasted
            makespan     3m10s
            vCPU hours   0.26, 61.8 % of 8 vCPUs

            QUEUE    ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50    P95    MAX
            default         5       1    0.26    0.02      0.0s  1m20s  1m20s
            note: 1 job of unknown submit time, run time or size left out
        "#]],
    );
    check(
        &trace,
        &Site::simple(4, None, 0, false),
        &[],
        &expect![[r#"
            attempts     2, 3 never started
            makespan     2m30s
            vCPU hours   0.17, 100.0 % of 4 vCPUs

            QUEUE    ATTEMPTS  VCPU-H  WAIT P50    P95    MAX
            default         2    0.17      0.0s  1m30s  1m30s
            note: 1 job of unknown submit time, run time or size left out
            note: the first job that never started: 00e8d4a5-5e20-4000-8000-000000000002 is RUNNABLE in queue default; it needs 8 vCPU, 0 MiB. It is next in its queue, and cannot start: compute environment default runs on this host, which has 4 vCPU, unlimited memory: less than the job needs, even when idle; needed: that the job asks for less
        "#]],
    );
}

#[test]
fn a_list_on_a_site_with_shares_instances_and_prices() {
    check(
        &csv(),
        &site(),
        &[],
        &expect![[r#"
            attempts     18
            failed       1 attempt (timeout 1); 1 job failed; 0.02 vCPU hours wasted
            makespan     3m50s
            vCPU hours   0.37, 72.9 % of 8 vCPUs
            cost         0.02 USD: vCPUs 0.02, c5.large 0.00

            QUEUE  SHARE  ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50    P95    MAX  FAIRNESS
            main                17            0.36             45.0s  2m00s  2m00s     0.703
            low                  1       1    0.02    0.02      0.0s   0.0s   0.0s
            main   alice        10            0.28             50.0s  2m00s  2m00s
            main   bob           7            0.08             45.0s  1m30s  1m30s
        "#]],
    );
    check(
        &csv(),
        &site(),
        &["environment=cluster:maxvCpus=2"],
        &expect![[r#"
            attempts     18
            failed       1 attempt (timeout 1); 1 job failed; 0.02 vCPU hours wasted
            makespan     4m50s
            vCPU hours   0.37, 77.1 % of 6 vCPUs
            cost         0.02 USD: vCPUs 0.01, c5.large 0.01

            QUEUE  SHARE  ATTEMPTS  FAILED  VCPU-H  WASTED  WAIT P50    P95    MAX  FAIRNESS
            main                17            0.36             1m00s  3m00s  3m00s     0.722
            low                  1       1    0.02    0.02     2m05s  2m05s  2m05s
            main   alice        10            0.28             1m00s  3m00s  3m00s
            main   bob           7            0.08             45.0s  1m50s  1m50s
        "#]],
    );
    check(
        &csv(),
        &Site::simple(8, None, 0, false),
        &[],
        &expect![[r#"
            jobs.csv:2: queue is main, which the site does not have
        "#]],
    );
}

#[test]
fn reports_are_json_and_a_chart() {
    let report = of_workload(&csv(), &site(), &Options::default()).expect("it is sound");
    let json = serde_json::to_string_pretty(&report).expect("it is made of what JSON has");
    expect![[r#"
        {
          "begin": 0,
          "makespanSeconds": 230.0,
          "attempts": 18,
          "failedAttempts": {
            "byProgram": 0,
            "byTimeout": 1,
            "byInterruption": 0,
            "retried": 0
          },
          "failed": 1,
          "neverRan": 0,
          "left": 0,
          "vcpus": 8.0,
          "memoryMib": null,
          "vcpuHours": 0.37256944444444445,
          "wastedVcpuHours": 0.016666666666666666,
          "utilisation": 0.7289402173913044,
          "queues": [
            {
              "queue": "main",
              "attempts": 17,
              "failedAttempts": 0,
              "vcpuHours": 0.3559027777777778,
              "wastedVcpuHours": 0.0,
              "waitP50Seconds": 45.0,
              "waitP95Seconds": 120.0,
              "waitMaxSeconds": 120.0,
              "fairness": 0.7028065147650057
            },
            {
              "queue": "low",
              "attempts": 1,
              "failedAttempts": 1,
              "vcpuHours": 0.016666666666666666,
              "wastedVcpuHours": 0.016666666666666666,
              "waitP50Seconds": 0.0,
              "waitP95Seconds": 0.0,
              "waitMaxSeconds": 0.0
            }
          ],
          "shares": [
            {
              "queue": "main",
              "share": "alice",
              "attempts": 10,
              "failedAttempts": 0,
              "vcpuHours": 0.28055555555555556,
              "wastedVcpuHours": 0.0,
              "waitP50Seconds": 50.0,
              "waitP95Seconds": 120.0,
              "waitMaxSeconds": 120.0
            },
            {
              "queue": "main",
              "share": "bob",
              "attempts": 7,
              "failedAttempts": 0,
              "vcpuHours": 0.07534722222222222,
              "wastedVcpuHours": 0.0,
              "waitP50Seconds": 45.0,
              "waitP95Seconds": 90.0,
              "waitMaxSeconds": 90.0
            }
          ],
          "cost": {
            "currency": "USD",
            "vcpus": 0.015295138888888891,
            "instances": {
              "c5.large": 0.00425
            },
            "total": 0.01954513888888889,
            "unpriced": []
          },
          "notes": []
        }"#]]
    .assert_eq(&json);
    let svg = report.svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    for text in [
        "vCPUs in use over time",
        "time since the beginning, minutes",
        "main / alice",
        "main / bob",
        "8 vCPUs in all",
    ] {
        assert!(svg.contains(&format!(">{text}<")), "{text} is missing");
    }
    assert!(!svg.contains("NaN") && !svg.contains("href"), "{svg}");
}

#[test]
fn a_state_is_played_on_with_what_is_known_and_assumed() {
    // A server on which one job runs, and one waits, of a definition without history.
    let site = Site::simple(1, None, 0, false);
    let core = site.core(Timestamp::default()).expect("it is sound");
    let job = |run| Job {
        run: Millis::from_seconds(run),
        need: Resources {
            vcpus: MilliVcpus::whole(1),
            ..Resources::default()
        },
        ..Job::default()
    };
    let workload = Workload {
        jobs: vec![job(10), job(10), job(10)],
        ..Workload::default()
    };
    let queues = site.queues.iter().map(|queue| (queue.name.clone(), false));
    let replay = batchyard_sim::replay::Replay::new(&workload, queues, 1);
    let mut playback =
        batchyard_sim::playback::Playback::new(core, Timestamp::default(), Default::default(), replay);
    playback.play_until(Timestamp::default() + Millis::from_seconds(5));
    let unknown = Present::of(playback.core(), playback.now());
    playback.play_until(Timestamp::default() + Millis::from_seconds(15));
    let known = Present::of(playback.core(), playback.now());
    let play = |present: &Present, options: PresentOptions| {
        let report = of_present(present.clone(), &options, &Options::default()).expect("it is sound");
        report.to_string()
    };
    let assumed = PresentOptions {
        assumed_run_seconds: Some(20),
        ..PresentOptions::default()
    };
    let twice = PresentOptions {
        host_vcpus: Some(2),
        ..PresentOptions::default()
    };
    expect![[r#"
        attempts     1, 2 never started
        makespan     0.0s
        vCPU hours   0.00, 0.0 % of 1 vCPUs

        QUEUE    ATTEMPTS  VCPU-H  WAIT P50   P95   MAX
        default         1    0.00      0.0s  0.0s  0.0s
        note: 1 job without history and timeout, such as 00000000-0000-4000-8000-000000000000, taken to run for ever; --assume-run gives them a time
        note: the first job that never started: 00000000-0000-4000-8000-000000000001 is RUNNABLE in queue default; it needs 1 vCPU, 0 MiB. It is next in its queue, and cannot start: compute environment default has to wait for other jobs: this host has 0 vCPU, unlimited memory free
    "#]].assert_eq(&play(&unknown, PresentOptions::default()));
    expect![[r#"
        attempts     3
        makespan     55.0s
        vCPU hours   0.02, 100.0 % of 1 vCPUs

        QUEUE    ATTEMPTS  VCPU-H  WAIT P50    P95    MAX
        default         3    0.02     20.0s  40.0s  40.0s
        note: 3 jobs without history and timeout, such as 00000000-0000-4000-8000-000000000000, taken to run for 20 s
    "#]].assert_eq(&play(&unknown, assumed));
    expect![[r#"
        attempts     2
        makespan     15.0s
        vCPU hours   0.00, 100.0 % of 1 vCPUs

        QUEUE    ATTEMPTS  VCPU-H  WAIT P50    P95    MAX
        default         2    0.00     20.0s  20.0s  20.0s
    "#]]
    .assert_eq(&play(&known, PresentOptions::default()));
    expect![[r#"
        attempts     2
        makespan     10.0s
        vCPU hours   0.00, 75.0 % of 2 vCPUs

        QUEUE    ATTEMPTS  VCPU-H  WAIT P50    P95    MAX
        default         2    0.00     15.0s  15.0s  15.0s
    "#]]
    .assert_eq(&play(&known, twice));
}

fn job() -> impl Strategy<Value = Job> {
    (
        0_u64..100_000,
        0_u64..50_000,
        1_u32..6_000,
        0_usize..3,
        prop::option::of(1_u64..40_000),
        prop::option::weighted(0.2, 2_u32..6),
        prop::option::weighted(0.2, 0_u64..9_000),
        prop::option::weighted(0.3, (prop::option::of(0_u16..4), 1_u8..5)),
    )
        .prop_map(
            |(submit, run, vcpus, share, timeout, array_size, think, fails)| Job {
                exit_code: u8::from(fails.is_some()),
                failures: fails.and_then(|(failures, _)| failures),
                attempts: fails.map(|(_, attempts)| attempts),
                submit: Timestamp::default() + Millis::new(submit),
                run: Millis::new(run),
                need: Resources {
                    vcpus: MilliVcpus(vcpus),
                    ..Resources::default()
                },
                share: Some(ShareClaim {
                    identifier: ["alice", "bob", "eve"][share].into(),
                    priority: 0,
                }),
                timeout: timeout.map(Millis::new),
                array_size,
                think: think.map(Millis::new),
                ..Job::default()
            },
        )
}

proptest! {
    #[test]
    fn all_jobs_run_once_no_more_is_used_than_there_is_and_twice_is_the_same(
        jobs in prop::collection::vec(job(), 1..40),
        seed in 0_u64..1_000,
    ) {
        let mut jobs = jobs;
        jobs.sort_by_key(|job| job.submit);
        for position in (0..jobs.len()).filter(|position| position % 3 == 2) {
            jobs[position].after = vec![u32::try_from(position - 1).expect("it is small")];
        }
        let count: usize = jobs.iter().map(|job| job.array_size.map_or(1, |size| usize::try_from(size).expect("it is small"))).sum();
        let site = site();
        let workload = Workload { jobs, ..Workload::default() };
        let options = Options {
            mishaps: Mishaps {
                seed,
                failures_per_million: if seed % 3 == 0 { 300_000 } else { 0 },
                instance_life_seconds: (seed % 2 == 0).then_some(30),
            },
            ..Options::default()
        };
        let report = of_workload(&workload, &site, &options).expect("it is sound");
        let retried = report.failed_attempts.retried;
        prop_assert_eq!(report.attempts - retried + report.never_ran + report.left, count);
        prop_assert_eq!(report.failed_attempts.total() - retried, report.failed);
        prop_assert!(report.wasted_vcpu_hours <= report.vcpu_hours);
        prop_assert_eq!(report.left, 0);
        prop_assert!(report.utilisation <= 1.0);
        for group in report.queues.iter().chain(&report.shares) {
            prop_assert!(group.wait_p50_seconds <= group.wait_p95_seconds && group.wait_p95_seconds <= group.wait_max_seconds);
            let fairness = group.fairness.unwrap_or(1.0);
            prop_assert!((1.0 / 3.0 - 1e-9..=1.0 + 1e-9).contains(&fairness));
        }
        let again = of_workload(&workload, &site, &options).expect("it is sound");
        prop_assert_eq!(report, again);
    }
}
