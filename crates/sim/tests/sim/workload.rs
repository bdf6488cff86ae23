//! What traces and lists of jobs mean, and what is wrong with those that mean nothing.

use std::fmt::Write as _;

use batchyard_sim::workload::{QueueBy, ShareBy, SwfOptions, Workload, WorkloadError, read_csv, read_swf};
use expect_test::{Expect, expect};
use proptest::prelude::*;

const SWF: &str = include_str!("../data/small.swf");
const CSV: &str = include_str!("../data/jobs.csv");

fn shown(read: Result<Workload, WorkloadError>) -> String {
    let workload = match read {
        Ok(workload) => workload,
        Err(error) => {
            let source =
                std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
            return format!("{error}{source}\n");
        }
    };
    let mut text = String::new();
    for job in &workload.jobs {
        let of = |name: &str, value: Option<String>| {
            value.map_or_else(String::new, |value| format!(" {name}={value}"))
        };
        let share = job.share.as_ref();
        writeln!(
            text,
            "{:?} runs {:?}, {}{}{}{}{}{}{}",
            job.submit,
            job.run,
            job.need,
            of("queue", job.queue.as_ref().map(ToString::to_string)),
            of(
                "share",
                share.map(|share| format!("{}/{}", share.identifier, share.priority))
            ),
            of("timeout", job.timeout.map(|timeout| format!("{timeout:?}"))),
            of("array", job.array_size.map(|size| size.to_string())),
            of(
                "after",
                (!job.after.is_empty()).then(|| format!("{:?}", job.after))
            ),
            of("think", job.think.map(|think| format!("{think:?}"))),
        )
        .expect("a string takes everything");
    }
    for note in &workload.notes {
        writeln!(text, "note: {note}").expect("a string takes everything");
    }
    writeln!(text, "vCPUs: {:?}", workload.vcpus).expect("a string takes everything");
    text
}

fn check_swf(text: &str, expect: &Expect) {
    expect.assert_eq(&shown(read_swf(
        text.as_bytes(),
        "trace.swf",
        SwfOptions::default(),
    )));
}

fn check_csv(text: &str, expect: &Expect) {
    expect.assert_eq(&shown(read_csv(text.as_bytes(), "jobs.csv")));
}

