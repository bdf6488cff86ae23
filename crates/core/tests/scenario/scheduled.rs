//! Service jobs that have their place, and whose engine has not begun.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_placed_job_is_scheduled_until_its_engine_begins() {
    check(
        "
        environment ce shared; environment svc unit=ml.m5.large:2; queue c ce; queue s service-environment/svc
        submit a s unit=ml.m5.large:2 attempts=2; submit b s unit=ml.m5.large:1
        explain a; snapshot s; prioritize a 5; preparing b; preparing a#2; show
        preparing a; preparing a; explain a; started a; preparing a; exited a 1
        started a#1; preparing a#1; started a; preparing a; exited a 0
        terminate-service b; preparing b; not-started b
        submit x c; preparing x
        ",
        &expect![[r#"
            > environment ce shared; environment svc unit=ml.m5.large:2; queue c ce; queue s service-environment/svc
                environment 1 ce is version 1, Enabled
                environment 2 service-environment/svc is version 1, Enabled
                queue 1 c is version 1, Enabled
                queue 2 s is version 1, Enabled
            > submit a s unit=ml.m5.large:2 attempts=2; submit b s unit=ml.m5.large:1
                a is number 1 of queue 2
                a RUNNABLE
                a SCHEDULED in environment 2
                => launch a#1
                b is number 2 of queue 2
                b RUNNABLE
            > explain a; snapshot s; prioritize a 5; preparing b; preparing a#2; show
                a is SCHEDULED in queue s; it needs 2 ml.m5.large.
                It has its place in service environment svc.
                b since +0
                queue uses 0 vCPU, 0 MiB
                a has priority 5
                ce: 0 vCPU, 0 MiB in use by 0
                service-environment/svc: 0 vCPU, 0 MiB in use by 1, 2 ml.m5.large
                a SCHEDULED
                b RUNNABLE
            > preparing a; preparing a; explain a; started a; preparing a; exited a 1
                a STARTING
                a is STARTING in queue s; it needs 2 ml.m5.large.
                It has its place in service environment svc.
                a RUNNING
                a RUNNABLE again: Received status from SageMaker: AlgorithmError: , exit code: 1, exit code 1
                => forget a#1
                a SCHEDULED in environment 2
                => launch a#2
            > started a#1; preparing a#1; started a; preparing a; exited a 0
                a RUNNING
                a SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0
                => forget a#2
                b SCHEDULED in environment 2
                => launch b#1
            > terminate-service b; preparing b; not-started b
                b is to stop: enough
                => stop b#1 within 30000ms
                b STARTING
                b FAILED: enough, , never RUNNING
                => forget b#1
            > submit x c; preparing x
                x is number 3 of queue 1
                x RUNNABLE
                x STARTING in environment 1
                => launch x#1
        "#]],
    );
}
