//! Multi-node parallel jobs (section B.11): placed together, ended by their main node.
//!
//! Long because it is data: scripts with their golden output.

use expect_test::expect;

use crate::script::check;

#[test]
fn the_main_node_starts_first_and_ends_the_job() {
    check(
        "
        environment ce shared; queue q ce
        submit a q nodes=3 main=1; submit b q after=a
        show; explain a; explain a:0; explain b
        started a:0; started a:1
        explain a:0; started a:0; exited a:0 7
        explain a; explain a:0
        exited a:1 0; explain a
        exited a:2 143
        show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q nodes=3 main=1; submit b q after=a
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 and environment 1 and environment 1
                => launch a:1#1
                b is number 2 of queue 1
            > show; explain a; explain a:0; explain b
                ce: 3 vCPU, 1536 MiB in use by 3
                a STARTING
                b PENDING
                a is STARTING in queue q; its 3 nodes need 3 vCPU, 1536 MiB together.
                Its nodes have their places in compute environment ce: 3 starting, 0 running, 0 ended.
                a#0 is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce, and starts when the main node runs.
                b is PENDING in queue q; it needs 1 vCPU, 512 MiB.
                It waits for job a to succeed.
            > started a:0; started a:1
                a RUNNING, with its main node 1
                => launch a:0#1
                => launch a:2#1
            > explain a:0; started a:0; exited a:0 7
                a#0 is STARTING in queue q; it needs 1 vCPU, 512 MiB.
                It has its place in compute environment ce.
                a:0 RUNNING
                a:0 FAILED: Essential container in task exited, exit code 7
                => forget a:0#1
            > explain a; explain a:0
                a is RUNNING in queue q; its 3 nodes need 3 vCPU, 1536 MiB together.
                Its nodes have their places in compute environment ce: 1 starting, 1 running, 1 ended.
                it is not live
            > exited a:1 0; explain a
                a:1 SUCCEEDED: Essential container in task exited, exit code 0
                a:2 is to stop: main node ended
                => forget a:1#1
                => stop a:2#1 within 30000ms
                a is RUNNING in queue q; its 3 nodes need 3 vCPU, 1536 MiB together.
                Its nodes have their places in compute environment ce: 1 starting, 0 running, 2 ended.
                It is being stopped: the main node has ended.
            > exited a:2 143
                a:2 SUCCEEDED: Main node of the job ended, exit code 143, never RUNNING
                a SUCCEEDED: Essential container in task exited
                b waits no more for a
                b RUNNABLE
                => forget a:2#1
                b STARTING in environment 1
                => launch b#1
            > show
                ce: 1 vCPU, 512 MiB in use by 1
                b STARTING
        "#]],
    );
}

