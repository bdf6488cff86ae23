-- Tasks of several containers: how each of them ended.

-- JSON, a list of core::report::ContainerEnd in the order of the definition; NULL where the attempt was no task.
ALTER TABLE attempts ADD COLUMN containers TEXT;
