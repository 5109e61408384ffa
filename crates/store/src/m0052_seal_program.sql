-- Which program on this database has which sealing keys, so that none seals what another could not open.

CREATE TABLE seal_program (
    program TEXT NOT NULL PRIMARY KEY,
    seals TEXT NOT NULL, -- the fingerprint of the key that it seals with
    fingerprints TEXT NOT NULL, -- JSON: of all keys that it has, the newest first
    seen BIGINT NOT NULL
);
