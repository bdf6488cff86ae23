//! Capacity that is taken away under its jobs (section F6.3).

use expect_test::expect;

use crate::script::check;

#[test]
fn an_instance_that_is_taken_away_takes_no_jobs_and_ends_what_it_has() {
    check(
        "
        host vcpus=8 memory=65536
        environment ce types=m5.large max=4; queue q ce
        submit a q attempts=2; started a; interrupt a notice=120; interrupt-instance 1
        submit b q; started b; at +60; explain a; explain b
        exited b 0; at +60
        exited a 143; show
        started a#2; exited a#2 0; at +60; show
        ",
        &expect![[r#"
            > host vcpus=8 memory=65536
            > environment ce types=m5.large max=4; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=2; started a; interrupt a notice=120; interrupt-instance 1
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                a RUNNING
                environment 1 loses instance 1
            > submit b q; started b; at +60; explain a; explain b
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, m5.large with 2 vCPU, 8160 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
                b RUNNING
                a is RUNNING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce, on instance i-00000000000000001.
                b is RUNNING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce, on instance i-00000000000000002.
            > exited b 0; at +60
                b SUCCEEDED: Essential container in task exited, exit code 0
                => forget b#1
                environment 1 gave instance 2 back
                environment 1 loses instance 1, now
                a is to stop: its place is taken away
                => stop a#1 within 30000ms
            > exited a 143; show
                a RUNNABLE again: Host EC2 (instance i-00000000000000001) terminated., exit code 143
                => forget a#1
                environment 1 gave instance 1 back
                environment 1 got instance 3, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 3
                => launch a#2
                ce: 1 vCPU, 512 MiB in use by 1, instance 3 has 1 vCPU, 7648 MiB free
                a STARTING
            > started a#2; exited a#2 0; at +60; show
                a RUNNING
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#2
                environment 1 gave instance 3 back
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn jobs_that_end_in_time_are_none_the_worse() {
    check(
        "
        host vcpus=8 memory=65536
        environment ce types=m5.large min=2 max=4; queue q ce
        submit a q; started a; interrupt a notice=120; at +30; exited a 0; at +120
        interrupt-instance 2; interrupt-instance 99; interrupt a
        submit big q vcpus=9; interrupt big
        ",
        &expect![[r#"
            > host vcpus=8 memory=65536
            > environment ce types=m5.large min=2 max=4; queue q ce
                environment 1 ce is version 1, Enabled
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                queue 1 q is version 1, Enabled
            > submit a q; started a; interrupt a notice=120; at +30; exited a 0; at +120
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 on instance 1
                => launch a#1
                a RUNNING
                environment 1 loses instance 1
                a SUCCEEDED: Essential container in task exited, exit code 0
                => forget a#1
                environment 1 gave instance 1 back
                environment 1 got instance 2, m5.large with 2 vCPU, 8160 MiB
            > interrupt-instance 2; interrupt-instance 99; interrupt a
                environment 1 loses instance 2
                environment 1 gave instance 2 back
                environment 1 got instance 3, m5.large with 2 vCPU, 8160 MiB
                refused: instance i-00000000000000063 does not exist
                refused: job a neither runs nor is being started
            > submit big q vcpus=9; interrupt big
                big is number 2 of queue 1
                big RUNNABLE
                queue 1 is held up by big: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.
                refused: job big neither runs nor is being started
        "#]],
    );
}

#[test]
fn places_on_the_host_are_taken_away_at_once() {
    check(
        "
        environment ce shared; environment spot shared platform=fargate; queue q ce; queue f spot
        submit a q attempts=2; submit b f platform=fargate attempts=2 retry-on=status:Your*; submit nodes q nodes=2
        started a; started b; started nodes:0; started nodes:1
        interrupt a notice=120; interrupt b; interrupt nodes; interrupt a
        exited a 143; exited b 143; exited nodes:0 143; exited nodes:1 143
        ",
        &expect![[r#"
            > environment ce shared; environment spot shared platform=fargate; queue q ce; queue f spot
                environment 1 ce is version 1, Enabled
                environment 2 spot is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 f is version 1, Enabled
            > submit a q attempts=2; submit b f platform=fargate attempts=2 retry-on=status:Your*; submit nodes q nodes=2
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 2
                b RUNNABLE
                b STARTING in environment 2
                => launch b#1
                nodes is number 3 of queue 1
                nodes RUNNABLE
                nodes STARTING in environment 1 and environment 1
                => launch nodes:0#1
            > started a; started b; started nodes:0; started nodes:1
                a RUNNING
                b RUNNING
                nodes RUNNING, with its main node 0
                => launch nodes:1#1
                nodes:1 RUNNING
            > interrupt a notice=120; interrupt b; interrupt nodes; interrupt a
                a is to stop: its place is taken away
                => stop a#1 within 30000ms
                b is to stop: its place is taken away
                => stop b#1 within 30000ms
                nodes is to stop: its place is taken away
                => stop nodes:0#1 within 30000ms
                => stop nodes:1#1 within 30000ms
            > exited a 143; exited b 143; exited nodes:0 143; exited nodes:1 143
                a RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated., exit code 143
                => forget a#1
                a STARTING in environment 1
                => launch a#2
                b RUNNABLE again: Your Spot Task was interrupted., exit code 143
                => forget b#1
                b STARTING in environment 2
                => launch b#2
                nodes:0 FAILED: Host EC2 (instance i-00000000000000000) terminated., exit code 143
                => forget nodes:0#1
                nodes:1 FAILED: Host EC2 (instance i-00000000000000000) terminated., exit code 143
                nodes FAILED: Host EC2 (instance i-00000000000000000) terminated.
                => forget nodes:1#1
        "#]],
    );
}
