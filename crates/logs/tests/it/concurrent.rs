//! Many who write at the same time, and one who reads what is being written.

use batchyard_logs::{FilterQuery, FilterStreams, Logs, Start};
use batchyard_runtime::log::{Cursor, LogStore};

use crate::setup::{Setup, all, append};

const WRITERS: i64 = 8;
const LINES: i64 = 200;

async fn write(logs: Logs, writer: i64) {
    for line in 0..LINES {
        let cursor = Cursor {
            source: format!("w{writer}"),
            position: Some(line.to_string().into_bytes()),
        };
        let text = line.to_string();
        let mut append = append("g", &format!("s{writer}"), &[(line / 3, &text)]);
        append.cursor = Some(cursor);
        logs.append(vec![append]).await.unwrap();
    }
}

#[test]
fn a_reader_that_follows_sees_each_line_once_and_in_order() {
    let setup = Setup::new();
    setup.put("g", "s0", &[]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| runtime.spawn(write(setup.logs.clone(), writer)))
        .collect();
    let mut seen = Vec::new();
    let mut from = Start::Head;
    while seen.len() < usize::try_from(LINES).unwrap() {
        let page = setup.page("s0", from, 7);
        seen.extend(page.events.into_iter().map(|event| event.message));
        from = Start::Token(page.forward_token);
    }
    let expected: Vec<String> = (0..LINES).map(|line| line.to_string()).collect();
    assert_eq!(seen, expected);
    for writer in writers {
        runtime.block_on(writer).unwrap();
    }
    for (source, position) in setup.logs.cursors("w").unwrap() {
        assert_eq!(position, (LINES - 1).to_string().into_bytes(), "{source}");
    }
    let found = setup.logs.filter(&all(FilterStreams::All)).unwrap();
    assert_eq!(i64::try_from(found.events.len()).unwrap(), WRITERS * LINES);
}

#[test]
fn a_filter_finds_its_way_through_many_tiny_streams() {
    let setup = Setup::new();
    let batch = (0..1000).map(|index| append("g", &format!("job{index:03}"), &[(index % 10, "tiny")]));
    setup.wait(setup.logs.put(batch.collect())).unwrap();
    let others = (0..50).map(|index| append("g", &format!("other{index}"), &[(index % 10, "tiny")]));
    setup.wait(setup.logs.put(others.collect())).unwrap();
    for (prefix, expected) in [("job", 1000), ("job1", 100), ("job12", 10), ("job9999", 0)] {
        let mut query = FilterQuery {
            limit: 33,
            ..all(FilterStreams::Prefix(prefix.to_owned()))
        };
        let mut streams = Vec::new();
        loop {
            let page = setup.logs.filter(&query).unwrap();
            streams.extend(page.events.into_iter().map(|event| event.stream));
            query.token = page.next_token;
            if query.token.is_none() {
                break;
            }
        }
        assert_eq!(streams.len(), expected, "{prefix}");
        assert!(streams.iter().all(|stream| stream.starts_with(prefix)));
        streams.sort_unstable();
        streams.dedup();
        assert_eq!(streams.len(), expected, "{prefix}");
    }
}
