-- Scheduling policies, consumable resources and quota shares.
CREATE TABLE items (
    resource TEXT PRIMARY KEY,      -- the ARN without partition, region and account: `scheduling-policy/NAME`
    key TEXT NOT NULL,              -- JSON
    version INTEGER NOT NULL,
    item TEXT NOT NULL,             -- JSON: what the scheduler reads
    document TEXT NOT NULL,         -- the server's words
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The name of the scheduling policy; NULL is by submission.
ALTER TABLE queues ADD COLUMN policy TEXT;
