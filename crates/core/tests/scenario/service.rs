//! Service environments, service jobs, and the quota shares of their queues.

use expect_test::expect;

use crate::script::check;

#[test]
fn units_are_counted_and_nothing_is_taken_of_the_host() {
    check(
        "
        host vcpus=1 memory=512
        environment svc unit=ml.m5.large:3 unit=ml.m5.xlarge:1; queue q service-environment/svc
        submit a q unit=ml.m5.large:2; submit b q unit=ml.m5.large:2; submit c q unit=ml.m5.xlarge:1
        show; explain b; explain c
        started a; exited a 0
        submit d q unit=ml.m5.large:4; submit e q unit=ml.p3.2xlarge:1; terminate-service b
        explain d; terminate-service d; explain e
        ",
        &expect![[r#"
            > host vcpus=1 memory=512
            > environment svc unit=ml.m5.large:3 unit=ml.m5.xlarge:1; queue q service-environment/svc
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q unit=ml.m5.large:2; submit b q unit=ml.m5.large:2; submit c q unit=ml.m5.xlarge:1
                a is number 1 of queue 1
                a RUNNABLE
                a SCHEDULED in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                c is number 3 of queue 1
                c RUNNABLE
            > show; explain b; explain c
                service-environment/svc: 0 vCPU, 0 MiB in use by 1, 2 ml.m5.large
                a SCHEDULED
                b RUNNABLE
                c RUNNABLE
                b is RUNNABLE in queue q; it needs 2 ml.m5.large.
                It is next in its queue, and cannot start:
                  service environment svc holds 2 of the 3 ml.m5.large it may have at most; needed: a higher capacity limit, or others to end
                c is RUNNABLE in queue q; it needs 1 ml.m5.xlarge.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, b, cannot start, and holds the queue up:
                  service environment svc holds 2 of the 3 ml.m5.large it may have at most; needed: a higher capacity limit, or others to end
            > started a; exited a 0
                a RUNNING
                a SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0
                => forget a#1
                b SCHEDULED in environment 1
                c SCHEDULED in environment 1
                => launch b#1
                => launch c#1
            > submit d q unit=ml.m5.large:4; submit e q unit=ml.p3.2xlarge:1; terminate-service b
                d is number 4 of queue 1
                d RUNNABLE
                queue 1 is held up by d: MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE - Service environment(s) associated with the job queue cannot meet the capacity requirement of the job.
                e is number 5 of queue 1
                e RUNNABLE
                b is to stop: enough
                => stop b#1 within 30000ms
            > explain d; terminate-service d; explain e
                d is RUNNABLE in queue q; it needs 4 ml.m5.large.
                It is next in its queue, and cannot start:
                  service environment svc may have 3 ml.m5.large at most, less than the job needs; needed: a higher capacity limit
                d FAILED: enough, terminated
                queue 1 is held up by e: MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE - Service environment(s) associated with the job queue cannot meet the capacity requirement of the job.
                e is RUNNABLE in queue q; it needs 1 ml.p3.2xlarge.
                It is next in its queue, and cannot start:
                  service environment svc may have 0 ml.p3.2xlarge at most, less than the job needs; needed: a higher capacity limit
        "#]],
    );
}

#[test]
fn instances_of_all_types_count_together() {
    check(
        "
        environment svc unit=NUM_INSTANCES:2; queue q service-environment/svc
        submit a q unit=ml.m5.large:1; submit b q unit=ml.m5.xlarge:1; submit c q unit=ml.m5.large:1
        explain c; exited a 0
        update environment svc unit=NUM_INSTANCES:1; exited b 0; exited c 0; show
        ",
        &expect![[r#"
            > environment svc unit=NUM_INSTANCES:2; queue q service-environment/svc
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q unit=ml.m5.large:1; submit b q unit=ml.m5.xlarge:1; submit c q unit=ml.m5.large:1
                a is number 1 of queue 1
                a RUNNABLE
                a SCHEDULED in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                b SCHEDULED in environment 1
                => launch b#1
                c is number 3 of queue 1
                c RUNNABLE
            > explain c; exited a 0
                c is RUNNABLE in queue q; it needs 1 ml.m5.large.
                It is next in its queue, and cannot start:
                  service environment svc holds 2 of the 2 NUM_INSTANCES it may have at most; needed: a higher capacity limit, or others to end
                a SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget a#1
                c SCHEDULED in environment 1
                => launch c#1
            > update environment svc unit=NUM_INSTANCES:1; exited b 0; exited c 0; show
                environment 1 service-environment/svc is version 2, Enabled
                b SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget b#1
                c SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget c#1
                service-environment/svc: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn names_of_service_environments_are_their_own() {
    check(
        "
        environment a unit=ml.m5.large:1; environment a shared; environment a unit=ml.m5.large:1; environment a shared
        queue q a service-environment/a
        queue s service-environment/a; queue c a
        delete environment service-environment/a; update environment a unit=ml.m5.large:1 disabled
        update queue s disabled service-environment/a; delete queue s; delete environment service-environment/a
        submit x c
        ",
        &expect![[r#"
            > environment a unit=ml.m5.large:1; environment a shared; environment a unit=ml.m5.large:1; environment a shared
                environment 1 service-environment/a is version 1, Enabled
                environment 2 a is version 1, Enabled
                refused: service environment a exists
                refused: compute environment a exists
            > queue q a service-environment/a
                refused: compute environments of different platforms cannot share a queue
            > queue s service-environment/a; queue c a
                queue 1 s is version 1, Enabled
                queue 2 c is version 1, Enabled
            > delete environment service-environment/a; update environment a unit=ml.m5.large:1 disabled
                refused: service environment a is used by job queue s
                environment 1 service-environment/a is version 2, Disabled
            > update queue s disabled service-environment/a; delete queue s; delete environment service-environment/a
                queue 1 s is version 2, Disabled
                queue 1 is being deleted
                queue 1 is gone
                environment 1 is being deleted
                environment 1 is gone
            > submit x c
                x is number 1 of queue 2
                x RUNNABLE
                x STARTING in environment 2
                => launch x#1
        "#]],
    );
}

#[test]
fn service_jobs_and_others_do_not_mix() {
    check(
        "
        environment ce shared; environment svc unit=ml.m5.large:1; queue c ce; queue s service-environment/svc
        submit a s; submit b c unit=ml.m5.large:1
        submit a c; submit b s unit=ml.m5.large:1
        terminate b; cancel b; terminate-service a; prioritize a 5
        terminate-service b; exited b 143
        prioritize b 5
        ",
        &expect![[r#"
            > environment ce shared; environment svc unit=ml.m5.large:1; queue c ce; queue s service-environment/svc
                environment 1 ce is version 1, Enabled
                environment 2 service-environment/svc is version 1, Enabled
                queue 1 c is version 1, Enabled
                queue 2 s is version 1, Enabled
            > submit a s; submit b c unit=ml.m5.large:1
                refused: job queue s takes only service jobs
                refused: job queue c has no compute environment for this platform
            > submit a c; submit b s unit=ml.m5.large:1
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 2
                b RUNNABLE
                b SCHEDULED in environment 2
                => launch b#1
            > terminate b; cancel b; terminate-service a; prioritize a 5
                refused: job a has ended, or does not exist
            > terminate-service b; exited b 143
                b is to stop: enough
                => stop b#1 within 30000ms
                b FAILED: enough, exit code 143, never RUNNING
                => forget b#1
            > prioritize b 5
                refused: job b has ended, or does not exist
        "#]],
    );
}

#[test]
fn a_priority_changes_while_the_job_lives() {
    check(
        "
        environment svc unit=ml.m5.large:1; queue s service-environment/svc
        submit a s unit=ml.m5.large:1; submit b s unit=ml.m5.large:1
        prioritize a 7; prioritize b 0; exited a 0; prioritize a 1; exited b 0
        ",
        &expect![[r#"
            > environment svc unit=ml.m5.large:1; queue s service-environment/svc
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 s is version 1, Enabled
            > submit a s unit=ml.m5.large:1; submit b s unit=ml.m5.large:1
                a is number 1 of queue 1
                a RUNNABLE
                a SCHEDULED in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > prioritize a 7; prioritize b 0; exited a 0; prioritize a 1; exited b 0
                a has priority 7
                b has priority 0
                a SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget a#1
                b SCHEDULED in environment 1
                => launch b#1
                refused: job a has ended, or does not exist
                b SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget b#1
        "#]],
    );
}

#[test]
fn a_job_that_comes_to_the_front_by_its_priority_starts_at_once() {
    check(
        "
        item scheduling-policy/fair
        environment svc unit=ml.m5.large:3; queue s policy=fair service-environment/svc
        submit a s unit=ml.m5.large:2 share=x; submit large s unit=ml.m5.large:2 share=x; submit small s unit=ml.m5.large:1 share=x
        prioritize small 7
        ",
        &expect![[r#"
            > item scheduling-policy/fair
                scheduling-policy/fair is version 1
            > environment svc unit=ml.m5.large:3; queue s policy=fair service-environment/svc
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 s is version 1, Enabled
            > submit a s unit=ml.m5.large:2 share=x; submit large s unit=ml.m5.large:2 share=x; submit small s unit=ml.m5.large:1 share=x
                share x of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a RUNNABLE
                share x of queue 1 has used 2 vCPU seconds
                a SCHEDULED in environment 1
                => launch a#1
                large is number 2 of queue 1
                large RUNNABLE
                small is number 3 of queue 1
                small RUNNABLE
            > prioritize small 7
                small has priority 7
                share x of queue 1 has used 3 vCPU seconds
                small SCHEDULED in environment 1
                => launch small#1
        "#]],
    );
}

#[test]
fn reasons_are_those_of_training_jobs() {
    check(
        "
        environment svc unit=ml.m5.large:9; queue s service-environment/svc
        submit a s unit=ml.m5.large:1 attempts=4 retry-on=status:*InternalServerError* exit-on=status:*AlgorithmError*
        lost a; not-started a CannotPull; exited a 3
        submit b s unit=ml.m5.large:1 timeout=5; started b; at +5; exited b 137
        ",
        &expect![[r#"
            > environment svc unit=ml.m5.large:9; queue s service-environment/svc
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 s is version 1, Enabled
            > submit a s unit=ml.m5.large:1 attempts=4 retry-on=status:*InternalServerError* exit-on=status:*AlgorithmError*
                a is number 1 of queue 1
                a RUNNABLE
                a SCHEDULED in environment 1
                => launch a#1
            > lost a; not-started a CannotPull; exited a 3
                a RUNNABLE again: Received status from SageMaker: InternalServerError: the host of the training job went away, never RUNNING
                => forget a#1
                a SCHEDULED in environment 1
                => launch a#2
                a RUNNABLE again: Received status from SageMaker: ClientError: CannotPull, CannotPull, never RUNNING
                => forget a#2
                a SCHEDULED in environment 1
                => launch a#3
                a FAILED: Received status from SageMaker: AlgorithmError: , exit code: 3, exit code 3, never RUNNING
                => forget a#3
            > submit b s unit=ml.m5.large:1 timeout=5; started b; at +5; exited b 137
                b is number 2 of queue 1
                b RUNNABLE
                b SCHEDULED in environment 1
                => launch b#1
                b RUNNING
                b is to stop: timeout
                => stop b#1 within 30000ms
                b FAILED: Job attempt duration exceeded timeout, exit code 137
                => forget b#1
        "#]],
    );
}

#[test]
fn quota_shares_take_jobs_and_end_them() {
    check(
        "
        item scheduling-policy/p quota; environment svc unit=ml.m5.large:1; queue q policy=p service-environment/svc
        item job-queue/q/quota-share/s unit=ml.m5.large:4; item job-queue/q/quota-share/off disabled
        submit a q unit=ml.m5.large:1; submit a q unit=ml.m5.large:1 quota=none; submit a q unit=ml.m5.large:1 quota=off
        submit a q unit=ml.m5.large:1 quota=s share=red; submit a q unit=ml.m5.large:1 quota=s; submit b q unit=ml.m5.large:1 quota=s
        queue fifo service-environment/svc
        delete item job-queue/q/quota-share/s
        update item job-queue/q/quota-share/s unit=ml.m5.large:4 disabled; delete item job-queue/q/quota-share/s
        exited a 143; show
        ",
        &expect![[r#"
            > item scheduling-policy/p quota; environment svc unit=ml.m5.large:1; queue q policy=p service-environment/svc
                scheduling-policy/p is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/s unit=ml.m5.large:4; item job-queue/q/quota-share/off disabled
                job-queue/q/quota-share/s is version 1
                job-queue/q/quota-share/off is version 1
            > submit a q unit=ml.m5.large:1; submit a q unit=ml.m5.large:1 quota=none; submit a q unit=ml.m5.large:1 quota=off
                refused: job queue q has quota shares, and the job names none
                refused: job-queue/q/quota-share/none does not exist
                refused: job-queue/q/quota-share/off is disabled
            > submit a q unit=ml.m5.large:1 quota=s share=red; submit a q unit=ml.m5.large:1 quota=s; submit b q unit=ml.m5.large:1 quota=s
                refused: job queue q does not order its jobs by share
                a is number 1 of queue 1
                a RUNNABLE
                a SCHEDULED in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > queue fifo service-environment/svc
                refused: service environment svc cannot be shared with job queue q: one of both has quota shares
            > delete item job-queue/q/quota-share/s
                refused: job-queue/q/quota-share/s is enabled
            > update item job-queue/q/quota-share/s unit=ml.m5.large:4 disabled; delete item job-queue/q/quota-share/s
                job-queue/q/quota-share/s is version 2
                a is to stop: Quota share was deleted
                b FAILED: Quota share was deleted, terminated
                job-queue/q/quota-share/s is gone
                => stop a#1 within 30000ms
            > exited a 143; show
                a FAILED: Quota share was deleted, exit code 143, never RUNNING
                => forget a#1
                service-environment/svc: 0 vCPU, 0 MiB in use by 0
        "#]],
    );
}

#[test]
fn shares_of_service_jobs_are_as_their_queue_wants_them() {
    check(
        "
        item scheduling-policy/p; environment svc unit=ml.m5.large:1; queue q policy=p service-environment/svc; queue fifo service-environment/svc
        submit a q unit=ml.m5.large:1; submit b fifo unit=ml.m5.large:1 share=red; submit c fifo unit=ml.m5.large:1 quota=s
        submit a q unit=ml.m5.large:1 share=red
        ",
        &expect![[r#"
            > item scheduling-policy/p; environment svc unit=ml.m5.large:1; queue q policy=p service-environment/svc; queue fifo service-environment/svc
                scheduling-policy/p is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 2 fifo is version 1, Enabled
            > submit a q unit=ml.m5.large:1; submit b fifo unit=ml.m5.large:1 share=red; submit c fifo unit=ml.m5.large:1 quota=s
                refused: job queue q orders its jobs by share, and the job has none
                refused: job queue fifo does not order its jobs by share
                refused: job queue fifo has no quota shares
            > submit a q unit=ml.m5.large:1 share=red
                share red of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a RUNNABLE
                share red of queue 1 has used 1 vCPU seconds
                a SCHEDULED in environment 1
                => launch a#1
        "#]],
    );
}

#[test]
fn nothing_depends_on_a_service_job() {
    check(
        "
        environment se unit=ml.m5.large:2; queue s service-environment/se
        environment ce shared; queue q ce
        submit a s unit=ml.m5.large:1
        submit b q after=a; submit c q array=2 pair=a
        ",
        &expect![[r#"
            > environment se unit=ml.m5.large:2; queue s service-environment/se
                environment 1 service-environment/se is version 1, Enabled
                queue 1 s is version 1, Enabled
            > environment ce shared; queue q ce
                environment 2 ce is version 1, Enabled
                queue 2 q is version 1, Enabled
            > submit a s unit=ml.m5.large:1
                a is number 1 of queue 1
                a RUNNABLE
                a SCHEDULED in environment 1
                => launch a#1
            > submit b q after=a; submit c q array=2 pair=a
                refused: job a, which this job depends on, does not exist
                refused: job a, which this job depends on, does not exist
        "#]],
    );
}

#[test]
fn service_jobs_take_turns_by_share_and_priority() {
    check(
        "
        environment se unit=ml.m5.large:1; item scheduling-policy/p; queue s policy=p service-environment/se
        submit a s unit=ml.m5.large:1 share=x; submit b s unit=ml.m5.large:1 share=x
        submit c s unit=ml.m5.large:1 share=y; submit d s unit=ml.m5.large:1 share=y priority=9
        started a; at +10; exited a 0
        ",
        &expect![[r#"
            > environment se unit=ml.m5.large:1; item scheduling-policy/p; queue s policy=p service-environment/se
                environment 1 service-environment/se is version 1, Enabled
                scheduling-policy/p is version 1
                queue 1 s is version 1, Enabled
            > submit a s unit=ml.m5.large:1 share=x; submit b s unit=ml.m5.large:1 share=x
                share x of queue 1 has used 0 vCPU seconds
                a is number 1 of queue 1
                a RUNNABLE
                share x of queue 1 has used 1 vCPU seconds
                a SCHEDULED in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > submit c s unit=ml.m5.large:1 share=y; submit d s unit=ml.m5.large:1 share=y priority=9
                share y of queue 1 has used 0 vCPU seconds
                c is number 3 of queue 1
                c RUNNABLE
                d is number 4 of queue 1
                d RUNNABLE
            > started a; at +10; exited a 0
                a RUNNING
                share x of queue 1 has used 11 vCPU seconds
                a SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0
                => forget a#1
                share y of queue 1 has used 1 vCPU seconds
                d SCHEDULED in environment 1
                => launch d#1
        "#]],
    );
}
