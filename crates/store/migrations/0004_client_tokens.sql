-- Client tokens of submissions, for as long as they count.
CREATE TABLE client_tokens (
    token TEXT PRIMARY KEY,
    digest BLOB NOT NULL,           -- 16 bytes, of the request
    job BLOB NOT NULL,              -- the job that came of it
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
