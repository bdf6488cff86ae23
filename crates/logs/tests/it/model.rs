//! Random appends against a store that is a vector: every way of reading must give the same.

use std::collections::BTreeMap;

use batchyard_logs::{EventsQuery, FilterPattern, FilterQuery, FilterStreams, Start};
use batchyard_runtime::log::{Append, LogEvent};
use proptest::prelude::*;

use crate::setup::{Setup, all, at, name};

/// One stream's part of one append: (stream, times, bytes of each message).
type Part = (u8, Vec<i64>, usize);

/// What a stream holds: time, and the message, which is unique.
type Model = BTreeMap<String, Vec<(i64, String)>>;

const STREAMS: u8 = 4;

fn appends() -> impl Strategy<Value = Vec<Vec<Part>>> {
    // Near and far apart, with many equal ones, so that chunks are merged, split, and closed for their span.
    let time = prop_oneof![0..20_i64, 0..5000_i64, 0..20_000_000_i64];
    let times = prop_oneof![
        proptest::collection::vec(time, 0..12),
        (0..10_000_i64, 1..300_usize).prop_map(|(from, count)| (from..).step_by(7).take(count).collect()),
    ];
    // Some so long that a chunk holds only a few.
    let length = prop_oneof![4 => 0..40_usize, 1 => 30_000..60_000_usize];
    let part = (0..STREAMS, times, length).prop_map(|(stream, times, length)| {
        let count = if length > 1000 { 4 } else { times.len() };
        (stream, times.into_iter().take(count).collect(), length)
    });
    proptest::collection::vec(proptest::collection::vec(part, 1..4), 1..12)
}

fn fill(setup: &Setup, appends: &[Vec<Part>]) -> Model {
    let mut model = Model::new();
    let mut count = 0;
    for parts in appends {
        let mut batch = Vec::new();
        for (stream, times, length) in parts {
            let stream = format!("s{stream}");
            let mut events = Vec::new();
            for time in times {
                count += 1;
                let message = format!("{count} {}", "x".repeat(*length));
                model
                    .entry(stream.clone())
                    .or_default()
                    .push((*time, message.clone()));
                events.push(LogEvent {
                    timestamp: at(*time),
                    message,
                });
            }
            model.entry(stream.clone()).or_default();
            batch.push(Append {
                stream: name("g", &stream),
                events,
                cursor: None,
            });
        }
        setup.wait(setup.logs.put(batch)).unwrap();
    }
    for events in model.values_mut() {
        // Stable: equal times stay as they came.
        events.sort_by_key(|(time, _)| *time);
    }
    model
}

type Shown = Vec<(i64, String)>;

fn page(
    setup: &Setup,
    stream: &str,
    range: (Option<i64>, Option<i64>),
    from: Start,
    limit: usize,
) -> (Shown, String, String) {
    let (start, end) = (range.0.map(at), range.1.map(at));
    let query = EventsQuery {
        stream: name("g", stream),
        start,
        end,
        from,
        limit,
    };
    let page = setup.logs.events(&query).unwrap();
    let events = page
        .events
        .into_iter()
        .map(|event| (event.timestamp.as_millis(), event.message))
        .collect();
    (events, page.forward_token, page.backward_token)
}

fn within(events: &[(i64, String)], range: (Option<i64>, Option<i64>)) -> Shown {
    let is_in = |time: i64| range.0.is_none_or(|start| start <= time) && range.1.is_none_or(|end| time < end);
    events.iter().filter(|(time, _)| is_in(*time)).cloned().collect()
}

fn check_stream(
    setup: &Setup,
    stream: &str,
    events: &[(i64, String)],
    range: (Option<i64>, Option<i64>),
    limit: usize,
) {
    let expected = within(events, range);
    let mut forward = Vec::new();
    let mut from = Start::Head;
    loop {
        let (events, forward_token, backward_token) = page(setup, stream, range, from, limit);
        // Back from any page is what has been read before it.
        let (back, _, _) = page(setup, stream, range, Start::Token(backward_token), limit);
        assert!(
            forward.ends_with(&back),
            "back to {} of {}",
            back.len(),
            forward.len()
        );
        assert_eq!(back.is_empty(), forward.is_empty());
        if events.is_empty() {
            break;
        }
        forward.extend(events);
        from = Start::Token(forward_token);
    }
    assert_eq!(forward, expected);
    let mut backward = Vec::new();
    let mut from = Start::Tail;
    loop {
        let (mut events, _, backward_token) = page(setup, stream, range, from, limit);
        if events.is_empty() {
            break;
        }
        events.append(&mut backward);
        backward = events;
        from = Start::Token(backward_token);
    }
    assert_eq!(backward, expected);
}

