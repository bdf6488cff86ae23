//! Quota shares: limits, what is lent and borrowed, and who is stopped for whom (section C.4).

use expect_test::expect;

use crate::script::check;

#[test]
fn a_share_has_its_limit_and_borrows_what_is_idle() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.m5.large:1 borrow=100; item job-queue/q/quota-share/b unit=ml.m5.large:1 lend; item job-queue/q/quota-share/c unit=ml.m5.large:2
        submit a1 q unit=ml.m5.large:1 quota=a; submit a2 q unit=ml.m5.large:1 quota=a; submit a3 q unit=ml.m5.large:1 quota=a
        submit b1 q unit=ml.m5.large:2 quota=b
        explain a3; explain b1; snapshot q
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.m5.large:1 borrow=100; item job-queue/q/quota-share/b unit=ml.m5.large:1 lend; item job-queue/q/quota-share/c unit=ml.m5.large:2
                job-queue/q/quota-share/a is version 1
                job-queue/q/quota-share/b is version 1
                job-queue/q/quota-share/c is version 1
            > submit a1 q unit=ml.m5.large:1 quota=a; submit a2 q unit=ml.m5.large:1 quota=a; submit a3 q unit=ml.m5.large:1 quota=a
                a1 is number 1 of queue 1
                a1 RUNNABLE
                a1 SCHEDULED in environment 1
                => launch a1#1
                a2 is number 2 of queue 1
                a2 RUNNABLE
                a2 SCHEDULED in environment 1
                => launch a2#1
                a3 is number 3 of queue 1
                a3 RUNNABLE
            > submit b1 q unit=ml.m5.large:2 quota=b
                b1 is number 4 of queue 1
                b1 RUNNABLE
                queue 1, share b, is held up by b1: MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED - The quota share of the job cannot meet the capacity requirement of the job.
            > explain a3; explain b1; snapshot q
                a3 is RUNNABLE in queue q; it needs 1 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 1 ml.m5.large; quota share a holds 2, has 1 for itself and may borrow up to 1 of what others leave: 0 now; needed: a limit of 3
                b1 is RUNNABLE in queue q; it needs 2 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 2 ml.m5.large; quota share b holds 0, has 1 for itself and borrows none; needed: a limit of 2
                a3 since +0
                b1 since +0
                queue uses 0 vCPU, 0 MiB
                a: a3
                b: b1
                a holds 2 ml.m5.large
        "#]],
    );
}

#[test]
fn lent_capacity_is_taken_back() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:2; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.m5.large:0 borrow=all; item job-queue/q/quota-share/b unit=ml.m5.large:2 lend
        submit a1 q unit=ml.m5.large:1 quota=a priority=1; submit a2 q unit=ml.m5.large:1 quota=a priority=1
        at +5; started a1; at +5; started a2
        submit b1 q unit=ml.m5.large:1 quota=b
        explain a2; explain b1; show
        exited a2 0
        explain a2; started b1; exited b1 0; show
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:2; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.m5.large:0 borrow=all; item job-queue/q/quota-share/b unit=ml.m5.large:2 lend
                job-queue/q/quota-share/a is version 1
                job-queue/q/quota-share/b is version 1
            > submit a1 q unit=ml.m5.large:1 quota=a priority=1; submit a2 q unit=ml.m5.large:1 quota=a priority=1
                a1 is number 1 of queue 1
                a1 RUNNABLE
                a1 SCHEDULED in environment 1
                => launch a1#1
                a2 is number 2 of queue 1
                a2 RUNNABLE
                a2 SCHEDULED in environment 1
                => launch a2#1
            > at +5; started a1; at +5; started a2
                a1 RUNNING
                a2 RUNNING
            > submit b1 q unit=ml.m5.large:1 quota=b
                b1 is number 3 of queue 1
                b1 RUNNABLE
                a2 is to stop: other shares want back what was borrowed
                => stop a2#1 within 30000ms
            > explain a2; explain b1; show
                a2 is RUNNING in queue q; it needs 1 ml.m5.large.
                It is being stopped, to run again later: Cross-share preemption triggered to reclaim borrowed capacity.
                b1 is RUNNABLE in queue q; it needs 1 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 1 ml.m5.large; quota share b holds 0 of its 2, and 0 of the rest are not lent
                  service environment svc holds 2 of the 2 ml.m5.large it may have at most; needed: a higher capacity limit, or others to end
                service-environment/svc: 0 vCPU, 0 MiB in use by 2, 2 ml.m5.large
                a1 RUNNING
                a2 RUNNING
                b1 RUNNABLE
            > exited a2 0
                a2 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 0
                => forget a2#1
                b1 SCHEDULED in environment 1
                => launch b1#1
            > explain a2; started b1; exited b1 0; show
                a2 is RUNNABLE in queue q; it needs 1 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 1 ml.m5.large; quota share a holds 1, has 0 for itself and may borrow what others leave: 0 now; needed: a limit of 2
                  service environment svc holds 2 of the 2 ml.m5.large it may have at most; needed: a higher capacity limit, or others to end
                b1 RUNNING
                b1 SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0
                => forget b1#1
                a2 SCHEDULED in environment 1
                => launch a2#2
                service-environment/svc: 0 vCPU, 0 MiB in use by 2, 2 ml.m5.large
                a1 RUNNING
                a2 SCHEDULED
        "#]],
    );
}

