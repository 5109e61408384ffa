-- Whose a desktop is for now, and what pools keep ready.

ALTER TABLE pool ADD COLUMN size TEXT; -- JSON; NULL for what is usual
UPDATE pool SET kind = 'dedicated' WHERE kind = 'virtual';

-- "POOL/PERSON" of a desktop that was given to somebody who asked: one person gets one desktop of a pool.
ALTER TABLE desktop ADD COLUMN seat TEXT;
CREATE UNIQUE INDEX desktop_by_seat ON desktop (seat);

-- Which rows others changed lately.
CREATE INDEX desktop_by_changed ON desktop (changed);

-- Which programs have a connection to a desktop, or are opening one. Until then, unless they say so again.
CREATE TABLE presence (
    desktop_id TEXT NOT NULL REFERENCES desktop (id) ON DELETE CASCADE,
    program TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (desktop_id, program)
);
