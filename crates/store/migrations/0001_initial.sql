-- The current state as rows, and the journal.
--
-- Timestamps are milliseconds since 1970. Names of resources that are gone stay, so that jobs which ran there can still say where.
-- Enumerations are small integers, in one place for the code (`code.rs`) and in one for people, here:
--   switch  0 ENABLED, 1 DISABLED
--   life    0 valid, 1 being deleted, 2 gone
--   status  0 SUBMITTED, 1 PENDING, 2 RUNNABLE, 3 STARTING, 4 RUNNING, 5 SUCCEEDED, 6 FAILED

-- Single values: `counters` (JSON).
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE environments (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    switch INTEGER NOT NULL,
    life INTEGER NOT NULL,
    spec TEXT NOT NULL,             -- JSON
    document TEXT NOT NULL          -- the server's words
) STRICT;
CREATE UNIQUE INDEX environments_by_name ON environments (name) WHERE life < 2;

CREATE TABLE instances (
    id INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environments (id),
    instance_type TEXT NOT NULL,
    capacity TEXT NOT NULL,         -- JSON
    vcpus INTEGER NOT NULL,         -- whole ones, of the capacity
    gpus INTEGER NOT NULL,          -- bit i for GPU i of the host
    last_used_at INTEGER NOT NULL
) STRICT;

CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    switch INTEGER NOT NULL,
    life INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    environments TEXT NOT NULL,     -- JSON: ids in the order to try
    document TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX queues_by_name ON queues (name) WHERE life < 2;

-- Never removed: a revision number is not used twice.
CREATE TABLE definitions (
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    document TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    deregistered_at INTEGER,
    PRIMARY KEY (name, revision DESC)
) STRICT, WITHOUT ROWID;

-- What jobs need of the scheduler, each distinct one once. Never removed: there are few, and a job may need one again.
CREATE TABLE profiles (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL UNIQUE    -- JSON
) STRICT;

-- Rows that change often are short; what is written once is in `job_contents`.
CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY,   -- the order of submission
    id BLOB NOT NULL UNIQUE,        -- 16 bytes
    queue INTEGER NOT NULL REFERENCES queues (id),
    status INTEGER NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    revision INTEGER NOT NULL,
    profile INTEGER NOT NULL REFERENCES profiles (id),
    created_at INTEGER NOT NULL,
    started_at INTEGER,             -- of the present or last attempt
    stopped_at INTEGER,             -- set once it has ended
    exit_code INTEGER,              -- of the last attempt, as is the reason
    reason TEXT,
    status_reason TEXT,
    is_cancelled INTEGER NOT NULL DEFAULT 0,
    is_terminated INTEGER NOT NULL DEFAULT 0,
    attempts_ended INTEGER NOT NULL DEFAULT 0,
    environment INTEGER,            -- of the present attempt, as are the next three; NULL without one
    instance INTEGER,
    gpus INTEGER,
    stopping TEXT,                  -- JSON: why it was asked to stop
    array_size INTEGER,             -- arrays only, as are the next two
    array_counts TEXT,              -- JSON: how many children are in each state
    array_updated_at INTEGER
) STRICT;
CREATE INDEX jobs_by_status ON jobs (queue, status, sequence);
CREATE INDEX jobs_by_queue ON jobs (queue, sequence);
CREATE INDEX jobs_by_end ON jobs (stopped_at) WHERE stopped_at IS NOT NULL;

CREATE TABLE job_contents (
    sequence INTEGER PRIMARY KEY REFERENCES jobs (sequence),
    launch TEXT NOT NULL,           -- JSON: how to run it
    document TEXT NOT NULL          -- the server's words
) STRICT;

-- What a single job still waits for; an array's are in `arrays`.
CREATE TABLE dependencies (
    job BLOB NOT NULL,              -- who waits: the id
    position INTEGER NOT NULL,      -- from 0, as submitted
    on_job BLOB NOT NULL,           -- for whom
    on_child INTEGER,               -- NULL: for all of it
    PRIMARY KEY (job, position)
) STRICT, WITHOUT ROWID;

-- How the children of an array stand, as intervals: the truth of the array. Children without a row in `children` are made up from it.
CREATE TABLE arrays (
    job BLOB PRIMARY KEY,
    content TEXT NOT NULL           -- JSON
) STRICT, WITHOUT ROWID;

-- Children that have had an attempt, or ended one by one.
CREATE TABLE children (
    job BLOB NOT NULL,
    child INTEGER NOT NULL,
    status INTEGER NOT NULL,
    started_at INTEGER,
    stopped_at INTEGER,
    exit_code INTEGER,
    reason TEXT,
    status_reason TEXT,
    is_cancelled INTEGER NOT NULL DEFAULT 0,
    is_terminated INTEGER NOT NULL DEFAULT 0,
    attempts_ended INTEGER NOT NULL DEFAULT 0,
    environment INTEGER,
    instance INTEGER,
    gpus INTEGER,
    PRIMARY KEY (job, child)
) STRICT, WITHOUT ROWID;

-- Attempts that have ended.
CREATE TABLE attempts (
    job BLOB NOT NULL,
    child INTEGER NOT NULL,         -- -1 for a single job
    attempt INTEGER NOT NULL,       -- from 1
    environment INTEGER NOT NULL,
    instance INTEGER,
    gpus INTEGER NOT NULL,
    started_at INTEGER,
    stopped_at INTEGER NOT NULL,
    exit_code INTEGER,
    reason TEXT,
    status_reason TEXT NOT NULL,
    PRIMARY KEY (job, child, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    resource TEXT NOT NULL,         -- the ARN without partition, region and account: `job-queue/NAME`
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (resource, key)
) STRICT, WITHOUT ROWID;

-- What was accepted, in order.
CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    principal TEXT,                 -- an ARN; NULL for engines' reports
    input TEXT NOT NULL             -- JSON
) STRICT;

-- Written to find out whether there is room again.
CREATE TABLE probes (
    id INTEGER PRIMARY KEY,
    filler BLOB NOT NULL
) STRICT;
