-- A service job that has its place, and whose engine has not begun with it, has status 7 SCHEDULED, which comes between 2 and 3.

-- When a service job last got its place.
ALTER TABLE jobs ADD COLUMN scheduled_at INTEGER;
