-- The ground. One text for SQLite and PostgreSQL: ids are UUIDs as TEXT, times are microseconds since 1970 UTC as
-- BIGINT, numbers are BIGINT, structures are JSON as TEXT, words of enums are TEXT.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE, -- lowercase: names are compared without case, alike on both databases
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    must_change_password BOOLEAN NOT NULL,
    disabled BOOLEAN NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE web_session (
    token_sha256 TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX web_session_by_user ON web_session (user_id);

CREATE TABLE api_token (
    id TEXT NOT NULL PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT
);
CREATE INDEX api_token_by_user ON api_token (user_id);

-- The last version given out for each image name, so that a deleted version's number never means another disk.
CREATE TABLE image_line (
    name TEXT NOT NULL PRIMARY KEY,
    last_version BIGINT NOT NULL
);

CREATE TABLE image (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL REFERENCES image_line (name),
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    os TEXT NOT NULL,
    source TEXT NOT NULL, -- JSON
    sha256 TEXT NOT NULL,
    virtual_bytes BIGINT NOT NULL,
    file_bytes BIGINT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (name, version)
);

CREATE TABLE pool (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    image_id TEXT NOT NULL REFERENCES image (id),
    vcpus BIGINT NOT NULL,
    memory_mib BIGINT NOT NULL,
    disk_gib BIGINT NOT NULL,
    network TEXT NOT NULL, -- JSON
    desktops_max BIGINT NOT NULL,
    keyboard TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX pool_by_image ON pool (image_id);

-- Entitlements: who may use a pool.
CREATE TABLE pool_user (
    pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (pool_id, user_id)
);
CREATE INDEX pool_user_by_user ON pool_user (user_id);

CREATE TABLE desktop (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    pool_id TEXT NOT NULL REFERENCES pool (id),
    owner_id TEXT REFERENCES users (id),
    image_id TEXT REFERENCES image (id), -- whose clone its disk is: a copy of facts.image that keeps the image alive
    intent TEXT NOT NULL,
    state TEXT NOT NULL,
    failure TEXT,
    step TEXT,
    generation BIGINT NOT NULL,
    host TEXT,
    port_base BIGINT,
    facts TEXT NOT NULL, -- JSON
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    UNIQUE (host, port_base)
);
CREATE INDEX desktop_by_pool ON desktop (pool_id);
CREATE INDEX desktop_by_owner ON desktop (owner_id);
CREATE INDEX desktop_by_image ON desktop (image_id);

CREATE TABLE desktop_secret (
    desktop_id TEXT NOT NULL PRIMARY KEY REFERENCES desktop (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL
);

-- A ticket that was used stays until it would have expired, so that a replay is told from a guess.
CREATE TABLE ticket (
    ticket_sha256 TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_sha256 TEXT NOT NULL,
    desktop_id TEXT NOT NULL REFERENCES desktop (id) ON DELETE CASCADE,
    port TEXT NOT NULL,
    resume TEXT,
    expires BIGINT NOT NULL,
    used BIGINT
);
CREATE INDEX ticket_by_user ON ticket (user_id);
CREATE INDEX ticket_by_desktop ON ticket (desktop_id);

CREATE TABLE operation (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL, -- JSON
    state TEXT NOT NULL,
    progress DOUBLE PRECISION NOT NULL,
    step TEXT NOT NULL,
    log TEXT NOT NULL, -- JSON
    error TEXT,
    result TEXT,
    cancel_requested BOOLEAN NOT NULL,
    by_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
CREATE INDEX operation_by_created ON operation (created);

CREATE TABLE setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
