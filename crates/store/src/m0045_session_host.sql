-- Places of people on session hosts, and programs that pools publish.

CREATE TABLE host_place (
    id TEXT NOT NULL PRIMARY KEY, -- "POOL/PERSON": one person has one place of a pool
    pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    desktop_id TEXT NOT NULL REFERENCES desktop (id) ON DELETE CASCADE,
    number BIGINT NOT NULL, -- which of the host's, from 1
    since BIGINT NOT NULL,
    seen BIGINT NOT NULL, -- when they were given it, or asked for it again
    until BIGINT, -- they are connected until then, unless a program says so again
    UNIQUE (desktop_id, number)
);
CREATE INDEX host_place_by_pool ON host_place (pool_id);
CREATE INDEX host_place_by_user ON host_place (user_id);

CREATE TABLE app (
    id TEXT NOT NULL PRIMARY KEY,
    pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    run TEXT NOT NULL, -- JSON: what is started, and how
    created BIGINT NOT NULL,
    UNIQUE (pool_id, name)
);

-- The program that a ticket opens instead of the whole desktop.
ALTER TABLE ticket ADD COLUMN app_id TEXT;
