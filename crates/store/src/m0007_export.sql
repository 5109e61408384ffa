-- Recordings in other forms.

CREATE TABLE recording_export (
    id TEXT NOT NULL PRIMARY KEY, -- the same as of the operation that makes it
    recording_id TEXT NOT NULL,
    format TEXT NOT NULL,
    skip_idle BOOLEAN NOT NULL,
    ready BOOLEAN NOT NULL,
    bytes BIGINT NOT NULL,
    since BIGINT NOT NULL,
    key_sealed TEXT -- the key that it is encrypted with, once something is kept
);
CREATE INDEX recording_export_by_recording ON recording_export (recording_id);
CREATE INDEX recording_export_by_since ON recording_export (since);
