//! Groups and streams: making, listing, tagging, keeping and deleting.

use std::collections::BTreeMap;

use batchyard_core::time::Timestamp;
use batchyard_logs::limits::TAGS_MAX;
use batchyard_logs::{
    Error, FilterQuery, FilterStreams, GroupsQuery, Listing, NameMatch, Start, StreamOrder, StreamsQuery,
};
use expect_test::expect;

use crate::setup::{Setup, all, append, at, name, shown};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// All items of a list, a page on each line.
fn pages<T>(mut list: impl FnMut(Option<String>) -> Listing<T>, show: impl Fn(&T) -> String) -> String {
    let mut lines = Vec::new();
    let mut token = None;
    loop {
        let Listing { items, next_token } = list(token);
        lines.push(items.iter().map(&show).collect::<Vec<_>>().join(" "));
        token = next_token;
        if token.is_none() {
            return lines.join("\n");
        }
    }
}

#[test]
fn groups_are_listed_by_name() {
    let setup = Setup::new();
    for group in ["b/x", "a", "b/y", "c/bx", "b"] {
        setup.wait(setup.logs.create_group(group, at(7))).unwrap();
    }
    let list = |name: NameMatch| {
        let list = |token| {
            setup
                .logs
                .groups(&GroupsQuery {
                    name: name.clone(),
                    token,
                    limit: 2,
                })
                .unwrap()
        };
        pages(list, |group| group.name.clone())
    };
    expect![[r"
        a b
        b/x b/y
        c/bx"]]
    .assert_eq(&list(NameMatch::Any));
    expect![[r"
        b b/x
        b/y"]]
    .assert_eq(&list(NameMatch::Prefix("b".to_owned())));
    expect!["b/x c/bx"].assert_eq(&list(NameMatch::Contains("x".to_owned())));
    expect![""].assert_eq(&list(NameMatch::Contains("X".to_owned())));
    let query = GroupsQuery {
        name: NameMatch::Any,
        token: Some("zz".to_owned()),
        limit: 2,
    };
    assert!(matches!(setup.logs.groups(&query), Err(Error::InvalidToken)));
    assert!(matches!(
        setup.logs.groups(&GroupsQuery {
            token: None,
            limit: 51,
            ..query
        }),
        Err(Error::Invalid { .. })
    ));
}

#[test]
fn streams_are_listed_by_name_or_newest_event() {
    let setup = Setup::new();
    for (stream, events) in [
        ("b1", vec![(5, "x")]),
        ("a", vec![]),
        ("b2", vec![(3, "x"), (9, "y")]),
        ("c", vec![(5, "x")]),
    ] {
        setup.put("g", stream, &events);
    }
    setup.put("h", "other", &[(1, "x")]);
    let list = |order: StreamOrder, is_descending| {
        let query = |token| StreamsQuery {
            group: "g".to_owned(),
            order: order.clone(),
            is_descending,
            token,
            limit: 2,
        };
        let time = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.as_millis().to_string());
        pages(
            |token| setup.logs.streams(&query(token)).unwrap(),
            |stream| {
                format!(
                    "{}:{}..{}",
                    stream.name,
                    time(stream.first_event),
                    time(stream.last_event)
                )
            },
        )
    };
    let by_name = |prefix: &str| StreamOrder::Name {
        prefix: prefix.to_owned(),
    };
    expect![[r"
        a:-..- b1:5..5
        b2:3..9 c:5..5"]]
    .assert_eq(&list(by_name(""), false));
    expect![[r"
        c:5..5 b2:3..9
        b1:5..5 a:-..-"]]
    .assert_eq(&list(by_name(""), true));
    expect!["b1:5..5 b2:3..9"].assert_eq(&list(by_name("b"), false));
    expect!["b2:3..9 b1:5..5"].assert_eq(&list(by_name("b"), true));
    expect![[r"
        a:-..- b1:5..5
        c:5..5 b2:3..9"]]
    .assert_eq(&list(StreamOrder::LastEvent, false));
    expect![[r"
        b2:3..9 c:5..5
        b1:5..5 a:-..-"]]
    .assert_eq(&list(StreamOrder::LastEvent, true));
    let stream = setup.logs.stream(&name("g", "a")).unwrap();
    assert_eq!((stream.last_ingestion, stream.last_event), (None, None));
    assert!(
        setup
            .logs
            .stream(&name("g", "c"))
            .unwrap()
            .last_ingestion
            .is_some()
    );
}

#[test]
fn making_twice_and_using_what_is_missing_are_refused() {
    let setup = Setup::new();
    let logs = &setup.logs;
    let told = |result: Result<(), Error>| result.unwrap_err().to_string();
    expect![[r#"find log group "g""#]]
        .assert_eq(&told(setup.wait(logs.create_stream(name("g", "s"), at(1)))));
    setup.wait(logs.create_group("g", at(1))).unwrap();
    expect![[r#"create log group "g": it exists"#]]
        .assert_eq(&told(setup.wait(logs.create_group("g", at(1)))));
    expect![[r#"find log stream "s""#]].assert_eq(&told(setup.wait(logs.delete_stream(name("g", "s")))));
    setup.wait(logs.create_stream(name("g", "s"), at(1))).unwrap();
    expect![[r#"create log stream "s": it exists"#]]
        .assert_eq(&told(setup.wait(logs.create_stream(name("g", "s"), at(1)))));
    expect![[r#"find log group "h""#]].assert_eq(&told(setup.wait(logs.delete_group("h"))));
    expect!["accept retentionInDays: one of the numbers of days offered"]
        .assert_eq(&told(setup.wait(logs.put_retention("g", Some(2)))));
}

#[test]
fn tags_are_added_replaced_and_removed() {
    let setup = Setup::new();
    setup.wait(setup.logs.create_group("g", at(1))).unwrap();
    let tag = |tags: &[(&str, &str)]| {
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        setup.wait(setup.logs.tag_group("g", tags))
    };
    tag(&[("a", "1"), ("b", "2")]).unwrap();
    tag(&[("b", "3"), ("c", "4")]).unwrap();
    setup
        .wait(setup.logs.untag_group("g", vec!["a".to_owned(), "x".to_owned()]))
        .unwrap();
    expect![[r#"{"b": "3", "c": "4"}"#]].assert_eq(&format!("{:?}", setup.logs.group("g").unwrap().tags));
    let many: BTreeMap<_, _> = (0..TAGS_MAX)
        .map(|index| (index.to_string(), String::new()))
        .collect();
    assert!(matches!(
        setup.wait(setup.logs.tag_group("g", many)),
        Err(Error::Invalid { field: "tags", .. })
    ));
}

#[test]
fn what_is_deleted_is_gone_at_once_and_may_come_again() {
    let setup = Setup::new();
    let logs = &setup.logs;
    // More than one step removes.
    let batch = (0..1500)
        .map(|index| append("g", &format!("s{index:04}"), &[(index, "x")]))
        .collect();
    setup.wait(logs.put(batch)).unwrap();
    assert_eq!(logs.group("g").unwrap().stored_bytes, 1500 * 27);
    setup.wait(logs.delete_stream(name("g", "s0001"))).unwrap();
    assert_eq!(logs.group("g").unwrap().stored_bytes, 1499 * 27);
    assert!(matches!(
        logs.stream(&name("g", "s0001")),
        Err(Error::StreamNotFound(_))
    ));
    let found = |_: ()| logs.filter(&all(FilterStreams::All)).unwrap().events.len();
    assert_eq!(found(()), 1499);
    setup.put("g", "s0001", &[(1, "new")]);
    assert_eq!(shown(&setup.page("s0001", Start::Head, 10)), "1:new");
    setup.wait(logs.delete_group("g")).unwrap();
    assert!(matches!(logs.group("g"), Err(Error::GroupNotFound(_))));
    setup.put("g", "s0002", &[(2, "newer")]);
    assert_eq!((found(()), logs.group("g").unwrap().stored_bytes), (1, 26 + 5));
    // Removing goes on after the store is opened again.
    let setup = setup.reopen();
    assert_eq!(shown(&setup.page("s0002", Start::Head, 10)), "2:newer");
}

#[test]
fn what_is_deleted_is_not_counted_as_expired_too() {
    let setup = Setup::new();
    let logs = &setup.logs;
    let text = "x".repeat(5000);
    // A chunk each, so that removing them takes some steps, between which the rest expires.
    let chunks = (0..2500).map(|index| append("g", "deleted", &[(index, &text)]));
    setup.wait(logs.put(chunks.collect())).unwrap();
    setup.put("g", "kept", &[(9 * DAY_MS, "new")]);
    setup.wait(logs.put_retention("g", Some(1))).unwrap();
    let (deleted, purged) = setup.wait(async {
        tokio::join!(
            logs.delete_stream(name("g", "deleted")),
            logs.purge_expired(at(9 * DAY_MS))
        )
    });
    deleted.unwrap();
    purged.unwrap();
    assert_eq!(logs.group("g").unwrap().stored_bytes, 26 + 3);
}

#[test]
fn groups_keep_events_for_their_time() {
    let setup = Setup::new();
    let logs = &setup.logs;
    let text = "x".repeat(5000);
    // A chunk each: too long to be joined with others, and more than one step removes.
    let old: Vec<_> = (0..1200)
        .map(|index| append("g", "old", &[(index, &text)]))
        .collect();
    setup.wait(logs.put(old)).unwrap();
    setup.put("g", "both", &[(1, "old"), (3 * DAY_MS, "new")]);
    setup.put("kept", "s", &[(1, "old")]);
    let left = |stream: &str| {
        let named = FilterStreams::Named(vec![stream.to_owned()]);
        let list = |token| {
            let page = logs
                .filter(&FilterQuery {
                    token,
                    ..all(named.clone())
                })
                .unwrap();
            Listing {
                items: page.events,
                next_token: page.next_token,
            }
        };
        pages(list, |_| ".".to_owned()).matches('.').count()
    };
    setup.wait(logs.purge_expired(at(10 * DAY_MS))).unwrap();
    assert_eq!((left("old"), left("both")), (1200, 2));
    setup.wait(logs.put_retention("g", Some(1))).unwrap();
    assert_eq!(logs.group("g").unwrap().retention_days, Some(1));
    setup.wait(logs.purge_expired(at(DAY_MS + 600))).unwrap();
    assert_eq!((left("old"), left("both")), (600, 1));
    setup.wait(logs.purge_expired(at(DAY_MS + 2000))).unwrap();
    assert_eq!((left("old"), left("both")), (0, 1));
    assert_eq!(logs.group("g").unwrap().stored_bytes, 26 + 3);
    assert_eq!(logs.group("kept").unwrap().stored_bytes, 26 + 3);
    let old = logs.stream(&name("g", "old")).unwrap();
    assert_eq!((old.first_event, old.last_event), (None, None));
    let both = logs.stream(&name("g", "both")).unwrap();
    assert_eq!(
        (both.first_event, both.last_event),
        (Some(at(3 * DAY_MS)), Some(at(3 * DAY_MS)))
    );
    setup.wait(logs.put_retention("g", None)).unwrap();
    setup.wait(logs.purge_expired(at(1000 * DAY_MS))).unwrap();
    assert_eq!(left("both"), 1);
    // An emptied stream goes on where it was.
    setup.put("g", "old", &[(5, "again")]);
    assert_eq!(shown(&setup.page("old", Start::Head, 10)), "5:again");
}
