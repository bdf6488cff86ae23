//! Jobs that start before the front of their queue, where that does not delay it.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_job_that_has_ended_by_then_goes_before_the_front() {
    check(
        "
        host vcpus=4
        environment ce shared; queue q backfill ce
        submit a q vcpus=3 timeout=100; started a; at +10
        submit front q vcpus=4 timeout=50; explain front
        submit long q timeout=91; submit unknown q; submit short q timeout=90
        explain long
        at +90; exited a 0; exited short 0
        ",
        &expect![[r#"
            > host vcpus=4
            > environment ce shared; queue q backfill ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on")], removed: [] })
            > submit a q vcpus=3 timeout=100; started a; at +10
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
            > submit front q vcpus=4 timeout=50; explain front
                front is number 2 of queue 1
                front RUNNABLE
                front is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 1 vCPU, 7680 MiB free
                  there will be room in about 90 s, when job a reaches its timeout
            > submit long q timeout=91; submit unknown q; submit short q timeout=90
                long is number 3 of queue 1
                long RUNNABLE
                unknown is number 4 of queue 1
                unknown RUNNABLE
                short is number 5 of queue 1
                short RUNNABLE
                short STARTING in environment 1
                => launch short#1
            > explain long
                long is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, front, cannot start, and jobs behind it start only where they do not delay it:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7168 MiB free
                  there will be room in about 90 s, when job short reaches its timeout
            > at +90; exited a 0; exited short 0
                a is to stop: timeout
                => stop a#1 within 30000ms
                a FAILED: Job attempt duration exceeded timeout, exit code 0
                => forget a#1
                short SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget short#1
                front STARTING in environment 1
                => launch front#1
        "#]],
    );
}

#[test]
fn a_long_job_goes_before_the_front_where_both_fit() {
    check(
        "
        host vcpus=4
        environment ce shared; queue q backfill ce
        submit a q vcpus=2 timeout=100; started a
        submit front q vcpus=3; submit long q timeout=1000; submit longer q
        exited a 0
        ",
        &expect![[r#"
            > host vcpus=4
            > environment ce shared; queue q backfill ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on")], removed: [] })
            > submit a q vcpus=2 timeout=100; started a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
            > submit front q vcpus=3; submit long q timeout=1000; submit longer q
                front is number 2 of queue 1
                front RUNNABLE
                long is number 3 of queue 1
                long RUNNABLE
                long STARTING in environment 1
                => launch long#1
                longer is number 4 of queue 1
                longer RUNNABLE
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#1
                front STARTING in environment 1
                => launch front#1
        "#]],
    );
}

#[test]
fn jobs_without_a_timeout_are_taken_at_what_the_last_ones_took() {
    check(
        "
        host vcpus=4
        environment ce shared; queue q backfill ce; register short; register long
        submit s q definition=short; started s; at +20; exited s 0
        submit l q definition=long vcpus=3; started l; at +60; exited l 0
        submit a q definition=long vcpus=3; started a; at +30; submit front q vcpus=4; explain front
        submit b q definition=long; submit c q definition=short
        at +31; explain front
        ",
        &expect![[r#"
            > host vcpus=4
            > environment ce shared; queue q backfill ce; register short; register long
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on")], removed: [] })
                DefinitionRegistered(DefinitionRegistered { name: "short", revision: 1, document: Document("{}"), at: @1700000000000 })
                DefinitionRegistered(DefinitionRegistered { name: "long", revision: 1, document: Document("{}"), at: @1700000000000 })
            > submit s q definition=short; started s; at +20; exited s 0
                s is number 1 of queue 1
                s RUNNABLE
                s STARTING in environment 1
                => launch s#1
                s RUNNING
                s SUCCEEDED: Essential container in task exited, exit code 0
                => forget s#1
            > submit l q definition=long vcpus=3; started l; at +60; exited l 0
                l is number 2 of queue 1
                l RUNNABLE
                l STARTING in environment 1
                => launch l#1
                l RUNNING
                l SUCCEEDED: Essential container in task exited, exit code 0
                => forget l#1
            > submit a q definition=long vcpus=3; started a; at +30; submit front q vcpus=4; explain front
                a is number 3 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
                front is number 4 of queue 1
                front RUNNABLE
                front is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 1 vCPU, 7680 MiB free
                  there will be room in about 30 s, when job a ends as the last runs of its definition did
            > submit b q definition=long; submit c q definition=short
                b is number 5 of queue 1
                b RUNNABLE
                c is number 6 of queue 1
                c RUNNABLE
                c STARTING in environment 1
                => launch c#1
            > at +31; explain front
                front is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 7168 MiB free
        "#]],
    );
}

#[test]
fn a_queue_that_does_not_ask_for_it_keeps_its_order() {
    check(
        "
        host vcpus=4
        environment ce shared; queue q ce
        submit a q vcpus=3 timeout=100; started a; submit front q vcpus=4; submit short q timeout=5
        tag job-queue/q backfill
        ",
        &expect![[r#"
            > host vcpus=4
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=3 timeout=100; started a; submit front q vcpus=4; submit short q timeout=5
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
                front is number 2 of queue 1
                front RUNNABLE
                short is number 3 of queue 1
                short RUNNABLE
            > tag job-queue/q backfill
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on")], removed: [] })
                short STARTING in environment 1
                => launch short#1
        "#]],
    );
}

#[test]
fn instances_are_counted_as_they_will_be() {
    check(
        "
        host vcpus=8 memory=65536
        environment ce types=m5.large,m5.xlarge max=8; queue q backfill ce
        submit a q vcpus=4 memory=8192 timeout=100; submit b q vcpus=2 timeout=1000; started a; started b
        submit front q vcpus=4 memory=8192; submit long q vcpus=2 timeout=500; submit short q vcpus=2 timeout=50
        exited a 0
        ",
        &expect![[r#"
            > host vcpus=8 memory=65536
            > environment ce types=m5.large,m5.xlarge max=8; queue q backfill ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on")], removed: [] })
            > submit a q vcpus=4 memory=8192 timeout=100; submit b q vcpus=2 timeout=1000; started a; started b
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.xlarge with 4 vCPU, 16352 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, m5.large with 2 vCPU, 8160 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
                a RUNNING
                b RUNNING
            > submit front q vcpus=4 memory=8192; submit long q vcpus=2 timeout=500; submit short q vcpus=2 timeout=50
                front is number 3 of queue 1
                front RUNNABLE
                long is number 4 of queue 1
                long RUNNABLE
                environment 1 got instance 3, m5.large with 2 vCPU, 8160 MiB
                long STARTING in environment 1 on instance 3
                => launch long#1
                short is number 5 of queue 1
                short RUNNABLE
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#1
                front STARTING in environment 1 on instance 1
                => launch front#1
        "#]],
    );
}

#[test]
fn those_that_start_in_one_pass_count_for_each_other() {
    check(
        "
        host vcpus=4
        environment ce shared; queue q ce
        submit a q vcpus=2 timeout=100; started a; submit front q vcpus=3
        submit long q timeout=500; submit longer q timeout=500; submit short q timeout=100
        tag job-queue/q backfill
        ",
        &expect![[r#"
            > host vcpus=4
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=2 timeout=100; started a; submit front q vcpus=3
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
                front is number 2 of queue 1
                front RUNNABLE
            > submit long q timeout=500; submit longer q timeout=500; submit short q timeout=100
                long is number 3 of queue 1
                long RUNNABLE
                longer is number 4 of queue 1
                longer RUNNABLE
                short is number 5 of queue 1
                short RUNNABLE
            > tag job-queue/q backfill
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on")], removed: [] })
                long STARTING in environment 1
                short STARTING in environment 1
                => launch long#1
                => launch short#1
        "#]],
    );
}

#[test]
fn no_more_jobs_are_looked_at_than_the_queue_says() {
    check(
        "
        host vcpus=4
        environment ce shared; queue q backfill depth=1 ce
        submit a q vcpus=3 timeout=100; started a; submit front q vcpus=4
        submit large q vcpus=2 timeout=50; submit small q timeout=50
        tag job-queue/q depth=2
        untag job-queue/q batchyard:backfill-depth
        ",
        &expect![[r#"
            > host vcpus=4
            > environment ce shared; queue q backfill depth=1 ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: Some(1) }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on"), ("batchyard:backfill-depth", "1")], removed: [] })
            > submit a q vcpus=3 timeout=100; started a; submit front q vcpus=4
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                a RUNNING
                front is number 2 of queue 1
                front RUNNABLE
            > submit large q vcpus=2 timeout=50; submit small q timeout=50
                large is number 3 of queue 1
                large RUNNABLE
                small is number 4 of queue 1
                small RUNNABLE
            > tag job-queue/q depth=2
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: Some(2) }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill-depth", "2")], removed: [] })
                small STARTING in environment 1
                => launch small#1
            > untag job-queue/q batchyard:backfill-depth
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [], removed: ["batchyard:backfill-depth"] })
        "#]],
    );
}

#[test]
fn an_instance_that_the_minimum_keeps_afterwards_may_delay_the_front() {
    check(
        "
        host vcpus=6 memory=65536
        environment ce types=m5.large,m5.xlarge choice=ordered min=2 max=3; environment ce2 shared
        queue q backfill ce ce2; queue r ce2
        at +1
        submit a r vcpus=3 timeout=100; started a
        submit front q vcpus=4; submit b q vcpus=3 timeout=90; submit c q vcpus=1 timeout=90
        explain front
        at +101; exited a 0
        ",
        &expect![[r#"
            > host vcpus=6 memory=65536
            > environment ce types=m5.large,m5.xlarge choice=ordered min=2 max=3; environment ce2 shared
                environment 1 ce is version 1, Enabled
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                environment 2 ce2 is version 1, Enabled
            > queue q backfill ce ce2; queue r ce2
                queue 1 q is version 1, Enabled
                queue 1 is told QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:backfill", "on")], removed: [] })
                queue 2 r is version 1, Enabled
            > at +1
            > submit a r vcpus=3 timeout=100; started a
                a is number 1 of queue 2
                a RUNNABLE
                a STARTING in environment 2
                => launch a#1
                a RUNNING
            > submit front q vcpus=4; submit b q vcpus=3 timeout=90; submit c q vcpus=1 timeout=90
                front is number 2 of queue 1
                front RUNNABLE
                b is number 3 of queue 1
                b RUNNABLE
                c is number 4 of queue 1
                c RUNNABLE
                c STARTING in environment 1 on instance 1
                => launch c#1
            > explain front
                front is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce may have 3 vCPU at most, less than the job needs; needed: maxvCpus of 4
                  compute environment ce2 has to wait for other jobs: this host has 1 vCPU, 56864 MiB free
                  there will be room in about 100 s, when job a reaches its timeout
            > at +101; exited a 0
                a is to stop: timeout
                => stop a#1 within 30000ms
                a FAILED: Job attempt duration exceeded timeout, exit code 0
                => forget a#1
                front STARTING in environment 2
                => launch front#1
        "#]],
    );
}
