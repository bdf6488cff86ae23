//! Infrastructure updates of compute environments (sections D4.2 and D4.3).

use expect_test::expect;

use crate::script::check;

#[test]
fn idle_instances_go_at_once_and_the_minimum_comes_back() {
    check(
        "
        environment ce types=m5.large min=2 max=4; queue q ce
        update environment ce types=c5.large min=2 max=4 renew=1800
        show
        ",
        &expect![[r#"
            > environment ce types=m5.large min=2 max=4; queue q ce
                environment 1 ce is version 1, Enabled
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                queue 1 q is version 1, Enabled
            > update environment ce types=c5.large min=2 max=4 renew=1800
                environment 1 ce is version 2, Enabled
                environment 1 gave instance 1 back
                environment 1 got instance 2, c5.large with 2 vCPU, 4064 MiB
            > show
                ce: 0 vCPU, 0 MiB in use by 0, instance 2 has 2 vCPU, 4064 MiB free
        "#]],
    );
}

#[test]
fn running_jobs_have_their_time_and_new_ones_go_elsewhere() {
    check(
        "
        host vcpus=8 memory=32000
        environment ce types=m5.large max=4; queue q ce
        submit a q
        update environment ce types=c5.large max=4 renew=1800
        submit b q
        update environment ce types=c5.large max=6; delete environment ce
        at +5; exited a 0
        update environment ce types=c5.large max=6
        ",
        &expect![[r#"
            > host vcpus=8 memory=32000
            > environment ce types=m5.large max=4; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
            > update environment ce types=c5.large max=4 renew=1800
                environment 1 ce is version 2, Enabled
                environment 1 replaces instances before 2
            > submit b q
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, c5.large with 2 vCPU, 4064 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
            > update environment ce types=c5.large max=6; delete environment ce
                refused: compute environment ce is being modified
                refused: compute environment ce is being modified
            > at +5; exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                environment 1 gave instance 1 back
                environment 1 is renewed
            > update environment ce types=c5.large max=6
                environment 1 ce is version 3, Enabled
        "#]],
    );
}

#[test]
fn when_the_time_is_over_jobs_are_stopped_as_if_their_host_had_gone() {
    check(
        "
        environment ce types=m5.large max=4; queue q ce
        submit a q attempts=2; submit b q
        update environment ce types=c5.large max=4 renew=60
        at +59; explain a
        at +1; explain a
        exited a 143; exited b 143
        ",
        &expect![[r#"
            > environment ce types=m5.large max=4; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=2; submit b q
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1 on instance 1
                => launch b#1
            > update environment ce types=c5.large max=4 renew=60
                environment 1 ce is version 2, Enabled
                environment 1 replaces instances before 2
            > at +59; explain a
                a is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce, on instance i-00000000000000001.
            > at +1; explain a
                environment 1 replaces instances before 2, now
                a is to stop: instance replaced
                b is to stop: instance replaced
                => stop a#1 within 30000ms
                => stop b#1 within 30000ms
                a is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It is being stopped: compute environment ce was updated, and replaces its instance.
            > exited a 143; exited b 143
                a RUNNABLE again: Host EC2 (instance i-00000000000000001) terminated., exit code 143, never RUNNING
                => forget a#1
                b FAILED: Host EC2 (instance i-00000000000000001) terminated., exit code 143, never RUNNING
                => forget b#1
                environment 1 gave instance 1 back
                environment 1 is renewed
                environment 1 got instance 2, c5.large with 2 vCPU, 4064 MiB
                a STARTING in environment 1 on instance 2
                => launch a#2
        "#]],
    );
}

#[test]
fn jobs_may_be_stopped_at_once() {
    check(
        "
        host vcpus=8 memory=32000
        environment ce types=m5.large max=4; environment host shared; queue q ce; queue other host
        submit a q attempts=2; submit b other attempts=2
        update environment ce types=c5.large max=4 renew=0
        update environment host shared max=8 renew=60
        update environment host shared max=8 renew=0
        exited a 143; exited b 143
        ",
        &expect![[r#"
            > host vcpus=8 memory=32000
            > environment ce types=m5.large max=4; environment host shared; queue q ce; queue other host
                environment 1 ce is version 1, Enabled
                environment 2 host is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 other is version 1, Enabled
            > submit a q attempts=2; submit b other attempts=2
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 2
                b RUNNABLE
                b STARTING in environment 2
                => launch b#1
            > update environment ce types=c5.large max=4 renew=0
                environment 1 ce is version 2, Enabled
                environment 1 replaces instances before 2
                environment 1 replaces instances before 2, now
                a is to stop: instance replaced
                => stop a#1 within 30000ms
            > update environment host shared max=8 renew=60
                environment 2 host is version 2, Enabled
            > update environment host shared max=8 renew=0
                environment 2 host is version 3, Enabled
                b is to stop: instance replaced
                => stop b#1 within 30000ms
            > exited a 143; exited b 143
                a RUNNABLE again: Host EC2 (instance i-00000000000000001) terminated., exit code 143, never RUNNING
                => forget a#1
                environment 1 gave instance 1 back
                environment 1 is renewed
                environment 1 got instance 2, c5.large with 2 vCPU, 4064 MiB
                a STARTING in environment 1 on instance 2
                => launch a#2
                b RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated., exit code 143, never RUNNING
                => forget b#1
                b STARTING in environment 2
                => launch b#2
        "#]],
    );
}

#[test]
fn a_termination_during_the_replacement_prevails() {
    check(
        "
        environment ce types=m5.large max=4; queue q ce
        submit a q attempts=2
        update environment ce types=c5.large max=4 renew=0
        terminate a; exited a 143
        ",
        &expect![[r#"
            > environment ce types=m5.large max=4; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q attempts=2
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
            > update environment ce types=c5.large max=4 renew=0
                environment 1 ce is version 2, Enabled
                environment 1 replaces instances before 2
                environment 1 replaces instances before 2, now
                a is to stop: instance replaced
                => stop a#1 within 30000ms
            > terminate a; exited a 143
                a is to stop: enough
                a FAILED: enough, exit code 143, never RUNNING
                => forget a#1
                environment 1 gave instance 1 back
                environment 1 is renewed
        "#]],
    );
}