#[test]
fn traces_say_when_what_runs_for_how_long() {
    check_swf(
        SWF,
        &expect![[r#"
            @1000000000000 runs 100000ms, 4 vCPU, 8 MiB timeout=200000ms
            @1000000010000 runs 50000ms, 4 vCPU, 0 MiB timeout=60000ms
            @1000000020000 runs 30000ms, 8 vCPU, 0 MiB timeout=40000ms
            @1000000030000 runs 20000ms, 2 vCPU, 0 MiB after=[1] think=15000ms
            @1000000050000 runs 90000ms, 1 vCPU, 0 MiB timeout=60000ms after=[0]
            note: 1 job of unknown submit time, run time or size left out
            vCPUs: Some(8)
        "#]],
    );
}

#[test]
fn users_and_queues_of_traces_become_shares_and_queues() {
    let options = SwfOptions {
        share_by: Some(ShareBy::User),
        queue_by: Some(QueueBy::Queue),
    };
    let first: String = shown(read_swf(SWF.as_bytes(), "trace.swf", options))
        .lines()
        .take(3)
        .collect::<Vec<_>>()
        .join("\n");
    expect![[r#"
        @1000000000000 runs 100000ms, 4 vCPU, 8 MiB queue=queue1 share=user7/0 timeout=200000ms
        @1000000010000 runs 50000ms, 4 vCPU, 0 MiB queue=queue1 share=user8/0 timeout=60000ms
        @1000000020000 runs 30000ms, 8 vCPU, 0 MiB queue=queue2 share=user7/0 timeout=40000ms"#]]
    .assert_eq(&first);
}

#[test]
fn lines_that_are_no_jobs_are_named() {
    check_swf(
        "; MaxProcs: 8\n1 2 3\n",
        &expect![[r#"
        trace.swf:2: 3 fields where 18 are due
    "#]],
    );
    check_swf(
        "1 0 0 ten 4 -1 -1 4 -1 -1 1 7 1 1 1 -1 -1 -1\n",
        &expect![[r#"
            trace.swf:1: field 4 (run time) is "ten" and must be a number from 0 to 100000000000, -1 for unknown
        "#]],
    );
    check_swf(
        "1 0 0 1e99 4 -1 -1 4 -1 -1 1 7 1 1 1 -1 -1 -1\n",
        &expect![[r#"
            trace.swf:1: field 4 (run time) is "1e99" and must be a number from 0 to 100000000000, -1 for unknown
        "#]],
    );
    check_swf(
        "1 0 0 -1 4 -1 -1 4 -1 -1 5 7 1 1 1 -1 -1 -1\n",
        &expect![[r#"
            trace.swf has no jobs that can be simulated (1 job of unknown submit time, run time or size left out)
        "#]],
    );
    check_swf(
        "",
        &expect![[r#"
        trace.swf has no jobs that can be simulated
    "#]],
    );
}

#[test]
fn numbers_that_cannot_be_are_not_taken_for_unknown() {
    let line = |position: usize, text: &str| {
        let mut fields = "1 0 0 60 4 -1 -1 4 90 -1 1 7 1 1 1 -1 -1 -1"
            .split(' ')
            .collect::<Vec<_>>();
        fields[position] = text;
        fields.join(" ") + "\n"
    };
    let wrong = [
        (1, "-5"),
        (3, "-2"),
        (4, "99999999999"),
        (7, "2.5"),
        (8, "1e12"),
        (9, "-7"),
        (10, "1.5"),
        (11, "seven"),
        (17, "NaN"),
    ];
    let shown = wrong.map(|(position, text)| {
        let read = read_swf(
            line(position, text).as_bytes(),
            "trace.swf",
            SwfOptions::default(),
        );
        read.expect_err("it cannot be").to_string()
    });
    expect![[r#"
        trace.swf:1: field 2 (submit time) is "-5" and must be a number from 0 to 100000000000, -1 for unknown
        trace.swf:1: field 4 (run time) is "-2" and must be a number from 0 to 100000000000, -1 for unknown
        trace.swf:1: field 5 (allocated processors) is "99999999999" and must be a whole number up to 4000000, -1 for unknown
        trace.swf:1: field 8 (requested processors) is "2.5" and must be a whole number up to 4000000, -1 for unknown
        trace.swf:1: field 9 (requested time) is "1e12" and must be a number from 0 to 100000000000, -1 for unknown
        trace.swf:1: field 10 (requested memory) is "-7" and must be a number from 0 to 100000000000, -1 for unknown
        trace.swf:1: field 11 (status) is "1.5" and must be a whole number, -1 for unknown
        trace.swf:1: field 12 (user) is "seven" and must be a whole number, -1 for unknown
        trace.swf:1: field 18 (think time) is "NaN" and must be a number from 0 to 100000000000, -1 for unknown"#]].assert_eq(&shown.join("\n"));
    // What is not used may be anything that is a number, as in some traces of the archive.
    for (position, text) in [(2, "-3"), (5, "-0.5"), (9, "1048576.5"), (1, "12.25"), (10, "-1")] {
        read_swf(
            line(position, text).as_bytes(),
            "trace.swf",
            SwfOptions::default(),
        )
        .expect("it is sound");
    }
}

#[test]
fn lists_say_what_jobs_need_and_wait_for() {
    check_csv(
        CSV,
        &expect![[r#"
        @0 runs 30000ms, 1 vCPU, 1024 MiB queue=main share=alice/0
        @0 runs 60000ms, 2 vCPU, 2048 MiB queue=main share=alice/0 array=8 after=[0]
        @0 runs 20000ms, 1 vCPU, 512 MiB queue=main share=alice/0 after=[1]
        @10000 runs 45000ms, 1 vCPU, 512 MiB, 1 GPU queue=main share=bob/5 array=6
        @15000 runs 5000ms, 0.25 vCPU, 0 MiB queue=main share=bob/0 after=[3]
        @20000 runs 90000ms, 1 vCPU, 0 MiB queue=low timeout=60000ms
        vCPUs: None
    "#]],
    );
    check_csv(
        "RUN, submit\n1.5, 2001-09-09T01:46:40Z\n",
        &expect![[r#"
        @1000000000000 runs 1500ms, 1 vCPU, 0 MiB
        vCPUs: None
    "#]],
    );
}

#[test]
fn columns_and_cells_that_mean_nothing_are_named() {
    check_csv(
        "run,colour\n1,red\n",
        &expect![[r#"
            jobs.csv:1: "colour" is no column; columns are name, submit, run, exit_code, failures, attempts, definition, vcpus, memory_mib, gpus, queue, share, priority, timeout, array_size, depends_on
        "#]],
    );
    check_csv(
        "name,vcpus\na,1\n",
        &expect![[r#"
        jobs.csv:1: there is no column "run"
    "#]],
    );
    check_csv(
        "run,vcpus\n1,1\n2\n",
        &expect![[r#"
        jobs.csv:3: 1 fields where 2 are due
    "#]],
    );
    check_csv(
        "run,vcpus,Run\n1,1,2\n",
        &expect![[r#"
        jobs.csv:1: the column "run" is there twice
    "#]],
    );
    check_csv(
        "run,name\n1,\"a\n2,b\n",
        &expect![[r#"
        jobs.csv:2: name is "a\n2,b" and must be in one line: a quotation mark may be missing
    "#]],
    );
    check_csv(
        "run,memory_mib\n1,18446744073709551615\n",
        &expect![[r#"
        jobs.csv:2: memory_mib is "18446744073709551615" and must be a whole number of MiB up to 274877906944
    "#]],
    );
    check_csv(
        "run,gpus\n1,65\n",
        &expect![[r#"
        jobs.csv:2: gpus is "65" and must be a whole number of GPUs up to 64
    "#]],
    );
    check_csv(
        "run,exit_code\n1,256\n",
        &expect![[r#"
        jobs.csv:2: exit_code is "256" and must be a whole number from 0 to 255
    "#]],
    );
    check_csv(
        "run,exit_code,failures\n1,0,2\n",
        &expect![[r#"
        jobs.csv:2: exit_code is "0" and must be a whole number from 1 to 255 where there are failures
    "#]],
    );
    check_csv(
        "run,failures\n1,-1\n",
        &expect![[r#"
        jobs.csv:2: failures is "-1" and must be a whole number from 0 to 10
    "#]],
    );
    check_csv(
        "run,attempts\n1,0\n",
        &expect![[r#"
        jobs.csv:2: attempts is "0" and must be a whole number from 1 to 10
    "#]],
    );
    check_csv(
        "run,definition\n1,a b\n",
        &expect![[r#"
        jobs.csv:2: definition is "a b" and must be the name of a job definition
    "#]],
    );
    check_csv(
        "run,vcpus\n1,many\n",
        &expect![[r#"
        jobs.csv:2: vcpus is "many" and must be a number of vCPUs above 0, such as 2 or 0.25
    "#]],
    );
    check_csv(
        "run,vcpus\n,1\n",
        &expect![[r#"
        jobs.csv:2: run is "" and must be a number of seconds
    "#]],
    );
    check_csv(
        "run,vcpus\n-1,1\n",
        &expect![[r#"
        jobs.csv:2: run is "-1" and must be a number of seconds
    "#]],
    );
    check_csv(
        "run,priority\n1,10000\n",
        &expect![[r#"
        jobs.csv:2: priority is "10000" and must be a whole number from 0 to 9999
    "#]],
    );
    check_csv(
        "run,submit\n1,yesterday\n",
        &expect![[r#"
        jobs.csv:2: submit is "yesterday" and must be seconds, or a time such as 2030-01-31T12:00:00Z
    "#]],
    );
    check_csv(
        "run,queue\n1,a b\n",
        &expect![[r#"
        jobs.csv:2: queue is "a b" and must be the name of a queue
    "#]],
    );
    check_csv(
        "run,array_size\n1,1\n",
        &expect![[r#"
        jobs.csv:2: array_size is "1" and must be a whole number from 2 to 1000000
    "#]],
    );
    check_csv(
        "run\n",
        &expect![[r#"
        jobs.csv has no jobs that can be simulated
    "#]],
    );
    check_csv(
        "",
        &expect![[r#"
        jobs.csv:1: there is no column "run"
    "#]],
    );
}

#[test]
fn dependencies_that_cannot_be_are_named() {
    check_csv(
        "name,run,depends_on\na,1,b\n",
        &expect![[r#"
        jobs.csv:2: depends_on names "b", and there is no such job
    "#]],
    );
    check_csv(
        "name,run,depends_on,submit\na,1,b,0\nb,1,,5\n",
        &expect![[r#"
        jobs.csv:2: depends_on names "b", which is not submitted before it
    "#]],
    );
    check_csv(
        "name,run,depends_on\na,1,\na,1,\nb,1,a\n",
        &expect![[r#"
        jobs.csv:4: depends_on names "a", and there are several of that name
    "#]],
    );
}

proptest! {
    #[test]
    fn no_trace_makes_the_reader_panic(text in "([0-9;: .a-zA-Z-]{0,12}[ \n]){0,60}") {
        let _read = read_swf(text.as_bytes(), "x", SwfOptions::default());
    }

    #[test]
    fn numbers_of_any_size_are_jobs_or_refused(fields in prop::collection::vec("-1|[0-9]{1,20}|[0-9]{1,3}[.][0-9]{1,3}", 18)) {
        let options = SwfOptions { share_by: Some(ShareBy::Group), queue_by: Some(QueueBy::Partition) };
        let _read = read_swf(fields.join(" ").as_bytes(), "x", options);
    }

    #[test]
    fn no_list_makes_the_reader_panic(text in "(run|name|submit|depends_on|array_size|[0-9;a-z\"-]{0,6}|,|\n){0,60}") {
        let _read = read_csv(text.as_bytes(), "x");
    }
}
