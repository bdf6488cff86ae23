//! A filter that may look at little: pages end early, and together they are complete.

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::{Append, LogEvent, StreamName};
use proptest::prelude::*;

use super::{Budget, FilterQuery, FilterStreams, filter_within};
use crate::pattern::FilterPattern;
use crate::schema::open_reader;
use crate::{Logs, limits::CHUNK_BYTES_MAX};

/// Appends of so many events each, this far apart, in so many streams.
fn fill(logs: &Logs, appends: &[(u8, i64, i64)]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut total = 0;
    for (stream, first, step) in appends {
        let message = "x".repeat(CHUNK_BYTES_MAX / 3);
        let events = (0..5)
            .map(|index| LogEvent {
                timestamp: Timestamp::from_millis(first + index * step),
                message: message.clone(),
            })
            .collect::<Vec<_>>();
        total += events.len();
        let stream = StreamName {
            group: "g".to_owned(),
            stream: stream.to_string(),
        };
        runtime
            .block_on(logs.put(vec![Append {
                stream,
                events,
                cursor: None,
            }]))
            .unwrap();
    }
    total
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_little_work_are_complete(
        appends in proptest::collection::vec((0..3_u8, 0..20_i64, 0..4_i64), 1..8),
        chunks in 1..4_usize,
        limit in 1..4_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs.sqlite");
        let logs = Logs::open(&path).unwrap();
        let total = fill(&logs, &appends);
        let connection = open_reader(&path).unwrap();
        let count = |pattern: &str| {
            let mut query = FilterQuery {
                group: "g".to_owned(),
                streams: FilterStreams::All,
                start: None,
                end: None,
                pattern: Some(FilterPattern::parse(pattern).unwrap()),
                limit,
                token: None,
            };
            let mut ids: Vec<String> = Vec::new();
            let mut pages = 0;
            loop {
                let budget = Budget { bytes: usize::MAX, chunks };
                let page = filter_within(&connection, &query, budget).unwrap();
                ids.extend(page.events.into_iter().map(|event| event.event_id));
                assert!(page.next_token.is_none() || page.next_token > query.token, "it goes on");
                pages += 1;
                query.token = page.next_token;
                if query.token.is_none() {
                    assert!(ids.is_sorted_by(|a, b| a < b));
                    return (ids.len(), pages);
                }
            }
        };
        prop_assert_eq!(count("x").0, total);
        prop_assert_eq!(count("y").0, 0);
    }
}

#[test]
fn a_page_without_events_has_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.sqlite");
    let logs = Logs::open(&path).unwrap();
    fill(&logs, &[(0, 0, 5), (1, 100, 5)]);
    let query = FilterQuery {
        group: "g".to_owned(),
        streams: FilterStreams::All,
        start: None,
        end: None,
        pattern: Some(FilterPattern::parse("y").unwrap()),
        limit: 10,
        token: None,
    };
    let budget = Budget {
        bytes: 1,
        chunks: 100,
    };
    let page = filter_within(&open_reader(&path).unwrap(), &query, budget).unwrap();
    assert_eq!((page.events.len(), page.next_token.is_some()), (0, true));
}
