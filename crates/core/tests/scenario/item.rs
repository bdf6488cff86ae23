//! Scheduling policies, consumable resources, quota shares.

use expect_test::expect;

use crate::script::{check, play};

#[test]
fn items_are_created_updated_and_deleted() {
    check(
        "
        environment ce shared; queue q ce
        item scheduling-policy/p; item consumable-resource/p total=3; item job-queue/q/quota-share/p
        item scheduling-policy/p; item consumable-resource/p; item job-queue/q/quota-share/p; item job-queue/none/quota-share/p
        update item scheduling-policy/p; update item scheduling-policy/p version=1; update item scheduling-policy/none
        delete item scheduling-policy/p; delete item consumable-resource/p; delete item scheduling-policy/p
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > item scheduling-policy/p; item consumable-resource/p total=3; item job-queue/q/quota-share/p
                scheduling-policy/p is version 1
                consumable-resource/p is version 1
                job-queue/q/quota-share/p is version 1
            > item scheduling-policy/p; item consumable-resource/p; item job-queue/q/quota-share/p; item job-queue/none/quota-share/p
                refused: scheduling-policy/p exists
                refused: consumable-resource/p exists
                refused: job-queue/q/quota-share/p exists
                refused: job queue none does not exist
            > update item scheduling-policy/p; update item scheduling-policy/p version=1; update item scheduling-policy/none
                scheduling-policy/p is version 2
                refused: the resource was changed meanwhile
                refused: scheduling-policy/none does not exist
            > delete item scheduling-policy/p; delete item consumable-resource/p; delete item scheduling-policy/p
                scheduling-policy/p is gone
                consumable-resource/p is gone
                refused: scheduling-policy/p does not exist
        "#]],
    );
}

#[test]
fn what_is_used_stays() {
    check(
        "
        environment ce shared; item scheduling-policy/p; item scheduling-policy/r; queue q policy=p ce
        delete item scheduling-policy/p; queue other policy=none ce
        update queue q policy=r ce; delete item scheduling-policy/p; delete item scheduling-policy/r
        item consumable-resource/licence; queue fifo ce; submit a fifo take=licence:1; delete item consumable-resource/licence
        exited a 0; delete item consumable-resource/licence
        ",
        &expect![[r#"
            > environment ce shared; item scheduling-policy/p; item scheduling-policy/r; queue q policy=p ce
                environment 1 ce is version 1, Enabled
                scheduling-policy/p is version 1
                scheduling-policy/r is version 1
                queue 1 q is version 1, Enabled
            > delete item scheduling-policy/p; queue other policy=none ce
                refused: scheduling-policy/p is used by job queue q
                refused: scheduling-policy/none does not exist
            > update queue q policy=r ce; delete item scheduling-policy/p; delete item scheduling-policy/r
                queue 1 q is version 2, Enabled
                scheduling-policy/p is gone
                refused: scheduling-policy/r is used by job queue q
            > item consumable-resource/licence; queue fifo ce; submit a fifo take=licence:1; delete item consumable-resource/licence
                consumable-resource/licence is version 1
                queue 2 fifo is version 1, Enabled
                a is number 1 of queue 2
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                refused: consumable-resource/licence is used by jobs that have not ended
            > exited a 0; delete item consumable-resource/licence
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                consumable-resource/licence is gone
        "#]],
    );
}

#[test]
fn what_an_item_is_for_life() {
    check(
        "
        item scheduling-policy/p; update item scheduling-policy/p quota
        item scheduling-policy/s quota; update item scheduling-policy/s
        item consumable-resource/c; update item consumable-resource/c burns
        ",
        &expect![[r#"
            > item scheduling-policy/p; update item scheduling-policy/p quota
                scheduling-policy/p is version 1
                refused: scheduling-policy/p cannot become one of another kind
            > item scheduling-policy/s quota; update item scheduling-policy/s
                scheduling-policy/s is version 1
                refused: scheduling-policy/s cannot become one of another kind
            > item consumable-resource/c; update item consumable-resource/c burns
                consumable-resource/c is version 1
                refused: consumable-resource/c cannot become one of another kind
        "#]],
    );
}

#[test]
fn quota_shares_go_when_they_are_disabled_or_with_their_queue() {
    check(
        "
        environment ce shared; queue q ce; item job-queue/q/quota-share/s; item job-queue/q/quota-share/t
        delete item job-queue/q/quota-share/s
        update item job-queue/q/quota-share/s disabled; delete item job-queue/q/quota-share/s
        update queue q disabled ce; delete queue q
        queue q ce; item job-queue/q/quota-share/t
        ",
        &expect![[r#"
            > environment ce shared; queue q ce; item job-queue/q/quota-share/s; item job-queue/q/quota-share/t
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                job-queue/q/quota-share/s is version 1
                job-queue/q/quota-share/t is version 1
            > delete item job-queue/q/quota-share/s
                refused: job-queue/q/quota-share/s is enabled
            > update item job-queue/q/quota-share/s disabled; delete item job-queue/q/quota-share/s
                job-queue/q/quota-share/s is version 2
                job-queue/q/quota-share/s is gone
            > update queue q disabled ce; delete queue q
                queue 1 q is version 2, Disabled
                queue 1 is being deleted
                job-queue/q/quota-share/t is gone
                queue 1 is gone
            > queue q ce; item job-queue/q/quota-share/t
                queue 2 q is version 1, Enabled
                job-queue/q/quota-share/t is version 1
        "#]],
    );
}

#[test]
fn a_job_has_a_share_where_jobs_are_ordered_by_share() {
    check(
        "
        environment ce shared; item scheduling-policy/p; queue fair policy=p ce; queue fifo ce
        submit a fair; submit b fifo share=red; submit c fair share=red; submit d fifo
        ",
        &expect![[r#"
            > environment ce shared; item scheduling-policy/p; queue fair policy=p ce; queue fifo ce
                environment 1 ce is version 1, Enabled
                scheduling-policy/p is version 1
                queue 1 fair is version 1, Enabled
                queue 2 fifo is version 1, Enabled
            > submit a fair; submit b fifo share=red; submit c fair share=red; submit d fifo
                refused: job queue fair orders its jobs by share, and the job has none
                refused: job queue fifo does not order its jobs by share
                share red of queue 1 has used 0 vCPU seconds
                c is number 1 of queue 1
                c RUNNABLE
                share red of queue 1 has used 1 vCPU seconds
                c STARTING in environment 1
                => launch c#1
                d is number 2 of queue 2
                d RUNNABLE
                d STARTING in environment 1
                => launch d#1
        "#]],
    );
}

#[test]
fn there_are_at_most_twenty_quota_shares_in_a_queue() {
    let mut script = "environment ce shared; queue q ce; queue r ce".to_owned();
    for number in 0..21 {
        script.push_str(&format!("; item job-queue/q/quota-share/s{number}"));
    }
    script.push_str("; item job-queue/r/quota-share/s");
    let printed = play(&script);
    let last: Vec<&str> = printed.lines().map(str::trim).rev().take(3).collect();
    assert_eq!(
        last,
        [
            "job-queue/r/quota-share/s is version 1",
            "refused: there are 20 of the kind, the most allowed",
            "job-queue/q/quota-share/s19 is version 1"
        ]
    );
}
