-- Directories that people come from, and who of ours is who of theirs.

CREATE TABLE directory (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    enabled BOOLEAN NOT NULL,
    settings TEXT NOT NULL, -- JSON
    sealed TEXT, -- the service account's password
    created BIGINT NOT NULL
);

CREATE TABLE directory_person (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    directory_id TEXT NOT NULL REFERENCES directory (id),
    external_id TEXT NOT NULL, -- stays when names change
    dn TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    seen BIGINT NOT NULL,
    UNIQUE (directory_id, external_id)
);
