//! Patterns and the messages they match, each as the user guide describes.

use super::{FilterPattern, PatternError};
use expect_test::{Expect, expect};

/// Which of the lines match.
fn check(pattern: &str, messages: &str, expected: &Expect) {
    let pattern = FilterPattern::parse(pattern).unwrap();
    let matched: Vec<_> = messages
        .lines()
        .map(str::trim)
        .filter(|message| pattern.matches(message))
        .collect();
    expected.assert_eq(&matched.join("\n"));
}

const LINES: &str = "[ERROR 400] BAD REQUEST
    [ERROR 401] UNAUTHORIZED REQUEST
    [ERROR 419] MISSING ARGUMENTS
    [WARN] cache is cold, 10%
    [INFO] all is well
    say \"hi\" to it";

#[test]
fn terms() {
    check(
        "",
        LINES,
        &expect![[r#"
        [ERROR 400] BAD REQUEST
        [ERROR 401] UNAUTHORIZED REQUEST
        [ERROR 419] MISSING ARGUMENTS
        [WARN] cache is cold, 10%
        [INFO] all is well
        say "hi" to it"#]],
    );
    check(
        "ERROR",
        LINES,
        &expect![[r#"
        [ERROR 400] BAD REQUEST
        [ERROR 401] UNAUTHORIZED REQUEST
        [ERROR 419] MISSING ARGUMENTS"#]],
    );
    check("error", LINES, &expect![[r#""#]]);
    check(
        "ERROR REQUEST",
        LINES,
        &expect![[r#"
        [ERROR 400] BAD REQUEST
        [ERROR 401] UNAUTHORIZED REQUEST"#]],
    );
    check(
        "ERROR -400",
        LINES,
        &expect![[r#"
        [ERROR 401] UNAUTHORIZED REQUEST
        [ERROR 419] MISSING ARGUMENTS"#]],
    );
    check(
        "ERROR -\"BAD REQUEST\" -ARGUMENTS",
        LINES,
        &expect!["[ERROR 401] UNAUTHORIZED REQUEST"],
    );
    check(
        "- ERROR",
        LINES,
        &expect![[r#"
        [WARN] cache is cold, 10%
        [INFO] all is well
        say "hi" to it"#]],
    );
    check(
        "?ARGUMENTS ?WARN",
        LINES,
        &expect![[r#"
        [ERROR 419] MISSING ARGUMENTS
        [WARN] cache is cold, 10%"#]],
    );
    check(
        "?ARGUMENTS ?ERROR -401",
        LINES,
        &expect![[r#"
        [ERROR 400] BAD REQUEST
        [ERROR 419] MISSING ARGUMENTS"#]],
    );
    check(
        "?WARN REQUEST",
        LINES,
        &expect![[r#"
        [ERROR 400] BAD REQUEST
        [ERROR 401] UNAUTHORIZED REQUEST"#]],
    );
    check("\"all is\"", LINES, &expect!["[INFO] all is well"]);
    check("\"say \\\"hi\\\"\"", LINES, &expect![[r#"say "hi" to it"#]]);
    check(
        "%AUTHORIZED%",
        LINES,
        &expect!["[ERROR 401] UNAUTHORIZED REQUEST"],
    );
    check(
        "%4[01]\\d% REQUEST",
        LINES,
        &expect![[r#"
        [ERROR 400] BAD REQUEST
        [ERROR 401] UNAUTHORIZED REQUEST"#]],
    );
    check("%10\\%%", LINES, &expect!["[WARN] cache is cold, 10%"]);
    check(
        "-%ERROR|WARN%",
        LINES,
        &expect![[r#"
        [INFO] all is well
        say "hi" to it"#]],
    );
}

const RECORDS: &str = r#"{"id":1,"type":"Update","ip":"123.123.1.2","n":301,"f":0.03,"ok":true,"list":["x","y"],"who":null}
    {"id":2,"type":"Delete","ip":"10.0.0.1","n":"301","deep":{"a.b":"c","list":[{"k":1},{"k":2}]},"ok":false}
    {"id":3,"type":"UpdateAll","big":1500,"who":"me","deep":{"a":{"b":"quoted \"text\""}}}
    [{"id":4}]
    not json Update 301"#;

#[test]
fn json() {
    let check = |condition: &str, expected: &Expect| {
        let pattern = FilterPattern::parse(&format!("{{ {condition} }}")).unwrap();
        let is_matched = RECORDS.lines().map(|record| pattern.matches(record.trim()));
        let ids: Vec<_> = (1..)
            .zip(is_matched)
            .filter(|(_, is)| *is)
            .map(|(id, _)| id.to_string())
            .collect();
        expected.assert_eq(&ids.join(" "));
    };
    check("$.type = \"Update\"", &expect!["1"]);
    check("$.type = Update", &expect!["1"]);
    check("$.type = \"Update*\"", &expect!["1 3"]);
    check("$.type = Up*All", &expect!["3"]);
    check("$.type != \"Update*\"", &expect!["2"]);
    check("$.ip != 123.123.*", &expect!["2"]);
    check("$.ip = %^\\d+\\.0\\.%", &expect!["2"]);
    check("$.type=%ete%", &expect!["2"]);
    check("$.n = 301", &expect!["1 2"]);
    check("$.f = 3e-2", &expect!["1"]);
    check("$.f < 1", &expect!["1"]);
    check("$.big >= 1.5e3", &expect!["3"]);
    check("$.big > 1500", &expect![[r#""#]]);
    check("$.list[0] = \"x\"", &expect!["1"]);
    check("$.list[*] = y", &expect!["1"]);
    check("$.list[2] = x", &expect![[r#""#]]);
    check("$.deep.list[1].k = 2", &expect!["2"]);
    check("$.deep.list[*].k = 1", &expect!["2"]);
    check("$.deep.* = c", &expect!["2"]);
    check("$.deep.['a.b'] = c", &expect!["2"]);
    check("$.deep[\"a.b\"] = c", &expect!["2"]);
    check("$.deep.a.b = \"quoted \\\"*\"", &expect!["3"]);
    check("$[0].id = 4", &expect!["4"]);
    check("$.ok IS TRUE", &expect!["1"]);
    check("$.ok IS FALSE", &expect!["2"]);
    check("$.ok = true", &expect!["1"]);
    check("$.who IS NULL", &expect!["1"]);
    check("$.who NOT EXISTS", &expect!["2 4"]);
    check("$.who = *", &expect!["3"]);
    check("$.who != \"you\"", &expect!["3"]);
    check("$.ok IS TRUE || $.n = 301 && $.id = 2", &expect!["1 2"]);
    check("($.ok IS TRUE || $.n = 301) && ($.id = 2)", &expect!["2"]);
    check(
        "(($.who NOT EXISTS) || ($.who IS NULL) || ($.who != \"m*\"))",
        &expect!["1 2 4"],
    );
}

const ACCESS: &str = r#"127.0.0.1 frank james [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534
    127.0.0.2 - bob [10/Oct/2000:13:35:22 -0700] "GET /a.gif HTTP/1.0" 500 5324
    127.0.0.3 - - [10/Oct/2000:13:50:35 -0700] "GET /b.html HTTP/1.0" 200 4355
    too short"#;

#[test]
fn delimited() {
    let check = |pattern: &str, expected: &Expect| {
        let pattern = FilterPattern::parse(pattern).unwrap();
        let matched = ACCESS.lines().map(str::trim).filter(|line| pattern.matches(line));
        expected.assert_eq(
            &matched
                .map(|line| line.split(' ').next().unwrap())
                .collect::<Vec<_>>()
                .join(" "),
        );
    };
    check(
        "[ip, user, name, time, request, status, bytes]",
        &expect!["127.0.0.1 127.0.0.2 127.0.0.3"],
    );
    check(
        "[ip, user, name, time, request, status, bytes, more]",
        &expect![[r#""#]],
    );
    check("[ip, user]", &expect!["too"]);
    check(
        "[ip, user, name, time, request, status = 4*, bytes]",
        &expect!["127.0.0.1"],
    );
    check(
        "[ip, user, name, time, request = *.html*, status, bytes]",
        &expect!["127.0.0.1 127.0.0.3"],
    );
    check(
        "[ip, user, name, time, request, status_code=4* || status_code=5*, bytes>2000]",
        &expect!["127.0.0.2"],
    );
    check(
        "[..., status = 200 || status = 404, bytes]",
        &expect!["127.0.0.1 127.0.0.3"],
    );
    check("[..., status, bytes > 1534]", &expect!["127.0.0.2 127.0.0.3"]);
    check(
        "[ip = %127\\.0\\.0\\.[12]%, ...]",
        &expect!["127.0.0.1 127.0.0.2"],
    );
    check(
        "[ip != 127.0.0.1 && ip != \"127.0.0.3\", ...]",
        &expect!["127.0.0.2 too"],
    );
    check(
        "[(ip != 127.0.0.1 && ip != \"127.0.0.3\"), ...]",
        &expect!["127.0.0.2 too"],
    );
    check(
        "[..., request = \"GET /b*\", status, bytes]",
        &expect!["127.0.0.3"],
    );
    check("[ip, ..., bytes != 1534]", &expect!["127.0.0.2 127.0.0.3 too"]);
    check("[w1, w2 = short]", &expect!["too"]);
    check("[...]", &expect!["127.0.0.1 127.0.0.2 127.0.0.3 too"]);
    check("[a, b, c, d, e, f, ..., g, h]", &expect![[r#""#]]);
}

#[test]
fn what_is_no_pattern_is_refused() {
    let check = |pattern: &str, expected: Expect| {
        let error = FilterPattern::parse(pattern).unwrap_err();
        expected.assert_eq(
            error
                .to_string()
                .strip_prefix("parse the filter pattern")
                .unwrap(),
        );
    };
    check("\"open", expect![" at byte 1: expected a closing quote"]);
    check("%open", expect![" at byte 1: expected a closing percent sign"]);
    check("ERROR -", expect![" at byte 7: expected a term"]);
    check(
        "%a(b)%",
        expect![[r#": "a(b)" is no supported regular expression"#]],
    );
    check("%a[%", expect![[r#": "a[" is no supported regular expression"#]]);
    check(
        "%something!%",
        expect![[r#": "something!" is no supported regular expression"#]],
    );
    check("%a% %b% %c%", expect![": too many regular expressions"]);
    check("{ $.a }", expect![" at byte 6: expected a comparison"]);
    check("{ $.a = }", expect![" at byte 8: expected a value"]);
    check("{ $.a = 1", expect![" at byte 9: expected }"]);
    check("{ $.a = 1 } x", expect![" at byte 12: expected the end"]);
    check("{ a = 1 }", expect![" at byte 2: expected $"]);
    check("{ $. = 1 }", expect![" at byte 4: expected a property's name"]);
    check("{ $.a[x] = 1 }", expect![" at byte 6: expected an index"]);
    check(
        "{ $.a > \"x\" }",
        expect![" at byte 11: expected a number before"],
    );
    check(
        "{ $.a IS nothing }",
        expect![" at byte 9: expected NULL, TRUE or FALSE"],
    );
    check("{ $.a NOT here }", expect![" at byte 10: expected EXISTS"]);
    check("{ ($.a = 1 }", expect![" at byte 11: expected )"]);
    check(
        "{ $.a[*].b[*] = 1 }",
        expect![": too many wildcards in selectors"],
    );
    check("[a, b", expect![" at byte 5: expected ]"]);
    check("[a, , b]", expect![" at byte 4: expected a field's name"]);
    check("[..., a, ...]", expect![": too many ellipses"]);
    check(
        "[a = 1 && b = 2]",
        expect![" at byte 10: expected the field's own name"],
    );
    check("[a > x]", expect![" at byte 6: expected a number before"]);
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(33), ")".repeat(33));
    check(&deep, expect![": too many parentheses inside each other"]);
    check(&"x".repeat(1025), expect![": it is too long"]);
    assert_eq!(
        FilterPattern::parse("[").unwrap_err(),
        PatternError::Unexpected {
            at: 1,
            expected: "a field's name"
        }
    );
}

proptest::proptest! {
    /// Any text is a pattern or is refused, and a pattern matches or does not.
    #[test]
    fn nothing_panics(pattern in "[\\[{]?[ -~\u{e9}]{0,40}[\\]}]?", message in "[\\[{]?[ -~\u{e9}]{0,40}") {
        if let Ok(pattern) = FilterPattern::parse(&pattern) {
            let _: bool = pattern.matches(&message);
        }
    }

    /// A term in quotes matches exactly the messages in which it occurs.
    #[test]
    fn a_quoted_term_is_a_search(term in "[a-c *?-]{1,3}", message in "[a-c *?-]{0,12}") {
        let pattern = FilterPattern::parse(&format!("\"{term}\"")).unwrap();
        proptest::prop_assert_eq!(pattern.matches(&message), message.contains(&term));
    }
}
