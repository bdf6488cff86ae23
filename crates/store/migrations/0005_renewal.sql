-- JSON: which instances of an environment are being replaced, and until when their jobs may run; NULL while none are.
ALTER TABLE environments ADD COLUMN renewal TEXT;
