//! GPUs of service jobs, and preemption that takes more than one end.

use expect_test::expect;

use crate::script::check;

#[test]
fn gpus_of_the_host_are_shared_with_other_jobs() {
    check(
        "
        host vcpus=4 memory=8192 gpus=4
        environment svc unit=ml.p3.2xlarge:9; queue q service-environment/svc; environment e shared; queue r e
        submit a q unit=ml.p3.2xlarge:2 gpus=2; submit b r gpus=1; submit c q unit=ml.p3.2xlarge:2 gpus=2; submit d r gpus=2
        explain c; explain d
        started b; exited b 0
        started a; exited a 0
        ",
        &expect![[r#"
            > host vcpus=4 memory=8192 gpus=4
            > environment svc unit=ml.p3.2xlarge:9; queue q service-environment/svc; environment e shared; queue r e
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
                environment 2 e is version 1, Enabled
                queue 2 r is version 1, Enabled
            > submit a q unit=ml.p3.2xlarge:2 gpus=2; submit b r gpus=1; submit c q unit=ml.p3.2xlarge:2 gpus=2; submit d r gpus=2
                a is number 1 of queue 1
                a RUNNABLE
                a SCHEDULED in environment 1 with GPUs {0, 1}
                => launch a#1
                b is number 2 of queue 2
                b RUNNABLE
                b STARTING in environment 2 with GPUs {2}
                => launch b#1
                c is number 3 of queue 1
                c RUNNABLE
                d is number 4 of queue 2
                d RUNNABLE
            > explain c; explain d
                c is RUNNABLE in queue q; it needs 2 ml.p3.2xlarge, 2 GPU of the host.
                It is next in its queue, and cannot start:
                  service environment svc has to wait for other jobs: this host has 3 vCPU, 7680 MiB, 1 GPU free
                d is RUNNABLE in queue r; it needs 1 vCPU, 512 MiB, 2 GPU.
                It is next in its queue, and cannot start:
                  compute environment e has to wait for other jobs: this host has 3 vCPU, 7680 MiB, 1 GPU free
            > started b; exited b 0
                b RUNNING
                b SUCCEEDED: Essential container in task exited, exit code 0
                => forget b#1
                c SCHEDULED in environment 1 with GPUs {2, 3}
                queue 2 is held up by d: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [optimal]
                => launch c#1
            > started a; exited a 0
                a RUNNING
                a SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0
                => forget a#1
                queue 2 is held up no more
                d STARTING in environment 2 with GPUs {0, 1}
                => launch d#1
        "#]],
    );
}

#[test]
fn nobody_is_stopped_for_a_front_that_would_wait_for_gpus() {
    check(
        "
        host vcpus=4 memory=8192 gpus=4
        item scheduling-policy/quota quota; environment svc unit=ml.p3.2xlarge:2; queue q policy=quota service-environment/svc; environment e shared; queue r e
        item job-queue/q/quota-share/a unit=ml.p3.2xlarge:0 borrow=all; item job-queue/q/quota-share/b unit=ml.p3.2xlarge:2 lend
        submit x r gpus=1; submit y r gpus=1
        submit a1 q unit=ml.p3.2xlarge:1 gpus=1 quota=a; submit a2 q unit=ml.p3.2xlarge:1 gpus=1 quota=a
        submit b1 q unit=ml.p3.2xlarge:2 gpus=3 quota=b
        started x; exited x 0
        started a1; started a2; exited a1 143; exited a2 143
        ",
        &expect![[r#"
            > host vcpus=4 memory=8192 gpus=4
            > item scheduling-policy/quota quota; environment svc unit=ml.p3.2xlarge:2; queue q policy=quota service-environment/svc; environment e shared; queue r e
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
                environment 2 e is version 1, Enabled
                queue 2 r is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.p3.2xlarge:0 borrow=all; item job-queue/q/quota-share/b unit=ml.p3.2xlarge:2 lend
                job-queue/q/quota-share/a is version 1
                job-queue/q/quota-share/b is version 1
            > submit x r gpus=1; submit y r gpus=1
                x is number 1 of queue 2
                x RUNNABLE
                x STARTING in environment 2 with GPUs {0}
                => launch x#1
                y is number 2 of queue 2
                y RUNNABLE
                y STARTING in environment 2 with GPUs {1}
                => launch y#1
            > submit a1 q unit=ml.p3.2xlarge:1 gpus=1 quota=a; submit a2 q unit=ml.p3.2xlarge:1 gpus=1 quota=a
                a1 is number 3 of queue 1
                a1 RUNNABLE
                a1 SCHEDULED in environment 1 with GPUs {2}
                => launch a1#1
                a2 is number 4 of queue 1
                a2 RUNNABLE
                a2 SCHEDULED in environment 1 with GPUs {3}
                => launch a2#1
            > submit b1 q unit=ml.p3.2xlarge:2 gpus=3 quota=b
                b1 is number 5 of queue 1
                b1 RUNNABLE
            > started x; exited x 0
                x RUNNING
                x SUCCEEDED: Essential container in task exited, exit code 0
                => forget x#1
                a2 is to stop: other shares want back what was borrowed
                a1 is to stop: other shares want back what was borrowed
                => stop a2#1 within 30000ms
                => stop a1#1 within 30000ms
            > started a1; started a2; exited a1 143; exited a2 143
                a1 RUNNING
                a2 RUNNING
                a1 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143
                => forget a1#1
                a2 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143
                => forget a2#1
                b1 SCHEDULED in environment 1 with GPUs {0, 2, 3}
                => launch b1#1
        "#]],
    );
}

#[test]
fn another_stop_may_free_what_borrowers_wait_for() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.p3.2xlarge:5; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.p3.2xlarge:3 lend
        item job-queue/q/quota-share/b unit=ml.p3.2xlarge:1 lend borrow=all
        item job-queue/q/quota-share/c unit=ml.p3.2xlarge:1 lend borrow=all
        submit b1 q unit=ml.p3.2xlarge:1 quota=b; submit b2 q unit=ml.p3.2xlarge:1 quota=b
        submit c1 q unit=ml.p3.2xlarge:1 quota=c; submit c2 q unit=ml.p3.2xlarge:1 quota=c
        started b1; started b2; started c1; started c2
        submit a1 q unit=ml.p3.2xlarge:3 quota=a
        submit b3 q unit=ml.p3.2xlarge:1 quota=b
        explain b3
        interrupt b1
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.p3.2xlarge:5; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.p3.2xlarge:3 lend
                job-queue/q/quota-share/a is version 1
            > item job-queue/q/quota-share/b unit=ml.p3.2xlarge:1 lend borrow=all
                job-queue/q/quota-share/b is version 1
            > item job-queue/q/quota-share/c unit=ml.p3.2xlarge:1 lend borrow=all
                job-queue/q/quota-share/c is version 1
            > submit b1 q unit=ml.p3.2xlarge:1 quota=b; submit b2 q unit=ml.p3.2xlarge:1 quota=b
                b1 is number 1 of queue 1
                b1 RUNNABLE
                b1 SCHEDULED in environment 1
                => launch b1#1
                b2 is number 2 of queue 1
                b2 RUNNABLE
                b2 SCHEDULED in environment 1
                => launch b2#1
            > submit c1 q unit=ml.p3.2xlarge:1 quota=c; submit c2 q unit=ml.p3.2xlarge:1 quota=c
                c1 is number 3 of queue 1
                c1 RUNNABLE
                c1 SCHEDULED in environment 1
                => launch c1#1
                c2 is number 4 of queue 1
                c2 RUNNABLE
                c2 SCHEDULED in environment 1
                => launch c2#1
            > started b1; started b2; started c1; started c2
                b1 RUNNING
                b2 RUNNING
                c1 RUNNING
                c2 RUNNING
            > submit a1 q unit=ml.p3.2xlarge:3 quota=a
                a1 is number 5 of queue 1
                a1 RUNNABLE
                b2 is to stop: other shares want back what was borrowed
                c2 is to stop: other shares want back what was borrowed
                => stop b2#1 within 30000ms
                => stop c2#1 within 30000ms
            > submit b3 q unit=ml.p3.2xlarge:1 quota=b
                b3 is number 6 of queue 1
                b3 RUNNABLE
            > explain b3
                b3 is RUNNABLE in queue q; it needs 1 ml.p3.2xlarge.
                It is next in its share, and cannot start:
                  it takes 1 ml.p3.2xlarge; what comes free now is given back to jobs of other shares, which wait for 3
            > interrupt b1
                b1 is to stop: its place is taken away
                => stop b1#1 within 30000ms
                b3 SCHEDULED in environment 1
                => launch b3#1
        "#]],
    );
}

#[test]
fn what_a_front_waits_for_is_not_borrowed_again() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.p3.2xlarge:2; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.p3.2xlarge:0 borrow=all; item job-queue/q/quota-share/b unit=ml.p3.2xlarge:2 lend
        submit a1 q unit=ml.p3.2xlarge:1 quota=a; submit a2 q unit=ml.p3.2xlarge:1 quota=a
        started a1; started a2
        submit b1 q unit=ml.p3.2xlarge:2 quota=b
        exited a1 143
        explain a1
        exited a2 143
        started b1; exited b1 0
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.p3.2xlarge:2; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.p3.2xlarge:0 borrow=all; item job-queue/q/quota-share/b unit=ml.p3.2xlarge:2 lend
                job-queue/q/quota-share/a is version 1
                job-queue/q/quota-share/b is version 1
            > submit a1 q unit=ml.p3.2xlarge:1 quota=a; submit a2 q unit=ml.p3.2xlarge:1 quota=a
                a1 is number 1 of queue 1
                a1 RUNNABLE
                a1 SCHEDULED in environment 1
                => launch a1#1
                a2 is number 2 of queue 1
                a2 RUNNABLE
                a2 SCHEDULED in environment 1
                => launch a2#1
            > started a1; started a2
                a1 RUNNING
                a2 RUNNING
            > submit b1 q unit=ml.p3.2xlarge:2 quota=b
                b1 is number 3 of queue 1
                b1 RUNNABLE
                a2 is to stop: other shares want back what was borrowed
                a1 is to stop: other shares want back what was borrowed
                => stop a2#1 within 30000ms
                => stop a1#1 within 30000ms
            > exited a1 143
                a1 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143
                => forget a1#1
            > explain a1
                a1 is RUNNABLE in queue q; it needs 1 ml.p3.2xlarge.
                It is next in its share, and cannot start:
                  it takes 1 ml.p3.2xlarge; what comes free now is given back to jobs of other shares, which wait for 2
            > exited a2 143
                a2 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143
                => forget a2#1
                b1 SCHEDULED in environment 1
                => launch b1#1
            > started b1; exited b1 0
                b1 RUNNING
                b1 SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0
                => forget b1#1
                a1 SCHEDULED in environment 1
                a2 SCHEDULED in environment 1
                => launch a1#2
                => launch a2#2
        "#]],
    );
}
