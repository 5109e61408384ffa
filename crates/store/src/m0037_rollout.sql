-- How pools go from one version of their image to another. The last one of a pool stays, and keeps both versions alive.

CREATE TABLE rollout (
    pool_id TEXT NOT NULL PRIMARY KEY REFERENCES pool (id) ON DELETE CASCADE,
    from_image TEXT NOT NULL REFERENCES image (id),
    to_image TEXT NOT NULL REFERENCES image (id),
    plan TEXT NOT NULL, -- JSON
    state TEXT NOT NULL,
    is_paused BOOLEAN NOT NULL,
    is_rollback BOOLEAN NOT NULL,
    watched_since BIGINT,
    failures TEXT NOT NULL, -- JSON
    reason TEXT,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
CREATE INDEX rollout_by_from ON rollout (from_image);
CREATE INDEX rollout_by_to ON rollout (to_image);