/// Goes through a stream by tokens of both directions in any order: each page adjoins the one whose token it was read with.
fn check_walk(setup: &Setup, stream: &str, expected: &[(i64, String)], limit: usize, steps: &[bool]) {
    let (head, mut forward, mut backward) = page(setup, stream, (None, None), Start::Head, limit);
    let (mut from, mut to) = (0, head.len());
    assert_eq!(head, expected[from..to]);
    for is_forward in steps {
        let token = if *is_forward { forward } else { backward };
        let events;
        (events, forward, backward) = page(setup, stream, (None, None), Start::Token(token), limit);
        (from, to) = if *is_forward {
            (to, to + events.len())
        } else {
            (from - events.len(), from)
        };
        assert_eq!(events, expected[from..to]);
        // Long messages make shorter pages, but only an end makes an empty one.
        let is_at_end = if *is_forward {
            to == expected.len()
        } else {
            from == 0
        };
        assert!(!events.is_empty() || is_at_end);
    }
}

fn check_filter(setup: &Setup, model: &Model, query: &FilterQuery, is_wanted: impl Fn(&str, &str) -> bool) {
    let range = (
        query.start.map(|time| time.as_millis()),
        query.end.map(|time| time.as_millis()),
    );
    let mut expected: Vec<(i64, String, String)> = Vec::new();
    for (stream, events) in model {
        let wanted = within(events, range)
            .into_iter()
            .filter(|(_, message)| is_wanted(stream, message));
        expected.extend(wanted.map(|(time, message)| (time, stream.clone(), message)));
    }
    let mut found = Vec::new();
    let mut ids = Vec::new();
    let mut token = None;
    loop {
        let page = setup
            .logs
            .filter(&FilterQuery {
                token,
                ..query.clone()
            })
            .unwrap();
        assert!(page.events.len() <= query.limit);
        for event in page.events {
            ids.push(event.event_id);
            found.push((event.timestamp.as_millis(), event.stream, event.message));
        }
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "ids are unique and ascend");
    assert!(found.is_sorted_by_key(|(time, _, _)| *time));
    // Among equal times streams come by age, which the model does not know: it knows the order within each.
    let by_stream = |(time, stream, _): &(i64, String, String)| (*time, stream.clone());
    found.sort_by_key(by_stream);
    expected.sort_by_key(by_stream);
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn reading_gives_what_was_written(
        appends in appends(),
        limit in prop_oneof![1..20_usize, Just(10_000)],
        start in proptest::option::of(0..6000_i64),
        length in proptest::option::of(0..6000_i64),
        digit in 0..10_u8,
        steps in proptest::collection::vec(any::<bool>(), 0..40),
    ) {
        let setup = Setup::new();
        let model = fill(&setup, &appends);
        let end = length.map(|length| start.unwrap_or(0) + length);
        for (stream, events) in &model {
            // Page by page costs a page for each event: long streams are read in longer ones.
            let limit = limit.max(events.len() / 50);
            check_stream(&setup, stream, events, (None, None), limit.max(1));
            check_stream(&setup, stream, events, (start, end), limit.max(1));
            check_walk(&setup, stream, events, limit.max(1), &steps);
        }
        let total = model.values().map(Vec::len).sum::<usize>();
        let limit = limit.max(total / 50).max(1);
        let query = FilterQuery { start: start.map(at), end: end.map(at), limit, ..all(FilterStreams::All) };
        check_filter(&setup, &model, &FilterQuery { limit, ..all(FilterStreams::All) }, |_, _| true);
        check_filter(&setup, &model, &query, |_, _| true);
        let text = digit.to_string();
        let pattern = Some(FilterPattern::parse(&text).unwrap());
        check_filter(&setup, &model, &FilterQuery { pattern, ..query.clone() }, |_, message| message.contains(&text));
        let names: Vec<String> = model.keys().take(2).cloned().collect();
        let named = FilterQuery { streams: FilterStreams::Named(names.clone()), ..query.clone() };
        check_filter(&setup, &model, &named, |stream, _| names.iter().any(|name| name == stream));
        let prefix = FilterQuery { streams: FilterStreams::Prefix("s1".to_owned()), ..query };
        check_filter(&setup, &model, &prefix, |stream, _| stream == "s1");
    }
}