#[test]
fn a_job_of_higher_priority_stops_lower_ones_of_its_share() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.m5.large:2 preempt
        submit low q unit=ml.m5.large:1 quota=a priority=1; submit mid q unit=ml.m5.large:1 quota=a priority=2
        started low; started mid
        submit equal q unit=ml.m5.large:1 quota=a priority=1; submit high q unit=ml.m5.large:1 quota=a priority=9
        exited low 143; show
        prioritize equal 5
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.m5.large:2 preempt
                job-queue/q/quota-share/a is version 1
            > submit low q unit=ml.m5.large:1 quota=a priority=1; submit mid q unit=ml.m5.large:1 quota=a priority=2
                low is number 1 of queue 1
                low RUNNABLE
                low SCHEDULED in environment 1
                => launch low#1
                mid is number 2 of queue 1
                mid RUNNABLE
                mid SCHEDULED in environment 1
                => launch mid#1
            > started low; started mid
                low RUNNING
                mid RUNNING
            > submit equal q unit=ml.m5.large:1 quota=a priority=1; submit high q unit=ml.m5.large:1 quota=a priority=9
                equal is number 3 of queue 1
                equal RUNNABLE
                high is number 4 of queue 1
                high RUNNABLE
                low is to stop: a job of higher priority
                => stop low#1 within 30000ms
            > exited low 143; show
                low RUNNABLE again: In-share preemption triggered by a job of higher priority, exit code 143
                => forget low#1
                high SCHEDULED in environment 1
                => launch high#1
                service-environment/svc: 0 vCPU, 0 MiB in use by 2, 2 ml.m5.large
                low RUNNABLE
                mid RUNNING
                equal RUNNABLE
                high SCHEDULED
            > prioritize equal 5
                equal has priority 5
                mid is to stop: a job of higher priority
                => stop mid#1 within 30000ms
        "#]],
    );
}