#[test]
fn a_gang_waits_for_all_its_places_and_holds_its_queue_up() {
    check(
        "
        environment ce shared max=3; environment other shared max=8; queue q ce other
        submit a q; submit b q nodes=3; submit c q
        explain b; explain b:2; explain c
        exited a 0
        submit d q nodes=9; terminate b; exited b:0 143; explain d
        ",
        &expect![[r#"
            > environment ce shared max=3; environment other shared max=8; queue q ce other
                environment 1 ce is version 1, Enabled
                environment 2 other is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; submit b q nodes=3; submit c q
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                c is number 3 of queue 1
                c RUNNABLE
            > explain b; explain b:2; explain c
                b is RUNNABLE in queue q; its 3 nodes need 3 vCPU, 1536 MiB together.
                It is next in its queue, and cannot start:
                  compute environment ce holds 1 of the 3 vCPU it may have at most; needed: maxvCpus of 4, or others to end
                b#2 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce holds 1 of the 3 vCPU it may have at most; needed: maxvCpus of 4, or others to end
                c is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, b, cannot start, and holds the queue up:
                  compute environment ce holds 1 of the 3 vCPU it may have at most; needed: maxvCpus of 4, or others to end
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b STARTING in environment 1 and environment 1 and environment 1
                c STARTING in environment 2
                => launch b:0#1
                => launch c#1
            > submit d q nodes=9; terminate b; exited b:0 143; explain d
                d is number 4 of queue 1
                d RUNNABLE
                queue 1 is held up by d: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.
                b is to stop: enough
                b:1 FAILED: enough, never RUNNING
                b:2 FAILED: enough, never RUNNING
                => stop b:0#1 within 30000ms
                => forget b:1#1
                => forget b:2#1
                b:0 FAILED: enough, exit code 143, never RUNNING
                b FAILED: enough
                => forget b:0#1
                d is RUNNABLE in queue q; its 9 nodes need 9 vCPU, 4608 MiB together.
                It is next in its queue, and cannot start:
                  compute environment ce runs on this host, which has 4 vCPU, 8192 MiB: less than the job needs, even when idle; needed: that the job asks for less
                  compute environment other runs on this host, which has 4 vCPU, 8192 MiB: less than the job needs, even when idle; needed: that the job asks for less
        "#]],
    );
}

#[test]
fn each_node_has_its_instance_for_itself() {
    check(
        "
        host vcpus=8 memory=32000
        environment ce types=m5.large,m5.xlarge max=8; queue q ce
        submit a q; submit b q nodes=2 other-vcpus=3
        show
        submit c q
        show
        exited b:0 0; exited a 0
        submit d q nodes=3; explain d; exited c 0
        show
        at +60
        show
        ",
        &expect![[r#"
            > host vcpus=8 memory=32000
            > environment ce types=m5.large,m5.xlarge max=8; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; submit b q nodes=2 other-vcpus=3
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, m5.large with 2 vCPU, 7488 MiB
                environment 1 got instance 3, m5.xlarge with 4 vCPU, 16352 MiB
                b STARTING in environment 1 on instance 2 and environment 1 on instance 3
                => launch b:0#1
            > show
                ce: 5 vCPU, 1536 MiB in use by 3, instance 1 has 1 vCPU, 7648 MiB free, instance 2 has 0 vCPU, 0 MiB free, instance 3 has 0 vCPU, 0 MiB free
                a STARTING
                b STARTING
            > submit c q
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1 on instance 1
                => launch c#1
            > show
                ce: 6 vCPU, 2048 MiB in use by 4, instance 1 has 0 vCPU, 7136 MiB free, instance 2 has 0 vCPU, 0 MiB free, instance 3 has 0 vCPU, 0 MiB free
                a STARTING
                b STARTING
                c STARTING
            > exited b:0 0; exited a 0
                b:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b:1 FAILED: Essential container in task exited, never RUNNING
                b SUCCEEDED: Essential container in task exited
                => forget b:0#1
                => forget b:1#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
            > submit d q nodes=3; explain d; exited c 0
                d is number 4 of queue 1
                d RUNNABLE
                environment 1 gave instance 3 back
                environment 1 got instance 4, m5.large with 2 vCPU, 8160 MiB
                environment 1 got instance 5, m5.large with 1 vCPU, 7680 MiB
                environment 1 got instance 6, m5.large with 1 vCPU, 512 MiB
                d STARTING in environment 1 on instance 4 and environment 1 on instance 5 and environment 1 on instance 6
                => launch d:0#1
                d is STARTING in queue q; its 3 nodes need 3 vCPU, 1536 MiB together.
                Its nodes have their places in compute environment ce: 3 starting, 0 running, 0 ended.
                c SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c#1
            > show
                ce: 3 vCPU, 1536 MiB in use by 3, instance 1 has 2 vCPU, 8160 MiB free, instance 2 has 2 vCPU, 7488 MiB free, instance 4 has 0 vCPU, 0 MiB free, instance 5 has 0 vCPU, 0 MiB free, instance 6 has 0 vCPU, 0 MiB free
                d STARTING
            > at +60
                environment 1 gave instance 1 back
                environment 1 gave instance 2 back
            > show
                ce: 3 vCPU, 1536 MiB in use by 3, instance 4 has 0 vCPU, 0 MiB free, instance 5 has 0 vCPU, 0 MiB free, instance 6 has 0 vCPU, 0 MiB free
                d STARTING
        "#]],
    );
}

#[test]
fn idle_instances_of_the_wrong_size_make_way() {
    check(
        "
        host vcpus=4 memory=32000
        environment ce types=m5.large,m5.xlarge max=4; queue q ce
        submit a q vcpus=4; exited a 0
        submit b q nodes=2
        show
        ",
        &expect![[r#"
            > host vcpus=4 memory=32000
            > environment ce types=m5.large,m5.xlarge max=4; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=4; exited a 0
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.xlarge with 4 vCPU, 16352 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
            > submit b q nodes=2
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 gave instance 1 back
                environment 1 got instance 2, m5.large with 2 vCPU, 8160 MiB
                environment 1 got instance 3, m5.large with 2 vCPU, 8160 MiB
                b STARTING in environment 1 on instance 2 and environment 1 on instance 3
                => launch b:0#1
            > show
                ce: 2 vCPU, 1024 MiB in use by 2, instance 2 has 0 vCPU, 0 MiB free, instance 3 has 0 vCPU, 0 MiB free
                b STARTING
        "#]],
    );
}

#[test]
fn the_main_node_decides_on_retries_and_all_nodes_run_again() {
    check(
        "
        environment ce shared; queue q ce
        submit a q nodes=2 attempts=2; submit b q
        started a:0; started a:1; exited a:1 0
        exited a:0 1
        explain a
        started a:0; exited a:0 1
        exited a:1 1
        show
        exited b 0; submit c q nodes=2 attempts=3 exit-on=code:1
        started c:0; exited c:0 1; exited c:1 0; show
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q nodes=2 attempts=2; submit b q
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 and environment 1
                => launch a:0#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
            > started a:0; started a:1; exited a:1 0
                a RUNNING, with its main node 0
                => launch a:1#1
                a:1 RUNNING
                a:1 SUCCEEDED: Essential container in task exited, exit code 0
                => forget a:1#1
            > exited a:0 1
                a:0 RUNNABLE again: Essential container in task exited, exit code 1
                a RUNNABLE again: Essential container in task exited
                => forget a:0#1
                a STARTING in environment 1 and environment 1
                => launch a:0#2
            > explain a
                a is STARTING in queue q; its 2 nodes need 2 vCPU, 1024 MiB together.
                Its nodes have their places in compute environment ce: 2 starting, 0 running, 0 ended.
            > started a:0; exited a:0 1
                a RUNNING, with its main node 0
                => launch a:1#2
                a:0 FAILED: Essential container in task exited, exit code 1
                a:1 is to stop: main node ended
                => forget a:0#2
                => stop a:1#2 within 30000ms
            > exited a:1 1
                a:1 FAILED: Main node of the job ended, exit code 1, never RUNNING
                a FAILED: Essential container in task exited
                => forget a:1#2
            > show
                ce: 1 vCPU, 512 MiB in use by 1
                b STARTING
            > exited b 0; submit c q nodes=2 attempts=3 exit-on=code:1
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1 and environment 1
                => launch c:0#1
            > started c:0; exited c:0 1; exited c:1 0; show
                c RUNNING, with its main node 0
                => launch c:1#1
                c:0 FAILED: Essential container in task exited, exit code 1
                c:1 is to stop: main node ended
                => forget c:0#1
                => stop c:1#1 within 30000ms
                c:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c FAILED: Essential container in task exited
                => forget c:1#1
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn stops_reach_all_nodes() {
    check(
        "
        environment ce shared; queue q ce
        submit a q nodes=2 attempts=3; terminate a; exited a:0 143
        submit b q nodes=2 attempts=3; started b:0; started b:1; terminate b; exited b:1 0; exited b:0 143
        submit c q nodes=2 attempts=3; started c:0; cancel c; explain c; exited c:0 1; exited c:1 0
        submit d q nodes=2 timeout=60 attempts=3; at +100; started d:0; at +60; started d:1; exited d:0 137; exited d:1 137
        submit e q nodes=2 attempts=3; started e:0; exited e:0 1; terminate e; exited e:1 1
        submit f q nodes=2; terminate f:1; started f:0; terminate f:1; exited f:1 143; terminate f:0; exited f:0 143
        submit g q vcpus=4; submit h q nodes=2; cancel h; submit i q nodes=2; terminate i:1; terminate i:0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q nodes=2 attempts=3; terminate a; exited a:0 143
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 and environment 1
                => launch a:0#1
                a is to stop: enough
                a:1 FAILED: enough, never RUNNING
                => stop a:0#1 within 30000ms
                => forget a:1#1
                a:0 FAILED: enough, exit code 143, never RUNNING
                a FAILED: enough
                => forget a:0#1
            > submit b q nodes=2 attempts=3; started b:0; started b:1; terminate b; exited b:1 0; exited b:0 143
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1 and environment 1
                => launch b:0#1
                b RUNNING, with its main node 0
                => launch b:1#1
                b:1 RUNNING
                b is to stop: enough
                => stop b:0#1 within 30000ms
                => stop b:1#1 within 30000ms
                b:1 FAILED: enough, exit code 0
                => forget b:1#1
                b:0 FAILED: enough, exit code 143
                b FAILED: enough
                => forget b:0#1
            > submit c q nodes=2 attempts=3; started c:0; cancel c; explain c; exited c:0 1; exited c:1 0
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1 and environment 1
                => launch c:0#1
                c RUNNING, with its main node 0
                => launch c:1#1
                c is cancelled, and goes on
                c is RUNNING in queue q; its 2 nodes need 2 vCPU, 1024 MiB together.
                Its nodes have their places in compute environment ce: 1 starting, 1 running, 0 ended.
                c:0 FAILED: Essential container in task exited, exit code 1
                c:1 is to stop: main node ended
                => forget c:0#1
                => stop c:1#1 within 30000ms
                c:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                c FAILED: Essential container in task exited
                => forget c:1#1
            > submit d q nodes=2 timeout=60 attempts=3; at +100; started d:0; at +60; started d:1; exited d:0 137; exited d:1 137
                d is number 4 of queue 1
                d RUNNABLE
                d STARTING in environment 1 and environment 1
                => launch d:0#1
                d RUNNING, with its main node 0
                => launch d:1#1
                d is to stop: timeout
                => stop d:0#1 within 30000ms
                => stop d:1#1 within 30000ms
                d:1 RUNNING
                d:0 FAILED: Job attempt duration exceeded timeout, exit code 137
                => forget d:0#1
                d:1 FAILED: Job attempt duration exceeded timeout, exit code 137
                d FAILED: Job attempt duration exceeded timeout
                => forget d:1#1
            > submit e q nodes=2 attempts=3; started e:0; exited e:0 1; terminate e; exited e:1 1
                e is number 5 of queue 1
                e RUNNABLE
                e STARTING in environment 1 and environment 1
                => launch e:0#1
                e RUNNING, with its main node 0
                => launch e:1#1
                e:0 RUNNABLE again: Essential container in task exited, exit code 1
                e:1 is to stop: main node ended
                => forget e:0#1
                => stop e:1#1 within 30000ms
                e is to stop: enough
                e:1 FAILED: enough, exit code 1, never RUNNING
                e FAILED: enough
                => forget e:1#1
            > submit f q nodes=2; terminate f:1; started f:0; terminate f:1; exited f:1 143; terminate f:0; exited f:0 143
                f is number 6 of queue 1
                f RUNNABLE
                f STARTING in environment 1 and environment 1
                => launch f:0#1
                f RUNNING, with its main node 0
                => launch f:1#1
                f:1 is to stop: enough
                => stop f:1#1 within 30000ms
                f:1 FAILED: enough, exit code 143, never RUNNING
                => forget f:1#1
                f is to stop: enough
                => stop f:0#1 within 30000ms
                f:0 FAILED: enough, exit code 143
                f FAILED: enough
                => forget f:0#1
            > submit g q vcpus=4; submit h q nodes=2; cancel h; submit i q nodes=2; terminate i:1; terminate i:0
                g is number 7 of queue 1
                g RUNNABLE
                g STARTING in environment 1
                => launch g#1
                h is number 8 of queue 1
                h RUNNABLE
                h FAILED: not needed, cancelled
                i is number 9 of queue 1
                i RUNNABLE
                i FAILED: enough, terminated
        "#]],
    );
}

#[test]
fn assumed_a_node_that_never_starts_ends_the_attempt() {
    check(
        "
        environment ce shared; queue q ce
        submit a q nodes=3 attempts=2 exit-on=code:7
        started a:0; started a:1; not-started a:2 CannotPullContainerError:no
        explain a
        exited a:1 143; exited a:0 0
        started a:0; lost a:1; started a:2; exited a:0 0; exited a:2 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q nodes=3 attempts=2 exit-on=code:7
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 and environment 1 and environment 1
                => launch a:0#1
            > started a:0; started a:1; not-started a:2 CannotPullContainerError:no
                a RUNNING, with its main node 0
                => launch a:1#1
                => launch a:2#1
                a:1 RUNNING
                a:2 FAILED: Task failed to start, CannotPullContainerError:no, never RUNNING
                a is to stop: another node did not start
                => forget a:2#1
                => stop a:0#1 within 30000ms
                => stop a:1#1 within 30000ms
            > explain a
                a is RUNNING in queue q; its 3 nodes need 3 vCPU, 1536 MiB together.
                Its nodes have their places in compute environment ce: 0 starting, 2 running, 1 ended.
                It is being stopped: another node could not be started: CannotPullContainerError:no.
            > exited a:1 143; exited a:0 0
                a:1 FAILED: Another node of the job failed to start, exit code 143
                => forget a:1#1
                a:0 RUNNABLE again: Task failed to start, exit code 0, CannotPullContainerError:no
                a RUNNABLE again: Task failed to start
                => forget a:0#1
                a STARTING in environment 1 and environment 1 and environment 1
                => launch a:0#2
            > started a:0; lost a:1; started a:2; exited a:0 0; exited a:2 0
                a RUNNING, with its main node 0
                => launch a:1#2
                => launch a:2#2
                a:1 FAILED: Host EC2 (instance i-00000000000000000) terminated., never RUNNING
                => forget a:1#2
                a:2 RUNNING
                a:0 SUCCEEDED: Essential container in task exited, exit code 0
                a:2 is to stop: main node ended
                => forget a:0#2
                => stop a:2#2 within 30000ms
                a:2 SUCCEEDED: Essential container in task exited, exit code 0
                a SUCCEEDED: Essential container in task exited
                => forget a:2#2
        "#]],
    );
}

#[test]
fn the_main_nodes_host_may_go_before_it_starts() {
    check(
        "
        environment ce shared; queue q ce
        submit a q nodes=2 attempts=2; lost a:0
        not-started a:0 CannotStartContainerError:no
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q nodes=2 attempts=2; lost a:0
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 and environment 1
                => launch a:0#1
                a:0 RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated., never RUNNING
                a:1 FAILED: Host EC2 (instance i-00000000000000000) terminated., never RUNNING
                a RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated.
                => forget a:0#1
                => forget a:1#1
                a STARTING in environment 1 and environment 1
                => launch a:0#2
            > not-started a:0 CannotStartContainerError:no
                a:0 FAILED: Task failed to start, CannotStartContainerError:no, never RUNNING
                a:1 FAILED: Task failed to start, never RUNNING
                a FAILED: Task failed to start
                => forget a:0#2
                => forget a:1#2
        "#]],
    );
}

#[test]
fn queues_without_an_environment_for_nodes_refuse_them() {
    check(
        "
        environment ce shared spot; environment od shared max=1; queue q ce; queue r ce od
        submit a q nodes=2
        submit a r nodes=2 array=2
        submit a r nodes=2; explain a
        submit b r after=a:1
        ",
        &expect![[r#"
            > environment ce shared spot; environment od shared max=1; queue q ce; queue r ce od
                environment 1 ce is version 1, Enabled
                environment 2 od is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 r is version 1, Enabled
            > submit a q nodes=2
                refused: job queue q has no compute environment for multi-node parallel jobs
            > submit a r nodes=2 array=2
                refused: a multi-node parallel job cannot be an array job
            > submit a r nodes=2; explain a
                a is number 1 of queue 2
                a RUNNABLE
                queue 2 is held up by a: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU requirement of the job.
                a is RUNNABLE in queue r; its 2 nodes need 2 vCPU, 1024 MiB together.
                It is next in its queue, and cannot start:
                  compute environment ce takes no multi-node parallel jobs
                  compute environment od may have 1 vCPU at most, less than the job needs; needed: maxvCpus of 2
            > submit b r after=a:1
                refused: job a:1, which this job depends on, does not exist
        "#]],
    );
}

#[test]
fn what_is_deleted_takes_its_nodes_along() {
    check(
        "
        environment one shared; environment two shared; queue q one
        submit a q nodes=2 attempts=2; started a:0
        update queue q two; update environment one shared disabled; delete environment one
        exited a:1 143; exited a:0 143
        started a:0; update queue q two disabled; delete queue q
        exited a:0 0; exited a:1 0
        show
        ",
        &expect![[r#"
            > environment one shared; environment two shared; queue q one
                environment 1 one is version 1, Enabled
                environment 2 two is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q nodes=2 attempts=2; started a:0
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 and environment 1
                => launch a:0#1
                a RUNNING, with its main node 0
                => launch a:1#1
            > update queue q two; update environment one shared disabled; delete environment one
                queue 1 q is version 2, Enabled
                environment 1 one is version 2, Disabled
                environment 1 is being deleted
                a is to stop: environment deleted
                => stop a:0#1 within 30000ms
                => stop a:1#1 within 30000ms
            > exited a:1 143; exited a:0 143
                a:1 FAILED: Host EC2 (instance i-00000000000000000) terminated., exit code 143, never RUNNING
                => forget a:1#1
                a:0 RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated., exit code 143
                a RUNNABLE again: Host EC2 (instance i-00000000000000000) terminated.
                => forget a:0#1
                environment 1 is gone
                a STARTING in environment 2 and environment 2
                => launch a:0#2
            > started a:0; update queue q two disabled; delete queue q
                a RUNNING, with its main node 0
                => launch a:1#2
                queue 1 q is version 3, Disabled
                queue 1 is being deleted
                a is to stop: Job queue was deleted
                => stop a:0#2 within 30000ms
                => stop a:1#2 within 30000ms
            > exited a:0 0; exited a:1 0
                a:0 FAILED: Job queue was deleted, exit code 0
                => forget a:0#2
                a:1 FAILED: Job queue was deleted, exit code 0, never RUNNING
                a FAILED: Job queue was deleted
                => forget a:1#2
                queue 1 is gone
            > show
                two: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn nodes_may_ask_for_an_instance_type() {
    check(
        "
        host vcpus=8 memory=32000
        environment ce types=m5.large,m5.xlarge max=8; queue q ce
        submit a q; exited a 0
        submit b q nodes=2 type=m5.xlarge; exited b:0 0
        submit c q nodes=2 type=m5.2xlarge; explain c
        ",
        &expect![[r#"
            > host vcpus=8 memory=32000
            > environment ce types=m5.large,m5.xlarge max=8; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q; exited a 0
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
            > submit b q nodes=2 type=m5.xlarge; exited b:0 0
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, m5.xlarge with 4 vCPU, 16352 MiB
                environment 1 got instance 3, m5.xlarge with 2 vCPU, 7488 MiB
                b STARTING in environment 1 on instance 2 and environment 1 on instance 3
                => launch b:0#1
                b:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                b:1 FAILED: Essential container in task exited, never RUNNING
                b SUCCEEDED: Essential container in task exited
                => forget b:0#1
                => forget b:1#1
            > submit c q nodes=2 type=m5.2xlarge; explain c
                c is number 3 of queue 1
                c RUNNABLE
                queue 1 is held up by c: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.
                c is RUNNABLE in queue q; its 2 nodes need 2 vCPU, 1024 MiB together.
                It is next in its queue, and cannot start:
                  compute environment ce has no instances of type m5.2xlarge, which the job asks for; needed: m5.2xlarge among its instance types
        "#]],
    );
}
