-- Recordings that were moved, or are being moved, to a bucket.

ALTER TABLE recording ADD COLUMN bucket TEXT NOT NULL DEFAULT ''; -- empty: in the folder of the program that wrote it
ALTER TABLE recording ADD COLUMN moved_bytes BIGINT NOT NULL DEFAULT 0;