#[test]
fn preemptions_are_not_attempts_and_may_be_limited() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:1; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.m5.large:0 borrow=all; item job-queue/q/quota-share/b unit=ml.m5.large:1 lend
        submit a1 q unit=ml.m5.large:1 quota=a preemptions=1; started a1
        submit b1 q unit=ml.m5.large:1 quota=b; exited a1 143; exited b1 0
        started a1; submit b2 q unit=ml.m5.large:1 quota=b; exited a1 143; exited b2 0
        submit a2 q unit=ml.m5.large:1 quota=a preemptions=0; submit b3 q unit=ml.m5.large:1 quota=b; exited a2 0; exited b3 0
        submit a3 q unit=ml.m5.large:1 quota=a; submit b4 q unit=ml.m5.large:1 quota=b; terminate-service a3; exited a3 143
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:1; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.m5.large:0 borrow=all; item job-queue/q/quota-share/b unit=ml.m5.large:1 lend
                job-queue/q/quota-share/a is version 1
                job-queue/q/quota-share/b is version 1
            > submit a1 q unit=ml.m5.large:1 quota=a preemptions=1; started a1
                a1 is number 1 of queue 1
                a1 RUNNABLE
                a1 SCHEDULED in environment 1
                => launch a1#1
                a1 RUNNING
            > submit b1 q unit=ml.m5.large:1 quota=b; exited a1 143; exited b1 0
                b1 is number 2 of queue 1
                b1 RUNNABLE
                a1 is to stop: other shares want back what was borrowed
                => stop a1#1 within 30000ms
                a1 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143
                => forget a1#1
                b1 SCHEDULED in environment 1
                => launch b1#1
                b1 SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget b1#1
                a1 SCHEDULED in environment 1
                => launch a1#2
            > started a1; submit b2 q unit=ml.m5.large:1 quota=b; exited a1 143; exited b2 0
                a1 RUNNING
                b2 is number 3 of queue 1
                b2 RUNNABLE
                a1 is to stop: other shares want back what was borrowed
                => stop a1#2 within 30000ms
                a1 FAILED: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143
                => forget a1#2
                b2 SCHEDULED in environment 1
                => launch b2#1
                b2 SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget b2#1
            > submit a2 q unit=ml.m5.large:1 quota=a preemptions=0; submit b3 q unit=ml.m5.large:1 quota=b; exited a2 0; exited b3 0
                a2 is number 4 of queue 1
                a2 RUNNABLE
                a2 SCHEDULED in environment 1
                => launch a2#1
                b3 is number 5 of queue 1
                b3 RUNNABLE
                a2 is to stop: other shares want back what was borrowed
                => stop a2#1 within 30000ms
                a2 FAILED: Cross-share preemption triggered to reclaim borrowed capacity, exit code 0, never RUNNING
                => forget a2#1
                b3 SCHEDULED in environment 1
                => launch b3#1
                b3 SUCCEEDED: Received status from SageMaker: Training job completed, exit code 0, never RUNNING
                => forget b3#1
            > submit a3 q unit=ml.m5.large:1 quota=a; submit b4 q unit=ml.m5.large:1 quota=b; terminate-service a3; exited a3 143
                a3 is number 6 of queue 1
                a3 RUNNABLE
                a3 SCHEDULED in environment 1
                => launch a3#1
                b4 is number 7 of queue 1
                b4 RUNNABLE
                a3 is to stop: other shares want back what was borrowed
                => stop a3#1 within 30000ms
                a3 is to stop: enough
                a3 FAILED: enough, exit code 143, never RUNNING
                => forget a3#1
                b4 SCHEDULED in environment 1
                => launch b4#1
        "#]],
    );
}

