-- Instances that are taken away.

-- Whether an attempt has ever ended on it; those that are there may have been used.
ALTER TABLE instances ADD COLUMN was_used INTEGER NOT NULL DEFAULT 1;

-- JSON: that it is being taken away, and when its jobs are stopped.
ALTER TABLE instances ADD COLUMN leaving TEXT;
