//! Pages of one stream and of many.

use batchyard_logs::limits::PAGE_BYTES_MAX;
use batchyard_logs::{Error, EventsQuery, FilterPattern, FilterQuery, FilterStreams, Start};
use batchyard_runtime::log::{LogStore, MESSAGE_BYTES_MAX};
use expect_test::{Expect, expect};

use crate::setup::{Setup, all, append, at, name, shown};

#[test]
fn events_come_back_by_time_then_as_they_came() {
    let setup = Setup::new();
    setup.put("g", "s", &[(5, "a"), (7, "b"), (7, "c")]);
    setup.put("g", "s", &[(6, "d"), (7, "e"), (5, "f")]);
    setup.put("g", "s", &[(1, "g")]);
    expect!["1:g 5:a 5:f 6:d 7:b 7:c 7:e"].assert_eq(&shown(&setup.page("s", Start::Head, 10)));
}

/// Reads pages from one start, a direction a time, and shows each.
fn check(steps: &str, limit: usize, expected: &Expect) {
    let setup = Setup::new();
    setup.put("g", "s", &[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]);
    let mut page = None;
    let mut lines = Vec::new();
    for step in steps.split(' ') {
        let token = |of: fn(&batchyard_logs::Page) -> String| Start::Token(page.as_ref().map(of).unwrap());
        let from = match step {
            "head" => Start::Head,
            "tail" => Start::Tail,
            "f" => token(|page| page.forward_token.clone()),
            "b" => token(|page| page.backward_token.clone()),
            more => {
                setup.put("g", "s", &[(6, more)]);
                continue;
            }
        };
        let next = setup.page("s", from, limit);
        lines.push(format!("{step}: {}", shown(&next)));
        page = Some(next);
    }
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn forward_to_the_end_and_back() {
    check(
        "head f f f b b b b f",
        2,
        &expect![[r"
        head: 1:a 2:b
        f: 3:c 4:d
        f: 5:e
        f: 
        b: 4:d 5:e
        b: 2:b 3:c
        b: 1:a
        b: 
        f: 1:a 2:b"]],
    );
}

#[test]
fn the_tail_is_the_newest_page_and_waits_for_more() {
    check(
        "tail f f new f f b",
        2,
        &expect![[r"
        tail: 4:d 5:e
        f: 
        f: 
        f: 6:new
        f: 
        b: 5:e 6:new"]],
    );
}

#[test]
fn the_last_token_comes_back_at_the_end() {
    let setup = Setup::new();
    setup.put("g", "s", &[(1, "a")]);
    let first = setup.page("s", Start::Head, 10);
    let second = setup.page("s", Start::Token(first.forward_token.clone()), 10);
    assert_eq!(second.forward_token, first.forward_token);
    let back = setup.page("s", Start::Token(first.backward_token.clone()), 10);
    assert_eq!(
        (back.events.len(), &back.backward_token),
        (0, &first.backward_token)
    );
    expect!["f/00000000000001000000000000000000100000000000000000011694"].assert_eq(&first.forward_token);
}

#[test]
fn an_empty_stream_has_tokens_that_yield_what_comes() {
    let setup = Setup::new();
    setup.put("g", "s", &[]);
    for from in [Start::Head, Start::Tail] {
        let page = setup.page("s", from, 10);
        assert_eq!(page.events, []);
        assert_eq!(setup.page("s", Start::Token(page.backward_token), 10).events, []);
        setup.put("g", "s", &[(3, "x")]);
        assert!(shown(&setup.page("s", Start::Token(page.forward_token), 10)).starts_with("3:x"));
        setup.wait(setup.logs.delete_stream(name("g", "s"))).unwrap();
        setup.put("g", "s", &[]);
    }
}

#[test]
fn start_is_inclusive_and_end_is_not() {
    let setup = Setup::new();
    setup.put("g", "s", &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    for from in [Start::Head, Start::Tail] {
        let query = EventsQuery {
            stream: name("g", "s"),
            start: Some(at(2)),
            end: Some(at(4)),
            from,
            limit: 10,
        };
        assert_eq!(shown(&setup.logs.events(&query).unwrap()), "2:b 3:c");
    }
}

#[test]
fn a_page_has_at_most_a_mebibyte() {
    let setup = Setup::new();
    let long = "x".repeat(MESSAGE_BYTES_MAX);
    setup.put(
        "g",
        "s",
        &[(1, &long), (2, &long), (3, &long), (4, &long), (5, &long)],
    );
    // With their overhead, four are a mebibyte exactly.
    for (from, times) in [(Start::Head, [1, 2, 3, 4]), (Start::Tail, [2, 3, 4, 5])] {
        let page = setup.page("s", from, 10);
        assert_eq!(
            page.events
                .iter()
                .map(|event| event.timestamp.as_millis())
                .collect::<Vec<_>>(),
            times
        );
        assert_eq!(
            page.events
                .iter()
                .map(|event| event.message.len() + 26)
                .sum::<usize>(),
            PAGE_BYTES_MAX
        );
    }
    let first = setup.logs.filter(&all(FilterStreams::All)).unwrap();
    let rest = setup
        .logs
        .filter(&FilterQuery {
            token: first.next_token,
            ..all(FilterStreams::All)
        })
        .unwrap();
    assert_eq!(
        (first.events.len(), rest.events.len(), rest.next_token),
        (4, 1, None)
    );
}

#[test]
fn tokens_that_are_not_ours_are_refused() {
    let setup = Setup::new();
    setup.put("g", "s", &[(1, "a")]);
    setup.put("g", "t", &[(1, "a")]);
    let token = setup.page("s", Start::Head, 1).forward_token;
    let others = setup.page("t", Start::Head, 1).forward_token;
    let garbled = token.replace("f/0", "f/1");
    let multibyte = format!("f/{}", "é".repeat(28));
    for bad in [
        "",
        "f/",
        "x",
        &token[2..],
        &token[..30],
        &garbled,
        &others,
        &multibyte,
    ] {
        let from = Start::Token(bad.to_owned());
        let query = EventsQuery {
            stream: name("g", "s"),
            start: None,
            end: None,
            from,
            limit: 1,
        };
        assert!(
            matches!(setup.logs.events(&query), Err(Error::InvalidToken)),
            "{bad}"
        );
    }
}

#[test]
fn what_is_missing_or_out_of_range_is_named() {
    let setup = Setup::new();
    setup.put("g", "s", &[(1, "a")]);
    let read = |group, stream, limit| {
        let query = EventsQuery {
            stream: name(group, stream),
            start: None,
            end: None,
            from: Start::Head,
            limit,
        };
        setup.logs.events(&query).unwrap_err().to_string()
    };
    expect![[r#"find log group "h""#]].assert_eq(&read("h", "s", 1));
    expect![[r#"find log stream "t""#]].assert_eq(&read("g", "t", 1));
    expect!["accept limit: from 1 to 10000"].assert_eq(&read("g", "s", 0));
    let put = |ms, text: &str| {
        setup
            .wait(setup.logs.put(vec![append("g", "s", &[(ms, text)])]))
            .unwrap_err()
            .to_string()
    };
    expect!["accept timestamp: from 1970 to 5138"].assert_eq(&put(-1, ""));
    expect!["accept message: at most 256 KiB less 26 bytes"]
        .assert_eq(&put(1, &"x".repeat(MESSAGE_BYTES_MAX + 1)));
}

#[test]
fn a_filter_interleaves_streams_and_names_events() {
    let setup = Setup::new();
    setup.put("g", "job/a", &[(1, "a1"), (3, "a3"), (5, "a5 x")]);
    setup.put("g", "job/b", &[(2, "b2"), (3, "b3"), (9, "b9 x")]);
    setup.put("g", "other", &[(4, "o4 x")]);
    let found = |query: FilterQuery| {
        let mut shown = Vec::new();
        let mut token = None;
        loop {
            let page = setup
                .logs
                .filter(&FilterQuery {
                    token,
                    ..query.clone()
                })
                .unwrap();
            shown.extend(
                page.events
                    .iter()
                    .map(|event| format!("{}/{}", event.stream, event.message)),
            );
            token = page.next_token;
            if token.is_none() {
                return shown.join(", ");
            }
        }
    };
    let everything = expect!["job/a/a1, job/b/b2, job/a/a3, job/b/b3, other/o4 x, job/a/a5 x, job/b/b9 x"];
    for limit in [1, 2, 100] {
        everything.assert_eq(&found(FilterQuery {
            limit,
            ..all(FilterStreams::All)
        }));
    }
    let prefix = FilterStreams::Prefix("job/".to_owned());
    expect!["job/a/a1, job/b/b2, job/a/a3, job/b/b3, job/a/a5 x, job/b/b9 x"].assert_eq(&found(all(prefix)));
    let named = FilterStreams::Named(vec!["other".to_owned(), "job/b".to_owned(), "other".to_owned()]);
    expect!["job/b/b2, job/b/b3, other/o4 x, job/b/b9 x"].assert_eq(&found(all(named.clone())));
    let pattern = Some(FilterPattern::parse("x").unwrap());
    let some = FilterQuery {
        start: Some(at(4)),
        end: Some(at(9)),
        pattern,
        ..all(FilterStreams::All)
    };
    expect!["other/o4 x, job/a/a5 x"].assert_eq(&found(some));
    let missing = all(FilterStreams::Named(vec!["job/c".to_owned()]));
    assert!(matches!(setup.logs.filter(&missing), Err(Error::StreamNotFound(name)) if name == "job/c"));
    let page = setup.logs.filter(&all(named)).unwrap();
    expect!["00000000000002000000000000000000200000000000000000016603"].assert_eq(&page.events[0].event_id);
}

#[test]
fn cursors_are_set_and_removed_with_events() {
    use batchyard_runtime::log::Cursor;
    let setup = Setup::new();
    let set = |source: &str, position: Option<&[u8]>| {
        let cursor = Cursor {
            source: source.to_owned(),
            position: position.map(<[u8]>::to_vec),
        };
        let append = batchyard_runtime::log::Append {
            cursor: Some(cursor),
            ..append("g", "s", &[(1, "x")])
        };
        setup.wait(setup.logs.append(vec![append])).unwrap();
    };
    set("docker/1", Some(b"10"));
    set("docker/2", Some(b"20"));
    set("docker0", Some(b"30"));
    set("docker/1", Some(b"11"));
    assert_eq!(setup.logs.cursor("docker/1").unwrap(), Some(b"11".to_vec()));
    let docker = || setup.logs.cursors("docker/").unwrap();
    assert_eq!(
        docker(),
        [
            ("docker/1".to_owned(), b"11".to_vec()),
            ("docker/2".to_owned(), b"20".to_vec())
        ]
    );
    set("docker/1", None);
    assert_eq!(setup.logs.cursor("docker/1").unwrap(), None);
    assert_eq!(docker().len(), 1);
}