#[test]
fn a_lowered_limit_makes_its_jobs_give_way() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:2; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.m5.large:2; item job-queue/q/quota-share/b unit=ml.m5.large:0
        submit a1 q unit=ml.m5.large:2 quota=a; submit b1 q unit=ml.m5.large:1 quota=b
        explain b1
        update item job-queue/q/quota-share/b unit=ml.m5.large:1; explain b1
        update item job-queue/q/quota-share/a unit=ml.m5.large:1
        exited a1 143; explain a1
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:2; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.m5.large:2; item job-queue/q/quota-share/b unit=ml.m5.large:0
                job-queue/q/quota-share/a is version 1
                job-queue/q/quota-share/b is version 1
            > submit a1 q unit=ml.m5.large:2 quota=a; submit b1 q unit=ml.m5.large:1 quota=b
                a1 is number 1 of queue 1
                a1 RUNNABLE
                a1 SCHEDULED in environment 1
                => launch a1#1
                b1 is number 2 of queue 1
                b1 RUNNABLE
                queue 1, share b, is held up by b1: MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED - The quota share of the job cannot meet the capacity requirement of the job.
            > explain b1
                b1 is RUNNABLE in queue q; it needs 1 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 1 ml.m5.large; quota share b holds 0, has 0 for itself and borrows none; needed: a limit of 1
                  service environment svc holds 2 of the 2 ml.m5.large it may have at most; needed: a higher capacity limit, or others to end
            > update item job-queue/q/quota-share/b unit=ml.m5.large:1; explain b1
                job-queue/q/quota-share/b is version 2
                queue 1, share b, is held up no more
                b1 is RUNNABLE in queue q; it needs 1 ml.m5.large.
                It is next in its share, and cannot start:
                  service environment svc holds 2 of the 2 ml.m5.large it may have at most; needed: a higher capacity limit, or others to end
            > update item job-queue/q/quota-share/a unit=ml.m5.large:1
                job-queue/q/quota-share/a is version 2
                a1 is to stop: other shares want back what was borrowed
                => stop a1#1 within 30000ms
            > exited a1 143; explain a1
                a1 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143, never RUNNING
                => forget a1#1
                b1 SCHEDULED in environment 1
                queue 1, share a, is held up by a1: MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED - The quota share of the job cannot meet the capacity requirement of the job.
                => launch b1#1
                a1 is RUNNABLE in queue q; it needs 2 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 2 ml.m5.large; quota share a holds 0, has 1 for itself and borrows none; needed: a limit of 2
                  service environment svc holds 1 of the 2 ml.m5.large it may have at most; needed: a higher capacity limit, or others to end
        "#]],
    );
}

#[test]
fn a_job_over_its_shares_limit_is_told_and_ended() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota limit=quota:600 service-environment/svc
        item job-queue/q/quota-share/a unit=ml.m5.large:1 borrow=50
        submit a1 q unit=ml.m5.large:2 quota=a; submit a2 q unit=ml.m5.large:1 quota=a
        explain a1; at +600
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota limit=quota:600 service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.m5.large:1 borrow=50
                job-queue/q/quota-share/a is version 1
            > submit a1 q unit=ml.m5.large:2 quota=a; submit a2 q unit=ml.m5.large:1 quota=a
                a1 is number 1 of queue 1
                a1 RUNNABLE
                queue 1, share a, is held up by a1: MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED - The quota share of the job cannot meet the capacity requirement of the job.
                a2 is number 2 of queue 1
                a2 RUNNABLE
            > explain a1; at +600
                a1 is RUNNABLE in queue q; it needs 2 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 2 ml.m5.large; quota share a holds 0, has 1 for itself and borrows none; needed: a limit of 2
                queue 1, share a, is held up no more
                a1 FAILED: Terminated by JobStateTimeLimit action due to reason: MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED, terminated
                a2 SCHEDULED in environment 1
                => launch a2#1
        "#]],
    );
}

