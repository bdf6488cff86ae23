-- For how long a client token counts, in milliseconds: those that were kept before this was, for a day.
ALTER TABLE client_tokens ADD COLUMN life INTEGER NOT NULL DEFAULT 86400000;
