//! Site files, and changes to sites.

use batchyard_core::time::Timestamp;
use batchyard_sim::present::Present;
use batchyard_sim::site::{Edit, Site};
use expect_test::{Expect, expect};

fn check(text: &str, expect: &Expect) {
    let shown = match Site::parse(text) {
        Ok(site) => format!("{site:#?}\n"),
        Err(error) => {
            let source =
                std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
            format!("{error}{source}\n")
        }
    };
    expect.assert_eq(&shown);
}

const QUEUE: &str = "[[queue]]\nname = \"q\"\n";

#[test]
fn what_a_site_lacks_or_says_wrongly_is_named() {
    check(
        "",
        &expect![[r#"
        read the site: a site needs at least one [[environment]] and one [[queue]]
    "#]],
    );
    check(
        "[[environment]]\nname = \"a b\"\nmax_vcpus = 1\n[[queue]]\nname = \"q\"",
        &expect![[r#"
            read the site: "a b" is not a name of 1 to 128 letters, digits, hyphens and underscores
        "#]],
    );
    check(
        &format!("[[environment]]\nname = \"a\"\n{QUEUE}"),
        &expect![[r#"
        read the site: host needs vcpus where an environment has no max_vcpus
    "#]],
    );
    check(
        &format!("[[environment]]\nname = \"a\"\nmax_vcpus = 1\ncolour = 1\n{QUEUE}"),
        &expect![[r#"
            read the site: TOML parse error at line 4, column 1
              |
            4 | colour = 1
              | ^^^^^^
            unknown field `colour`, expected one of `name`, `max_vcpus`, `min_vcpus`, `desired_vcpus`, `instance_types`, `strategy`, `idle_seconds`

        "#]],
    );
    check(
        &format!("[[environment]]\nname = \"a\"\nmax_vcpus = 1\ninstance_types = [\"c9.tiny\"]\n{QUEUE}"),
        &expect![[r#"
            read the site: environment a has no known instance type or family c9.tiny
        "#]],
    );
    check(
        &format!("[[environment]]\nname = \"a\"\nmax_vcpus = 1\n{QUEUE}max_concurrency = 0\n"),
        &expect![[r#"
            read the site: queue q has a max_concurrency of 0 and would run nothing
        "#]],
    );
    check(
        &format!("[[environment]]\nname = \"a\"\nmax_vcpus = 1\n{QUEUE}backfill_depth = 10001\n"),
        &expect![[r#"
            read the site: queue q has a backfill_depth that is not 1 to 10000
        "#]],
    );
    check(
        &format!("[host]\ngpus = 65\n[[environment]]\nname = \"a\"\nmax_vcpus = 1\n{QUEUE}"),
        &expect![[r#"
            read the site: host has more than 64 gpus
        "#]],
    );
    check(
        &format!("[host]\nvcpus = 0\n[[environment]]\nname = \"a\"\nmax_vcpus = 1\n{QUEUE}"),
        &expect![[r#"
            read the site: host has 0 vcpus and would run nothing
        "#]],
    );
    check(
        &format!(
            "[[environment]]\nname = \"a\"\nmax_vcpus = 1\n{QUEUE}fair_share = {{ weights = {{ x = 0 }} }}\n"
        ),
        &expect![[r#"
            read the site: queue q has a weight for x that is not 0.0001 to 999.9999
        "#]],
    );
    check(
        &format!("[[environment]]\nname = \"a\"\nmax_vcpus = 1\n{QUEUE}[prices]\nvcpu_hour = -1.0\n"),
        &expect![[r#"
            read the site: prices must be from 0 to 1000000000
        "#]],
    );
}

#[test]
fn a_site_becomes_the_state_it_describes_and_can_be_handed_on() {
    let site = Site::parse(include_str!("../data/site.toml")).expect("it is sound");
    let now = Timestamp::from_millis(1_700_000_000_000);
    let core = site.core(now).expect("it is sound");
    let queues = core.state().queues().map(|(_, queue)| {
        format!(
            "{} {} {:?} {:?}",
            queue.name, queue.priority, queue.policy, queue.options
        )
    });
    expect![[r#"
        main 10 Some("main") QueueOptions { max_concurrency: None, backfill: false, backfill_depth: None }
        low 1 None QueueOptions { max_concurrency: None, backfill: true, backfill_depth: None }"#]]
    .assert_eq(&queues.collect::<Vec<_>>().join("\n"));
    let text = serde_json::to_string(&Present::of(&core, now)).expect("all of it is JSON");
    let read: Present = serde_json::from_str(&text).expect("it was written so");
    let restored = read.into_core().expect("it makes sense");
    assert_eq!(restored.state(), core.state());
}

fn changed(edit: &str) -> String {
    let site = Site::parse(include_str!("../data/site.toml")).expect("it is sound");
    let mut core = site.core(Timestamp::default()).expect("it is sound");
    let before = format!("{:#?}", core.state());
    let edit: Edit = match edit.parse() {
        Ok(edit) => edit,
        Err(error) => return format!("{error}"),
    };
    if let Err(error) = edit.apply(&mut core, Timestamp::default()) {
        return format!("{error}");
    }
    let after = format!("{:#?}", core.state());
    let lines = before
        .lines()
        .zip(after.lines())
        .filter(|(before, after)| before != after && !before.contains("version"));
    lines
        .map(|(before, after)| format!("{} -> {}", before.trim(), after.trim()))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn changes_are_made_as_a_client_would() {
    let edits = [
        "environment=cluster:maxvCpus=3",
        "environment=cloud:maxvCpus=9",
        "queue=low:priority=99",
        "queue=low:backfill=off",
        "queue=low:backfillDepth=0",
        "environment=nowhere:maxvCpus=3",
        "queue=nothing:backfill=on",
        "queue=low:colour=red",
        "maxvCpus=3",
    ];
    let shown = edits.map(|edit| format!("{edit}\n    {}", changed(edit)));
    expect![[r#"
        environment=cluster:maxvCpus=3
            6, -> 3,
        environment=cloud:maxvCpus=9
            vcpus_max: 4, -> vcpus_max: 9,
        queue=low:priority=99
            priority: 1, -> priority: 99,
        queue=low:backfill=off
            backfill: true, -> backfill: false,
        queue=low:backfillDepth=0
            "queue=low:backfillDepth=0" must be environment=NAME:maxvCpus=N, queue=NAME:priority=N, queue=NAME:backfill=on or off, queue=NAME:backfillDepth=N, or queue=NAME:maxConcurrency=N
        environment=nowhere:maxvCpus=3
            there is no compute environment nowhere
        queue=nothing:backfill=on
            there is no job queue nothing
        queue=low:colour=red
            "queue=low:colour=red" must be environment=NAME:maxvCpus=N, queue=NAME:priority=N, queue=NAME:backfill=on or off, queue=NAME:backfillDepth=N, or queue=NAME:maxConcurrency=N
        maxvCpus=3
            "maxvCpus=3" must be environment=NAME:maxvCpus=N, queue=NAME:priority=N, queue=NAME:backfill=on or off, queue=NAME:backfillDepth=N, or queue=NAME:maxConcurrency=N"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn the_depth_of_backfill_can_be_changed() {
    let site = Site::parse(include_str!("../data/site.toml")).expect("it is sound");
    let mut core = site.core(Timestamp::default()).expect("it is sound");
    let edit: Edit = "queue=low:backfillDepth=7".parse().expect("it is a change");
    edit.apply(&mut core, Timestamp::default())
        .expect("there is such a queue");
    let depths = core
        .state()
        .queues()
        .map(|(_, queue)| queue.options.backfill_depth);
    assert_eq!(depths.collect::<Vec<_>>(), [None, Some(7)]);
}

#[test]
fn strategies_rank_types_by_the_sites_prices() {
    let ranked = |strategy: &str| {
        let text = format!(
            "[[environment]]\nname = \"a\"\nmax_vcpus = 64\nstrategy = \"{strategy}\"\ninstance_types = [\"c5.xlarge\", \"m5.large\", \"c5.large\"]\n\
             {QUEUE}[prices]\ninstance_hour = {{ \"c5.xlarge\" = 0.15, \"c5.large\" = 0.08, \"m5.large\" = 0.09 }}\n"
        );
        let site = Site::parse(&text).expect("it is sound");
        match &site.environments[0].capacity {
            batchyard_core::environment::Capacity::Instances(plan) => {
                let names = plan.types.iter().map(|name| name.facts().name);
                format!(
                    "{strategy}: {:?} {}",
                    plan.choice,
                    names.collect::<Vec<_>>().join(" ")
                )
            }
            _ => unreachable!("it has instances"),
        }
    };
    let strategies = [
        "BEST_FIT",
        "BEST_FIT_PROGRESSIVE",
        "BEST_FIT_PROGRESSIVE_ORDERED",
        "SPOT_CAPACITY_OPTIMIZED",
    ];
    expect![[r#"
        BEST_FIT: Ordered c5.large m5.large c5.xlarge
        BEST_FIT_PROGRESSIVE: Progressive c5.xlarge c5.large m5.large
        BEST_FIT_PROGRESSIVE_ORDERED: Progressive c5.xlarge m5.large c5.large
        SPOT_CAPACITY_OPTIMIZED: Roomiest c5.large m5.large c5.xlarge"#]]
    .assert_eq(&strategies.map(ranked).join("\n"));
}
