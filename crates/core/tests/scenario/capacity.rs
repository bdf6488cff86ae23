//! Environments and their instances (sections C.2, D.3).
//!
//! Long because it is data: scripts with their golden output.

use expect_test::expect;

use crate::script::check;

#[test]
fn shared_environments_stop_at_their_maximum() {
    check(
        "
        environment ce shared max=2; queue q ce
        submit a q vcpus=1.5; submit b q vcpus=0.5; submit c q vcpus=0.25
        explain c; exited a 0
        show
        ",
        &expect![[r#"
            > environment ce shared max=2; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=1.5; submit b q vcpus=0.5; submit c q vcpus=0.25
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
                c is number 3 of queue 1
                c RUNNABLE
            > explain c; exited a 0
                c is RUNNABLE in queue q; it needs 0.25 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce holds 2 of the 2 vCPU it may have at most; needed: maxvCpus of 3, or others to end
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                c STARTING in environment 1
                => launch c#1
            > show
                ce: 0.75 vCPU, 1024 MiB in use by 2
                b STARTING
                c STARTING
        "#]],
    );
}

#[test]
fn memory_counts_as_well() {
    check(
        "
        host vcpus=4 memory=2000
        environment ce shared; queue q ce
        submit a q memory=1500; submit b q memory=600
        explain b
        exited a 0
        ",
        &expect![[r#"
            > host vcpus=4 memory=2000
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q memory=1500; submit b q memory=600
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > explain b
                b is RUNNABLE in queue q; it needs 1 vCPU, 600 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 3 vCPU, 500 MiB free
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b STARTING in environment 1
                => launch b#1
        "#]],
    );
}

#[test]
fn instances_are_made_on_demand_and_the_fullest_is_used() {
    check(
        "
        host vcpus=16 memory=65536
        environment ce types=m5.xlarge,m5.large max=16; queue q ce
        submit a q vcpus=2; submit b q vcpus=3; submit c q vcpus=1; submit d q vcpus=1
        show
        ",
        &expect![[r#"
            > host vcpus=16 memory=65536
            > environment ce types=m5.xlarge,m5.large max=16; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=2; submit b q vcpus=3; submit c q vcpus=1; submit d q vcpus=1
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, m5.xlarge with 4 vCPU, 16352 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1 on instance 2
                => launch c#1
                d is number 4 of queue 1
                d RUNNABLE
                environment 1 got instance 3, m5.large with 2 vCPU, 8160 MiB
                d STARTING in environment 1 on instance 3
                => launch d#1
            > show
                ce: 7 vCPU, 2048 MiB in use by 4, instance 1 has 0 vCPU, 7648 MiB free, instance 2 has 0 vCPU, 15328 MiB free, instance 3 has 1 vCPU, 7648 MiB free
                a STARTING
                b STARTING
                c STARTING
                d STARTING
        "#]],
    );
}

#[test]
fn the_ordered_strategy_takes_the_first_type_that_fits() {
    check(
        "
        host vcpus=16 memory=65536
        environment ce types=m5.xlarge,m5.large choice=ordered max=16; queue q ce
        submit a q vcpus=1; submit b q vcpus=4
        show
        ",
        &expect![[r#"
            > host vcpus=16 memory=65536
            > environment ce types=m5.xlarge,m5.large choice=ordered max=16; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=1; submit b q vcpus=4
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.xlarge with 4 vCPU, 16352 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, m5.xlarge with 4 vCPU, 16352 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
            > show
                ce: 5 vCPU, 1024 MiB in use by 2, instance 1 has 3 vCPU, 15840 MiB free, instance 2 has 0 vCPU, 15840 MiB free
                a STARTING
                b STARTING
        "#]],
    );
}

#[test]
fn an_instance_is_cut_to_the_host() {
    check(
        "
        host vcpus=3 memory=4096
        environment ce types=m5.xlarge max=16; queue q ce
        submit a q vcpus=2; submit b q vcpus=2
        explain b; exited a 0
        submit c q vcpus=4
        explain c
        ",
        &expect![[r#"
            > host vcpus=3 memory=4096
            > environment ce types=m5.xlarge max=16; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=2; submit b q vcpus=2
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.xlarge with 3 vCPU, 4096 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > explain b; exited a 0
                b is RUNNABLE in queue q; it needs 2 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 0 vCPU, 0 MiB free
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b STARTING in environment 1 on instance 1
                => launch b#1
            > submit c q vcpus=4
                c is number 3 of queue 1
                c RUNNABLE
                queue 1 is held up by c: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that can be met by the CE(s) attached to the job queue.
            > explain c
                c is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment ce runs on this host, which has 3 vCPU, 4096 MiB: less than the job needs, even when idle; needed: that the job asks for less
        "#]],
    );
}

#[test]
fn idle_instances_go_and_the_minimum_stays() {
    check(
        "
        host vcpus=16 memory=65536
        environment ce types=m5.large min=2 desired=4 max=8 idle=60; queue q ce
        show
        at +60
        submit a q vcpus=2; submit b q vcpus=2; at +100; exited a 0; at +10; exited b 0
        at +59; submit c q vcpus=2; at +1; exited c 0
        at +60
        show
        ",
        &expect![[r#"
            > host vcpus=16 memory=65536
            > environment ce types=m5.large min=2 desired=4 max=8 idle=60; queue q ce
                environment 1 ce is version 1, Enabled
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                environment 1 got instance 2, m5.large with 2 vCPU, 8160 MiB
                queue 1 q is version 1, Enabled
            > show
                ce: 0 vCPU, 0 MiB in use by 0, instance 1 has 2 vCPU, 8160 MiB free, instance 2 has 2 vCPU, 8160 MiB free
            > at +60
                environment 1 gave instance 2 back
            > submit a q vcpus=2; submit b q vcpus=2; at +100; exited a 0; at +10; exited b 0
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 3, m5.large with 2 vCPU, 8160 MiB
                b STARTING in environment 1 on instance 3
                => launch b#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
            > at +59; submit c q vcpus=2; at +1; exited c 0
                c is number 3 of queue 1
                c RUNNABLE
                c STARTING in environment 1 on instance 1
                => launch c#1
                environment 1 gave instance 3 back
                c SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c#1
            > at +60
            > show
                ce: 0 vCPU, 0 MiB in use by 0, instance 1 has 2 vCPU, 8160 MiB free
        "#]],
    );
}

#[test]
fn an_idle_instance_makes_room_for_another_environment_unless_its_minimum_keeps_it() {
    check(
        "
        host vcpus=4 memory=32768
        environment one types=m5.large max=4 idle=600; environment two shared; queue q one; queue r two
        submit a q vcpus=2; submit b q vcpus=2; exited a 0
        submit c r
        exited b 0; submit d r vcpus=2; submit e r vcpus=2; explain e
        exited c 0; exited d 0; exited e 0
        update environment one types=m5.large min=2 max=4 idle=600
        submit f r vcpus=3; explain f
        update environment one types=m5.large max=4 idle=600
        ",
        &expect![[r#"
            > host vcpus=4 memory=32768
            > environment one types=m5.large max=4 idle=600; environment two shared; queue q one; queue r two
                environment 1 one is version 1, Enabled
                environment 2 two is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 r is version 1, Enabled
            > submit a q vcpus=2; submit b q vcpus=2; exited a 0
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, m5.large with 2 vCPU, 8160 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
            > submit c r
                c is number 3 of queue 2
                c RUNNABLE
                environment 1 gave instance 1 back
                c STARTING in environment 2
                => launch c#1
            > exited b 0; submit d r vcpus=2; submit e r vcpus=2; explain e
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
                d is number 4 of queue 2
                d RUNNABLE
                environment 1 gave instance 2 back
                d STARTING in environment 2
                => launch d#1
                e is number 5 of queue 2
                e RUNNABLE
                e is RUNNABLE in queue r; it needs 2 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment two has to wait for other jobs: this host has 1 vCPU, 31744 MiB free
            > exited c 0; exited d 0; exited e 0
                c SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget c#1
                e STARTING in environment 2
                => launch e#1
                d SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget d#1
                e SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget e#1
            > update environment one types=m5.large min=2 max=4 idle=600
                environment 1 one is version 2, Enabled
                environment 1 got instance 3, m5.large with 2 vCPU, 8160 MiB
            > submit f r vcpus=3; explain f
                f is number 6 of queue 2
                f RUNNABLE
                queue 2 is held up by f: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [optimal]
                f is RUNNABLE in queue r; it needs 3 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment two has to wait for other jobs: this host has 2 vCPU, 24608 MiB free
            > update environment one types=m5.large max=4 idle=600
                environment 1 one is version 3, Enabled
                queue 2 is held up no more
                environment 1 gave instance 3 back
                f STARTING in environment 2
                => launch f#1
        "#]],
    );
}

#[test]
fn gpus_belong_to_one_job() {
    check(
        "
        host vcpus=16 memory=65536 gpus=4
        environment ce shared; queue q ce
        submit a q gpus=2; submit b q gpus=1; submit c q gpus=2
        explain c
        exited a 0
        ",
        &expect![[r#"
            > host vcpus=16 memory=65536 gpus=4
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q gpus=2; submit b q gpus=1; submit c q gpus=2
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 with GPUs {0, 1}
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1 with GPUs {2}
                => launch b#1
                c is number 3 of queue 1
                c RUNNABLE
            > explain c
                c is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB, 2 GPU.
                It is next in its queue, and cannot start:
                  compute environment ce has to wait for other jobs: this host has 14 vCPU, 64512 MiB, 1 GPU free
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                c STARTING in environment 1 with GPUs {0, 1}
                => launch c#1
        "#]],
    );
}

#[test]
fn gpus_of_instances() {
    check(
        "
        host vcpus=16 memory=65536 gpus=2
        environment ce types=m5.large,g4dn.xlarge max=16 idle=600; environment host shared; queue q ce; queue r host
        submit a q; submit b q gpus=1; submit c r gpus=1; submit d r gpus=1
        explain d; exited b 0
        ",
        &expect![[r#"
            > host vcpus=16 memory=65536 gpus=2
            > environment ce types=m5.large,g4dn.xlarge max=16 idle=600; environment host shared; queue q ce; queue r host
                environment 1 ce is version 1, Enabled
                environment 2 host is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 r is version 1, Enabled
            > submit a q; submit b q gpus=1; submit c r gpus=1; submit d r gpus=1
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, g4dn.xlarge with 4 vCPU, 16352 MiB, 1 GPU
                b STARTING in environment 1 on instance 2 with GPUs {0}
                => launch b#1
                c is number 3 of queue 2
                c RUNNABLE
                c STARTING in environment 2 with GPUs {1}
                => launch c#1
                d is number 4 of queue 2
                d RUNNABLE
            > explain d; exited b 0
                d is RUNNABLE in queue r; it needs 1 vCPU, 512 MiB, 1 GPU.
                It is next in its queue, and cannot start:
                  compute environment host has to wait for other jobs: this host has 9 vCPU, 40512 MiB free
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
                environment 1 gave instance 2 back
                d STARTING in environment 2 with GPUs {0}
                => launch d#1
        "#]],
    );
}

#[test]
fn platforms() {
    check(
        "
        environment ce shared; environment fg shared max=1 platform=fargate; queue q ce; queue f fg; queue m ce fg
        submit a q platform=fargate; submit b f; submit c f platform=fargate vcpus=0.25; submit d f platform=fargate
        explain d
        ",
        &expect![[r#"
            > environment ce shared; environment fg shared max=1 platform=fargate; queue q ce; queue f fg; queue m ce fg
                environment 1 ce is version 1, Enabled
                environment 2 fg is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 f is version 1, Enabled
                refused: compute environments of different platforms cannot share a queue
            > submit a q platform=fargate; submit b f; submit c f platform=fargate vcpus=0.25; submit d f platform=fargate
                refused: job queue q has no compute environment for this platform
                refused: job queue f has no compute environment for this platform
                c is number 1 of queue 2
                c RUNNABLE
                c STARTING in environment 2
                => launch c#1
                d is number 2 of queue 2
                d RUNNABLE
            > explain d
                d is RUNNABLE in queue f; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment fg holds 1 of the 1 vCPU it may have at most; needed: maxvCpus of 2, or others to end
        "#]],
    );
}

#[test]
fn an_idle_instance_that_is_too_small_gives_way_to_a_larger_one() {
    check(
        "
        host vcpus=8 memory=65536
        environment ce types=m5.large,m5.xlarge max=4; queue q ce
        submit a q; exited a 0
        submit b q vcpus=4; explain b; exited b 0
        environment kept types=m5.large,m5.xlarge min=2 max=8; queue k kept; environment rest shared; queue r rest
        submit c r vcpus=4
        submit d k vcpus=3; explain d
        exited d 0
        ",
        &expect![[r#"
            > host vcpus=8 memory=65536
            > environment ce types=m5.large,m5.xlarge max=4; queue q ce
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
            > submit b q vcpus=4; explain b; exited b 0
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 gave instance 1 back
                environment 1 got instance 2, m5.xlarge with 4 vCPU, 16352 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
                b is STARTING in queue q; it needs 4 vCPU, 512 MiB.
                It has its place in compute environment ce, on instance i-00000000000000002.
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#1
            > environment kept types=m5.large,m5.xlarge min=2 max=8; queue k kept; environment rest shared; queue r rest
                environment 2 kept is version 1, Enabled
                environment 2 got instance 3, m5.large with 2 vCPU, 8160 MiB
                queue 2 k is version 1, Enabled
                environment 3 rest is version 1, Enabled
                queue 3 r is version 1, Enabled
            > submit c r vcpus=4
                c is number 3 of queue 3
                c RUNNABLE
                environment 1 gave instance 2 back
                c STARTING in environment 3
                => launch c#1
            > submit d k vcpus=3; explain d
                d is number 4 of queue 2
                d RUNNABLE
                environment 2 gave instance 3 back
                environment 2 got instance 4, m5.xlarge with 4 vCPU, 16352 MiB
                d STARTING in environment 2 on instance 4
                => launch d#1
                d is STARTING in queue k; it needs 3 vCPU, 512 MiB.
                It has its place in compute environment kept, on instance i-00000000000000004.
            > exited d 0
                d SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget d#1
        "#]],
    );
}

#[test]
fn a_progressive_choice_takes_the_next_type_where_the_first_is_not_to_be_had_whole() {
    check(
        "
        host vcpus=7 memory=65536
        environment ce types=m5.xlarge,m5.large choice=progressive max=100; queue q ce
        submit a q vcpus=4; submit b q vcpus=2; submit c q
        ",
        &expect![[r#"
            > host vcpus=7 memory=65536
            > environment ce types=m5.xlarge,m5.large choice=progressive max=100; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q vcpus=4; submit b q vcpus=2; submit c q
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
                c is number 3 of queue 1
                c RUNNABLE
                environment 1 got instance 3, m5.xlarge with 1 vCPU, 16352 MiB
                c STARTING in environment 1 on instance 3
                => launch c#1
        "#]],
    );
}

#[test]
fn the_roomiest_choice_takes_the_type_of_which_there_are_most() {
    check(
        "
        host vcpus=8 memory=16000
        environment ce types=r5.large,m5.large,c5.large choice=roomiest max=100; queue q ce
        submit a q memory=3000; submit b q memory=9000
        ",
        &expect![[r#"
            > host vcpus=8 memory=16000
            > environment ce types=r5.large,m5.large,c5.large choice=roomiest max=100; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q memory=3000; submit b q memory=9000
                a is number 1 of queue 1
                a RUNNABLE
                environment 1 got instance 1, c5.large with 2 vCPU, 4064 MiB
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                environment 1 got instance 2, r5.large with 2 vCPU, 11936 MiB
                b STARTING in environment 1 on instance 2
                => launch b#1
        "#]],
    );
}

#[test]
fn the_last_instance_may_go_beyond_the_maximum() {
    check(
        "
        host vcpus=64 memory=262144
        environment bfp types=m5.xlarge choice=progressive max=5 min=5; environment bf types=m5.xlarge choice=ordered max=5; queue q bfp; queue p bf
        submit a q vcpus=4; submit b q vcpus=4; submit c q vcpus=4; explain c; show
        submit x p vcpus=4; submit y p vcpus=4; explain y; submit z q vcpus=6; explain z
        ",
        &expect![[r#"
            > host vcpus=64 memory=262144
            > environment bfp types=m5.xlarge choice=progressive max=5 min=5; environment bf types=m5.xlarge choice=ordered max=5; queue q bfp; queue p bf
                environment 1 bfp is version 1, Enabled
                environment 1 got instance 1, m5.xlarge with 4 vCPU, 16352 MiB
                environment 1 got instance 2, m5.xlarge with 4 vCPU, 16352 MiB
                environment 2 bf is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 p is version 1, Enabled
            > submit a q vcpus=4; submit b q vcpus=4; submit c q vcpus=4; explain c; show
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 on instance 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1 on instance 2
                => launch b#1
                c is number 3 of queue 1
                c RUNNABLE
                c is RUNNABLE in queue q; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment bfp holds 8 of the 5 vCPU it may have at most; needed: maxvCpus of 12, or others to end
                bfp: 8 vCPU, 1024 MiB in use by 2, instance 1 has 0 vCPU, 15840 MiB free, instance 2 has 0 vCPU, 15840 MiB free
                bf: 0 vCPU, 0 MiB in use by 0
                a STARTING
                b STARTING
                c RUNNABLE
            > submit x p vcpus=4; submit y p vcpus=4; explain y; submit z q vcpus=6; explain z
                x is number 4 of queue 2
                x RUNNABLE
                environment 2 got instance 3, m5.xlarge with 4 vCPU, 16352 MiB
                x STARTING in environment 2 on instance 3
                => launch x#1
                y is number 5 of queue 2
                y RUNNABLE
                y is RUNNABLE in queue p; it needs 4 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  compute environment bf holds 4 of the 5 vCPU it may have at most; needed: maxvCpus of 8, or others to end
                z is number 6 of queue 1
                z RUNNABLE
                z is RUNNABLE in queue q; it needs 6 vCPU, 512 MiB.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, c, cannot start, and holds the queue up:
                  compute environment bfp holds 8 of the 5 vCPU it may have at most; needed: maxvCpus of 12, or others to end
        "#]],
    );
}

#[test]
fn an_instance_that_was_never_used_goes_sooner() {
    check(
        "
        environment ce types=m5.large desired=4 max=4 idle=1200; queue q ce
        submit a q; exited a 0; at +60; show; at +1140; show
        ",
        &expect![[r#"
            > environment ce types=m5.large desired=4 max=4 idle=1200; queue q ce
                environment 1 ce is version 1, Enabled
                environment 1 got instance 1, m5.large with 2 vCPU, 8160 MiB
                environment 1 got instance 2, m5.large with 2 vCPU, 32 MiB
                queue 1 q is version 1, Enabled
            > submit a q; exited a 0; at +60; show; at +1140; show
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1 on instance 1
                => launch a#1
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                environment 1 gave instance 2 back
                ce: 0 vCPU, 0 MiB in use by 0, instance 1 has 2 vCPU, 8160 MiB free
                environment 1 gave instance 1 back
                ce: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn what_an_instance_that_was_given_back_leaves_free_is_used_at_once() {
    check(
        "
        host vcpus=4 memory=60000
        environment ce types=c5.xlarge choice=ordered min=4 max=4; environment rest shared
        update environment ce types=c5.xlarge,r5.large choice=ordered min=4 max=4
        queue q ce; queue other rest
        submit waits other vcpus=2
        submit a q memory=10000
        ",
        &expect![[r#"
            > host vcpus=4 memory=60000
            > environment ce types=c5.xlarge choice=ordered min=4 max=4; environment rest shared
                environment 1 ce is version 1, Enabled
                environment 1 got instance 1, c5.xlarge with 4 vCPU, 8160 MiB
                environment 2 rest is version 1, Enabled
            > update environment ce types=c5.xlarge,r5.large choice=ordered min=4 max=4
                environment 1 ce is version 2, Enabled
            > queue q ce; queue other rest
                queue 1 q is version 1, Enabled
                queue 2 other is version 1, Enabled
            > submit waits other vcpus=2
                waits is number 1 of queue 2
                waits RUNNABLE
                queue 2 is held up by waits: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [optimal]
            > submit a q memory=10000
                a is number 2 of queue 1
                a RUNNABLE
                environment 1 gave instance 1 back
                environment 1 got instance 2, r5.large with 2 vCPU, 16352 MiB
                a STARTING in environment 1 on instance 2
                queue 2 is held up no more
                waits STARTING in environment 2
                => launch a#1
                => launch waits#1
        "#]],
    );
}
