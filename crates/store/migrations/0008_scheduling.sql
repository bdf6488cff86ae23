-- Scheduling by share, options of queues, run times.

-- JSON: what its tags tell a queue.
ALTER TABLE queues ADD COLUMN options TEXT NOT NULL DEFAULT '{}';

-- What holds up the lines of a queue: one for each share where it has shares, one with the empty name where it has not.
CREATE TABLE blocked_lines (
    queue INTEGER NOT NULL REFERENCES queues (id),
    line TEXT NOT NULL,
    content TEXT NOT NULL,          -- JSON: the front of the line and what is in its way
    PRIMARY KEY (queue, line)
) STRICT, WITHOUT ROWID;
INSERT INTO blocked_lines (queue, line, content) SELECT id, '', blocked FROM queues WHERE blocked IS NOT NULL AND life < 2;
ALTER TABLE queues DROP COLUMN blocked;

-- What the active shares of fair-share queues have used.
CREATE TABLE share_ledgers (
    queue INTEGER NOT NULL REFERENCES queues (id),
    share TEXT NOT NULL,
    content TEXT NOT NULL,          -- JSON
    PRIMARY KEY (queue, share)
) STRICT, WITHOUT ROWID;

-- How long the last jobs of each definition ran that succeeded.
CREATE TABLE run_times (
    definition TEXT PRIMARY KEY,
    content TEXT NOT NULL           -- JSON
) STRICT, WITHOUT ROWID;
