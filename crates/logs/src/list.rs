//! Lists of groups and streams, page by page.
//!
//! A token is the sort key of the last item before it, so a page costs the same wherever it stands, and items that come or go meanwhile
//! neither shift nor double others. Start reading at [`streams`].

use std::collections::BTreeMap;

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::StreamName;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{BrokenCause, Error};
use crate::limits::LIST_PAGE_MAX;
use crate::name::{group_id, stream_id};
use crate::schema::{NO_TIME, integer};

/// Items of a list, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// For the next page; `None` at the end.
    pub next_token: Option<String>,
}

/// Which groups, in order of name.
#[derive(Clone, Debug)]
pub struct GroupsQuery {
    /// By name.
    pub name: NameMatch,
    /// From a former page.
    pub token: Option<String>,
    /// Most items, 1..=[`LIST_PAGE_MAX`].
    pub limit: usize,
}

/// Which names.
#[derive(Clone, Debug)]
pub enum NameMatch {
    /// All.
    Any,
    /// Those that begin with it.
    Prefix(String),
    /// Those in which it occurs, in the same case.
    Contains(String),
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How long its events are kept; `None` is for ever.
    pub retention_days: Option<u32>,
    /// Bytes of its events, with the overhead that CloudWatch Logs counts, not what they take on disk.
    pub stored_bytes: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Which streams of a group.
#[derive(Clone, Debug)]
pub struct StreamsQuery {
    /// The group.
    pub group: String,
    /// What they are ordered by.
    pub order: StreamOrder,
    /// Greatest first.
    pub is_descending: bool,
    /// From a former page of the same order.
    pub token: Option<String>,
    /// Most items, 1..=[`LIST_PAGE_MAX`].
    pub limit: usize,
}

/// What streams are ordered by.
#[derive(Clone, Debug)]
pub enum StreamOrder {
    /// By name, and only those that begin with the prefix.
    Name {
        /// May be empty.
        prefix: String,
    },
    /// By the time of the newest event; those without events are the least.
    LastEvent,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The time of the oldest event.
    pub first_event: Option<Timestamp>,
    /// The time of the newest event.
    pub last_event: Option<Timestamp>,
    /// When events last came.
    pub last_ingestion: Option<Timestamp>,
}

/// Comes after all names that begin with the prefix which it is appended to: names have no such characters.
const PREFIX_END: char = char::MAX;

const GROUP_COLUMNS: &str = "name, created_at, retention_days, stored_bytes, tags";
const STREAM_COLUMNS: &str = "name, created_at, first_event, last_event, last_ingestion";

/// The groups that a query names.
pub(crate) fn groups(connection: &Connection, query: &GroupsQuery) -> Result<Listing<Group>, Error> {
    let GroupsQuery { name, token, limit } = query;
    check_limit(*limit)?;
    let after = match token {
        Some(token) => SortKey::parse(token)?.into_name()?,
        None => String::new(),
    };
    let (prefix, part) = match name {
        NameMatch::Any => ("", ""),
        NameMatch::Prefix(prefix) => (prefix.as_str(), ""),
        NameMatch::Contains(part) => ("", part.as_str()),
    };
    let mut groups = connection
        .prepare_cached(&format!(
            "SELECT {GROUP_COLUMNS} FROM groups WHERE name > ?1 AND name >= ?2 AND name < ?3 AND instr(name, ?4)
            ORDER BY name LIMIT ?5",
        ))?
        .query_map((after, prefix, format!("{prefix}{PREFIX_END}"), part, integer(limit + 1)), group_row)?
        .collect::<Result<Vec<_>, _>>()?;
    let next_token =
        cut(&mut groups, *limit).then(|| groups.last().map(|(group, _)| SortKey::name(&group.name)));
    let items = groups
        .into_iter()
        .map(|(group, tags)| {
            Ok(Group {
                tags: tags_from_text(&tags)?,
                ..group
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Listing {
        items,
        next_token: next_token.flatten(),
    })
}

/// One group.
pub(crate) fn group(connection: &Connection, name: &str) -> Result<Group, Error> {
    let (group, tags) = connection
        .prepare_cached(&format!("SELECT {GROUP_COLUMNS} FROM groups WHERE name = ?1"))?
        .query_row([name], group_row)
        .optional()?
        .ok_or_else(|| Error::GroupNotFound(name.to_owned()))?;
    Ok(Group {
        tags: tags_from_text(&tags)?,
        ..group
    })
}

/// The streams that a query names.
pub(crate) fn streams(connection: &Connection, query: &StreamsQuery) -> Result<Listing<Stream>, Error> {
    let StreamsQuery {
        group,
        order,
        is_descending,
        token,
        limit,
    } = query;
    check_limit(*limit)?;
    let group_id = group_id(connection, group)?;
    let (direction, than) = if *is_descending {
        ("DESC", "<")
    } else {
        ("ASC", ">")
    };
    let token = token.as_deref().map(SortKey::parse).transpose()?;
    let mut streams: Vec<Stream> = match order {
        StreamOrder::Name { prefix } => {
            let end = format!("{prefix}{PREFIX_END}");
            let at = match (token, *is_descending) {
                (Some(token), _) => token.into_name()?,
                (None, true) => end.clone(),
                (None, false) => String::new(),
            };
            let sql = format!(
                "SELECT {STREAM_COLUMNS} FROM streams WHERE group_id = ?1 AND name {than} ?2 AND name >= ?3 AND name < ?4
                ORDER BY name {direction} LIMIT ?5",
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((group_id, at, prefix, end, integer(limit + 1)), stream_row)?;
            rows.collect::<Result<_, _>>()?
        }
        StreamOrder::LastEvent => {
            let (time, name) = match (token, *is_descending) {
                (Some(token), _) => token.into_last_event()?,
                (None, true) => (i64::MAX, String::new()),
                (None, false) => (i64::MIN, String::new()),
            };
            let sql = format!(
                "SELECT {STREAM_COLUMNS} FROM streams
                WHERE group_id = ?1 AND name IS NOT NULL AND (last_event, name) {than} (?2, ?3)
                ORDER BY last_event {direction}, name {direction} LIMIT ?4",
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map((group_id, time, name, integer(limit + 1)), stream_row)?;
            rows.collect::<Result<_, _>>()?
        }
    };
    let has_more = cut(&mut streams, *limit);
    let next_token = streams.last().filter(|_| has_more).map(|last| match order {
        StreamOrder::Name { .. } => SortKey::name(&last.name),
        StreamOrder::LastEvent => SortKey::last_event(last.last_event, &last.name),
    });
    Ok(Listing {
        items: streams,
        next_token,
    })
}

/// One stream.
pub(crate) fn stream(connection: &Connection, name: &StreamName) -> Result<Stream, Error> {
    let (_, id) = stream_id(connection, name)?;
    let stream = connection
        .prepare_cached(&format!("SELECT {STREAM_COLUMNS} FROM streams WHERE id = ?1"))?
        .query_row([id], stream_row)?;
    Ok(stream)
}

fn check_limit(limit: usize) -> Result<(), Error> {
    if (1..=LIST_PAGE_MAX).contains(&limit) {
        Ok(())
    } else {
        Err(Error::Invalid {
            field: "limit",
            reason: "from 1 to 50",
        })
    }
}

/// Drops the item that was read only to see that there is one.
fn cut<T>(items: &mut Vec<T>, limit: usize) -> bool {
    let has_more = items.len() > limit;
    items.truncate(limit);
    has_more
}

/// A group and the text of its tags.
fn group_row(row: &Row<'_>) -> rusqlite::Result<(Group, String)> {
    let group = Group {
        name: row.get(0)?,
        created_at: Timestamp::from_millis(row.get(1)?),
        retention_days: row.get(2)?,
        // Never negative: what is taken off was added before.
        stored_bytes: row.get::<_, i64>(3)?.unsigned_abs(),
        tags: BTreeMap::new(),
    };
    Ok((group, row.get(4)?))
}

fn stream_row(row: &Row<'_>) -> rusqlite::Result<Stream> {
    let time = |index| {
        let ms: i64 = row.get(index)?;
        Ok::<_, rusqlite::Error>((ms != NO_TIME).then_some(Timestamp::from_millis(ms)))
    };
    Ok(Stream {
        name: row.get(0)?,
        created_at: Timestamp::from_millis(row.get(1)?),
        first_event: time(2)?,
        last_event: time(3)?,
        last_ingestion: time(4)?,
    })
}

pub(crate) fn tags_from_text(text: &str) -> Result<BTreeMap<String, String>, Error> {
    serde_json::from_str(text).map_err(|error| Error::Broken(BrokenCause::Tags(error.into())))
}

pub(crate) fn tags_to_text(tags: &BTreeMap<String, String>) -> String {
    serde_json::to_string(tags).expect("a map from strings to strings is JSON")
}

/// What a token holds, as hexadecimal digits of `n` and a name, or of `e`, a time and a name.
struct SortKey(String);

impl SortKey {
    fn name(name: &str) -> String {
        hex::encode(format!("n{name}"))
    }

    fn last_event(time: Option<Timestamp>, name: &str) -> String {
        hex::encode(format!("e{} {name}", time.map_or(NO_TIME, Timestamp::as_millis)))
    }

    fn parse(token: &str) -> Result<SortKey, Error> {
        let bytes = hex::decode(token).map_err(|_| Error::InvalidToken)?;
        String::from_utf8(bytes)
            .map(SortKey)
            .map_err(|_| Error::InvalidToken)
    }

    fn into_name(self) -> Result<String, Error> {
        self.0
            .strip_prefix('n')
            .map(str::to_owned)
            .ok_or(Error::InvalidToken)
    }

    fn into_last_event(self) -> Result<(i64, String), Error> {
        let (time, name) = self
            .0
            .strip_prefix('e')
            .and_then(|key| key.split_once(' '))
            .ok_or(Error::InvalidToken)?;
        Ok((time.parse().map_err(|_| Error::InvalidToken)?, name.to_owned()))
    }
}
