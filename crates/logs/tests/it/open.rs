//! Opening: what is kept, and what is refused untouched.

use batchyard_logs::{Logs, Start};
use expect_test::{Expect, expect};

use crate::setup::{Setup, shown};

#[test]
fn events_are_there_after_opening_again() {
    let setup = Setup::new();
    setup.put("g", "s", &[(1, "a"), (2, "b")]);
    let again = setup.reopen();
    again.put("g", "s", &[(2, "c")]);
    assert_eq!(shown(&again.page("s", Start::Head, 10)), "1:a 2:b 2:c");
}

fn check(content: impl FnOnce(&std::path::Path), expected: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.sqlite");
    content(&path);
    let before = std::fs::read(&path).unwrap();
    let Err(error) = Logs::open(&path) else {
        panic!("it was opened")
    };
    expected.assert_eq(&error.to_string().replace(folder.path().to_str().unwrap(), ""));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_log_store_is_refused_and_left_as_it_was() {
    check(
        |path| std::fs::write(path, "not a database, but long enough for its header ".repeat(50)).unwrap(),
        &expect![
            "open the log store /logs.sqlite: it is damaged or not a log store; move it away to start with an empty one"
        ],
    );
    check(
        |path| {
            rusqlite::Connection::open(path)
                .unwrap()
                .execute_batch("CREATE TABLE t (a)")
                .unwrap()
        },
        &expect!["open the log store /logs.sqlite: it is a database of something else"],
    );
    check(
        |path| {
            drop(Logs::open(path).unwrap());
            rusqlite::Connection::open(path)
                .unwrap()
                .pragma_update(None, "user_version", 99)
                .unwrap();
        },
        &expect![
            "open the log store /logs.sqlite: it has version 99, and this program knows versions up to 1"
        ],
    );
    check(
        |path| {
            drop(Logs::open(path).unwrap());
            let mut bytes = std::fs::read(path).unwrap();
            bytes[100..4000].fill(0x5a);
            std::fs::write(path, bytes).unwrap();
        },
        &expect![
            "open the log store /logs.sqlite: it is damaged or not a log store; move it away to start with an empty one"
        ],
    );
}
