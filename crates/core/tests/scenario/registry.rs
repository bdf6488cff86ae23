//! Environments and queues as resources.

use expect_test::expect;

use crate::script::{check, play};

#[test]
fn updates_from_an_outdated_reading_are_refused() {
    check(
        "
        environment ce shared; queue q ce
        update environment ce shared max=2; update environment ce shared max=3 version=1
        update queue q priority=2 ce; update queue q priority=3 version=1 ce
        update environment none shared; update queue none ce; delete environment none; delete queue none
        environment ce shared; queue q ce; queue r none; update queue q none
        ",
        &expect![[r#"
            > environment ce shared; queue q ce
                environment 1 ce is version 1, Enabled
                queue 1 q is version 1, Enabled
            > update environment ce shared max=2; update environment ce shared max=3 version=1
                environment 1 ce is version 2, Enabled
                refused: the resource was changed meanwhile
            > update queue q priority=2 ce; update queue q priority=3 version=1 ce
                queue 1 q is version 2, Enabled
                refused: the resource was changed meanwhile
            > update environment none shared; update queue none ce; delete environment none; delete queue none
                refused: compute environment none does not exist
                refused: job queue none does not exist
                refused: compute environment none does not exist
                refused: job queue none does not exist
            > environment ce shared; queue q ce; queue r none; update queue q none
                refused: compute environment ce exists
                refused: job queue q exists
                refused: compute environment none does not exist
                refused: compute environment none does not exist
        "#]],
    );
}

#[test]
fn platforms_cannot_share_a_queue() {
    check(
        "
        environment ce shared; environment fg shared platform=fargate
        queue q ce fg
        ",
        &expect![[r#"
            > environment ce shared; environment fg shared platform=fargate
                environment 1 ce is version 1, Enabled
                environment 2 fg is version 1, Enabled
            > queue q ce fg
                refused: compute environments of different platforms cannot share a queue
        "#]],
    );
}

#[test]
fn there_are_at_most_fifty_of_each() {
    let mut script = String::new();
    for number in 0..51 {
        script += &format!("environment ce{number} shared\n");
    }
    for number in 0..51 {
        script += &format!("queue q{number} ce0\n");
    }
    let printed = play(&script);
    let refused: Vec<&str> = printed.lines().filter(|line| line.contains("refused")).collect();
    expect![[r#"
        [
            "    refused: there are 50 compute environments, the most allowed",
            "    refused: there are 50 job queues, the most allowed",
        ]
    "#]]
    .assert_debug_eq(&refused);
}
