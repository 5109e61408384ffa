-- What was seen on connections, kept.

ALTER TABLE pool ADD COLUMN recording TEXT NOT NULL DEFAULT 'off';

-- A recording outlives its desktop, pool and person: names instead of references.
CREATE TABLE recording (
    id TEXT NOT NULL PRIMARY KEY,
    connection_id TEXT NOT NULL,
    desktop_id TEXT NOT NULL,
    desktop_name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    pool_id TEXT NOT NULL,
    pool_name TEXT NOT NULL,
    port TEXT NOT NULL,
    state TEXT NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT,
    bytes BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    beats BIGINT NOT NULL, -- counts on while a server writes it
    key_sealed TEXT NOT NULL -- the key that its parts are encrypted with
);
CREATE INDEX recording_by_started ON recording (started);
CREATE INDEX recording_by_state ON recording (state);
