-- What clients are told of each batch, in order: the events of section G.
CREATE TABLE events (
    -- Never used again: what clients have read up to.
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    -- When the batch was closed.
    at INTEGER NOT NULL,
    -- JSON: a list of events.
    content TEXT NOT NULL
);