#[test]
fn what_a_share_reserves_stays_idle_for_it() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/own unit=ml.m5.large:2 lend; item job-queue/q/quota-share/kept unit=ml.m5.large:2; item job-queue/q/quota-share/guest unit=ml.m5.large:0 borrow=all
        submit g1 q unit=ml.m5.large:1 quota=guest; submit g2 q unit=ml.m5.large:1 quota=guest; submit g3 q unit=ml.m5.large:1 quota=guest
        submit o1 q unit=ml.m5.large:1 quota=own; explain o1
        submit k1 q unit=ml.m5.large:1 quota=kept; submit k2 q unit=ml.m5.large:1 quota=kept
        exited g2 143
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:4; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/own unit=ml.m5.large:2 lend; item job-queue/q/quota-share/kept unit=ml.m5.large:2; item job-queue/q/quota-share/guest unit=ml.m5.large:0 borrow=all
                job-queue/q/quota-share/own is version 1
                job-queue/q/quota-share/kept is version 1
                job-queue/q/quota-share/guest is version 1
            > submit g1 q unit=ml.m5.large:1 quota=guest; submit g2 q unit=ml.m5.large:1 quota=guest; submit g3 q unit=ml.m5.large:1 quota=guest
                g1 is number 1 of queue 1
                g1 RUNNABLE
                g1 SCHEDULED in environment 1
                => launch g1#1
                g2 is number 2 of queue 1
                g2 RUNNABLE
                g2 SCHEDULED in environment 1
                => launch g2#1
                g3 is number 3 of queue 1
                g3 RUNNABLE
            > submit o1 q unit=ml.m5.large:1 quota=own; explain o1
                o1 is number 4 of queue 1
                o1 RUNNABLE
                g2 is to stop: other shares want back what was borrowed
                => stop g2#1 within 30000ms
                o1 is RUNNABLE in queue q; it needs 1 ml.m5.large.
                It is next in its share, and cannot start:
                  it takes 1 ml.m5.large; quota share own holds 0 of its 2, and 0 of the rest are not lent
            > submit k1 q unit=ml.m5.large:1 quota=kept; submit k2 q unit=ml.m5.large:1 quota=kept
                k1 is number 5 of queue 1
                k1 RUNNABLE
                k1 SCHEDULED in environment 1
                => launch k1#1
                k2 is number 6 of queue 1
                k2 RUNNABLE
                k2 SCHEDULED in environment 1
                => launch k2#1
            > exited g2 143
                g2 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143, never RUNNING
                => forget g2#1
                o1 SCHEDULED in environment 1
                => launch o1#1
        "#]],
    );
}

#[test]
fn two_owners_get_back_what_each_has_lent() {
    check(
        "
        item scheduling-policy/quota quota; environment svc unit=ml.m5.large:2; queue q policy=quota service-environment/svc
        item job-queue/q/quota-share/a unit=ml.m5.large:1 lend; item job-queue/q/quota-share/b unit=ml.m5.large:1 lend; item job-queue/q/quota-share/guest unit=ml.m5.large:0 borrow=all
        submit g1 q unit=ml.m5.large:1 quota=guest; submit g2 q unit=ml.m5.large:1 quota=guest
        submit a1 q unit=ml.m5.large:1 quota=a; submit b1 q unit=ml.m5.large:1 quota=b
        exited g2 143; exited g1 143
        ",
        &expect![[r#"
            > item scheduling-policy/quota quota; environment svc unit=ml.m5.large:2; queue q policy=quota service-environment/svc
                scheduling-policy/quota is version 1
                environment 1 service-environment/svc is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item job-queue/q/quota-share/a unit=ml.m5.large:1 lend; item job-queue/q/quota-share/b unit=ml.m5.large:1 lend; item job-queue/q/quota-share/guest unit=ml.m5.large:0 borrow=all
                job-queue/q/quota-share/a is version 1
                job-queue/q/quota-share/b is version 1
                job-queue/q/quota-share/guest is version 1
            > submit g1 q unit=ml.m5.large:1 quota=guest; submit g2 q unit=ml.m5.large:1 quota=guest
                g1 is number 1 of queue 1
                g1 RUNNABLE
                g1 SCHEDULED in environment 1
                => launch g1#1
                g2 is number 2 of queue 1
                g2 RUNNABLE
                g2 SCHEDULED in environment 1
                => launch g2#1
            > submit a1 q unit=ml.m5.large:1 quota=a; submit b1 q unit=ml.m5.large:1 quota=b
                a1 is number 3 of queue 1
                a1 RUNNABLE
                g2 is to stop: other shares want back what was borrowed
                => stop g2#1 within 30000ms
                b1 is number 4 of queue 1
                b1 RUNNABLE
                g1 is to stop: other shares want back what was borrowed
                => stop g1#1 within 30000ms
            > exited g2 143; exited g1 143
                g2 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143, never RUNNING
                => forget g2#1
                a1 SCHEDULED in environment 1
                => launch a1#1
                g1 RUNNABLE again: Cross-share preemption triggered to reclaim borrowed capacity, exit code 143, never RUNNING
                => forget g1#1
                b1 SCHEDULED in environment 1
                => launch b1#1
        "#]],
    );
}
