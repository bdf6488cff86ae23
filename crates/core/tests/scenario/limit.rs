//! What runs out besides room: consumable resources, and limits on what runs at once.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_consumable_resource_holds_the_queue_up_until_it_is_given_back() {
    check(
        "
        environment ce shared; queue q ce; item consumable-resource/licence total=2
        submit a q take=licence:1; submit b q take=licence:2 attempts=2; submit c q; submit d q take=none:1
        explain b; explain c
        exited a 0
        exited b 1
        exited b 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce; item consumable-resource/licence total=2
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                consumable-resource/licence is version 1
            > submit a q take=licence:1; submit b q take=licence:2 attempts=2; submit c q; submit d q take=none:1
                a is number 1 of queue 1
                a RUNNABLE
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
                c is number 3 of queue 1
                c RUNNABLE
                refused: consumable-resource/none does not exist
            > explain b; explain c
                b is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  it takes 2 of consumable resource licence, which has 1 left; jobs hold 1; needed: 1 more
                c is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                Jobs start in order of submission; 1 job or array is before it.
                The first of them, b, cannot start, and holds the queue up:
                  it takes 2 of consumable resource licence, which has 1 left; jobs hold 1; needed: 1 more
            > exited a 0
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b STARTING in environment 1
                c STARTING in environment 1
                => launch b#1
                => launch c#1
            > exited b 1
                b RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget b#1
                b STARTING in environment 1
                => launch b#2
            > exited b 0
                b SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget b#2
        "#]],
    );
}

#[test]
fn a_consumable_resource_that_is_used_up_is_gone() {
    check(
        "
        environment ce shared; queue q ce; item consumable-resource/budget total=3 burns
        submit a q take=budget:2; submit b q take=budget:2
        explain b; exited a 0; explain b
        update item consumable-resource/budget total=4 burns
        ",
        &expect![[r#"
            > environment ce shared; queue q ce; item consumable-resource/budget total=3 burns
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                consumable-resource/budget is version 1
            > submit a q take=budget:2; submit b q take=budget:2
                a is number 1 of queue 1
                a RUNNABLE
                consumable-resource/budget has 1 left
                a STARTING in environment 1
                => launch a#1
                b is number 2 of queue 1
                b RUNNABLE
            > explain b; exited a 0; explain b
                b is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  it takes 2 of consumable resource budget, which has 1 left; jobs hold 0; needed: 1 more
                a SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a#1
                b is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  it takes 2 of consumable resource budget, which has 1 left; jobs hold 0; needed: 1 more
            > update item consumable-resource/budget total=4 burns
                consumable-resource/budget is version 3
                consumable-resource/budget has 2 left
                b STARTING in environment 1
                => launch b#1
        "#]],
    );
}

#[test]
fn children_take_of_a_resource_one_by_one() {
    check(
        "
        environment ce shared; queue q ce; item consumable-resource/licence total=2
        submit a q take=licence:1 array=3
        update item consumable-resource/licence total=1; explain a:2
        exited a:0 0
        exited a:1 0
        ",
        &expect![[r#"
            > environment ce shared; queue q ce; item consumable-resource/licence total=2
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                consumable-resource/licence is version 1
            > submit a q take=licence:1 array=3
                a is number 1 of queue 1
                a:0-2 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
            > update item consumable-resource/licence total=1; explain a:2
                consumable-resource/licence is version 2
                a:2 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  it takes 1 of consumable resource licence, which has 0 left; jobs hold 2; needed: 1 more
            > exited a:0 0
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:0#1
            > exited a:1 0
                a:1 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:1#1
                a:2 STARTING in environment 1
                => launch a:2#1
        "#]],
    );
}

#[test]
fn an_array_runs_as_many_children_at_once_as_its_tag_says() {
    check(
        "
        host vcpus=8
        environment ce shared; queue q ce
        submit a q array=5 most=2 attempts=2; submit b q
        explain a:2
        exited a:0 1
        exited a:0 0
        tag job/a most=4; untag job/a batchyard:max-concurrency
        ",
        &expect![[r#"
            > host vcpus=8
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > submit a q array=5 most=2 attempts=2; submit b q
                a is number 1 of queue 1
                a:0-4 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                b is number 2 of queue 1
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
            > explain a:2
                a:2 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It waits for another child of its array to end: 2 are under way, and the array's batchyard:max-concurrency is 2.
            > exited a:0 1
                a:0 RUNNABLE again: Essential container in task exited, exit code 1, never RUNNING
                => forget a:0#1
                a:0 STARTING in environment 1
                => launch a:0#2
            > exited a:0 0
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:0#2
                a:2 STARTING in environment 1
                => launch a:2#1
            > tag job/a most=4; untag job/a batchyard:max-concurrency
                ArrayConcurrencyChanged { job: a, max: Some(4) }
                TagsChanged(TagsChanged { resource: "job/a", set: [("batchyard:max-concurrency", "4")], removed: [] })
                a:3 STARTING in environment 1
                a:4 STARTING in environment 1
                => launch a:3#1
                => launch a:4#1
                ArrayConcurrencyChanged { job: a, max: None }
                TagsChanged(TagsChanged { resource: "job/a", set: [], removed: ["batchyard:max-concurrency"] })
        "#]],
    );
}

#[test]
fn a_queue_runs_as_many_attempts_at_once_as_its_tag_says() {
    check(
        "
        host vcpus=8
        environment ce shared; queue q most=2 ce; queue other ce
        submit a q array=4; submit b other
        explain a:2; show
        exited a:0 0
        tag job-queue/q most=3; untag job-queue/q batchyard:max-concurrency
        ",
        &expect![[r#"
            > host vcpus=8
            > environment ce shared; queue q most=2 ce; queue other ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
                queue 1 is told QueueOptions { max_concurrency: Some(2), backfill: false, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:max-concurrency", "2")], removed: [] })
                queue 2 other is version 1, Enabled
            > submit a q array=4; submit b other
                a is number 1 of queue 1
                a:0-3 RUNNABLE
                a:0 STARTING in environment 1
                a:1 STARTING in environment 1
                => launch a:0#1
                => launch a:1#1
                b is number 2 of queue 2
                b RUNNABLE
                b STARTING in environment 1
                => launch b#1
            > explain a:2; show
                a:2 is RUNNABLE in queue q; it needs 1 vCPU, 512 MiB.
                It is next in its queue, and cannot start:
                  it waits for an attempt of its queue to end: 2 run, and the queue's batchyard:max-concurrency is 2; needed: a limit of 3
                ce: 3 vCPU, 1536 MiB in use by 3
                a PENDING: 0 pending, 2 runnable, 2 starting, 0 running, 0 succeeded, 0 failed
                b STARTING
            > exited a:0 0
                a:0 SUCCEEDED: Essential container in task exited, exit code 0, never RUNNING
                => forget a:0#1
                a:2 STARTING in environment 1
                => launch a:2#1
            > tag job-queue/q most=3; untag job-queue/q batchyard:max-concurrency
                queue 1 is told QueueOptions { max_concurrency: Some(3), backfill: false, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [("batchyard:max-concurrency", "3")], removed: [] })
                a:3 STARTING in environment 1
                => launch a:3#1
                queue 1 is told QueueOptions { max_concurrency: None, backfill: false, backfill_depth: None }
                TagsChanged(TagsChanged { resource: "job-queue/q", set: [], removed: ["batchyard:max-concurrency"] })
        "#]],
    );
}
