//! Joining pieces, and the law that reading on from any position gives what reading once gives.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn run(pieces: &[(Source, &str)]) -> Vec<LogEvent> {
    let mut joiner = Joiner::from(Position::default());
    let mut events = Vec::new();
    for (source, payload) in pieces {
        joiner.take(*source, payload.as_bytes(), &mut events).unwrap();
    }
    joiner.finish(&mut events);
    events
}

fn check(pieces: &[(Source, &str)], expected: Expect) {
    let lines: Vec<String> = run(pieces)
        .iter()
        .map(|event| format!("{} {:?}\n", event.timestamp.as_millis(), event.message))
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn lines_become_events_in_the_order_they_were_written() {
    check(
        &[
            (Source::Out, "1970-01-01T00:00:01.000000000Z one\n"),
            (
                Source::Error,
                "1970-01-01T00:00:01.002000000Z two with  spaces \n",
            ),
            (Source::Out, "1970-01-01T00:00:01.001000000Z a little late\r\n"),
            (Source::Out, "1970-01-01T00:00:03.000000000Z \n"),
            (Source::Out, "1970-01-01T00:00:04.000000000Z no end"),
        ],
        expect![[r#"
            1000 "one"
            1002 "two with  spaces "
            1002 "a little late"
            4000 "no end"
        "#]],
    );
}

#[test]
fn pieces_of_both_streams_are_joined_each_to_its_own() {
    let full =
        |letter: &str, second: u8| format!("1970-01-01T00:00:0{second}Z {}", letter.repeat(PIECE_BYTES));
    let events = run(&[
        (Source::Out, &full("a", 1)),
        (Source::Error, &full("x", 2)),
        (Source::Out, &full("b", 1)),
        (Source::Error, "1970-01-01T00:00:02Z y\n"),
        // As Docker 20.10 ends a long line.
        (Source::Out, "1970-01-01T00:00:01Z c"),
        (Source::Out, "1970-01-01T00:00:01Z d\n"),
    ]);
    let runs: Vec<String> = events
        .iter()
        .map(|event| {
            let mut letters: Vec<char> = event.message.chars().collect();
            letters.dedup();
            format!(
                "{} {} {}",
                event.timestamp.as_millis(),
                event.message.len(),
                String::from_iter(letters)
            )
        })
        .collect();
    assert_eq!(runs, ["2000 16385 xy", "2000 32769 abc", "2000 1 d"]);
}

#[test]
fn what_has_no_time_is_refused() {
    let mut joiner = Joiner::from(Position::default());
    for payload in ["", "hello", "hello world\n", " x"] {
        let taken = joiner.take(Source::Out, payload.as_bytes(), &mut Vec::new());
        assert!(taken.is_err(), "{payload:?} was taken");
    }
}

#[test]
fn a_line_longer_than_an_event_is_split_between_characters() {
    let piece = format!("1970-01-01T00:00:01Z {}", "ä".repeat(PIECE_BYTES / 2));
    let mut pieces = vec![(Source::Out, piece.as_str()); 40];
    pieces.push((Source::Out, "1970-01-01T00:00:01Z end\n"));
    let events = run(&pieces);
    let lengths: Vec<usize> = events.iter().map(|event| event.message.len()).collect();
    assert!(
        lengths.iter().all(|length| *length <= MESSAGE_BYTES_MAX),
        "{lengths:?}"
    );
    let whole: String = events.into_iter().map(|event| event.message).collect();
    assert!(whole == format!("{}end", "ä".repeat(PIECE_BYTES / 2 * 40)));
}

#[derive(Clone, Debug)]
struct Written {
    source: Source,
    second: i64,
    text: String,
}

fn written() -> impl Strategy<Value = Vec<Written>> {
    let one = (any::<bool>(), -3i64..4, "[a-c]{0,2}", any::<bool>());
    prop::collection::vec(one, 0..30).prop_map(|steps| {
        let mut second = 1_000;
        steps
            .into_iter()
            .map(|(is_error, step, text, is_complete)| {
                second += step;
                Written {
                    source: if is_error { Source::Error } else { Source::Out },
                    second,
                    text: if is_complete {
                        text + "\n"
                    } else {
                        format!("{text:.<PIECE_BYTES$}")
                    },
                }
            })
            .collect()
    })
}

/// What the daemon gives from a position on, taken up to `count` pieces of it.
fn read_on(all: &[Written], from: Position, count: usize, events: &mut Vec<LogEvent>) -> Joiner {
    let mut joiner = Joiner::from(from);
    for Written { source, second, text } in all
        .iter()
        .filter(|piece| piece.second >= from.since.max(0))
        .take(count)
    {
        let (minute, second) = (second / 60, second % 60);
        let payload = format!("1970-01-01T00:{minute:02}:{second:02}.000000000Z {text}");
        joiner.take(*source, payload.as_bytes(), events).unwrap();
    }
    joiner
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_on_after_any_number_of_restarts_gives_each_event_once(
        all in written(),
        mut cuts in prop::collection::vec(0usize..40, 0..5),
    ) {
        let mut once = Vec::new();
        read_on(&all, Position::default(), all.len(), &mut once).finish(&mut once);
        cuts.sort_unstable();
        let mut events = Vec::new();
        let mut position = Position::default();
        for cut in cuts {
            let cut = cut.min(all.len());
            let visible = all[..cut].iter().filter(|piece| piece.second >= position.since.max(0)).count();
            position = read_on(&all[..cut], position, visible, &mut events).position();
            let stored = Position::decode(&position.encode());
            prop_assert_eq!(stored, Some(position));
            // A clock that steps back while nobody reads hides what it stamps from the daemon's filter: the one loss there is.
            prop_assume!(all[cut..].iter().all(|piece| piece.second >= position.since.max(0)));
        }
        read_on(&all, position, all.len(), &mut events).finish(&mut events);
        let texts = |events: &[LogEvent]| events.iter().map(|event| event.message.clone()).collect::<Vec<_>>();
        prop_assert_eq!(texts(&once), texts(&events));
    }
}
