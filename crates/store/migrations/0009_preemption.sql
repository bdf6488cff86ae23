-- Service jobs that give way to others.

-- How many of a job's attempts gave way, which do not count for its retry strategy.
ALTER TABLE jobs ADD COLUMN preemptions INTEGER NOT NULL DEFAULT 0;

-- Whether this one did.
ALTER TABLE attempts ADD COLUMN is_preempted INTEGER NOT NULL DEFAULT 0;
