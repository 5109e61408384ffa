-- More roles than two, and tokens that may less than their person.

-- The pools that a pool admin administers. users.role keeps its words: admin and user mean what they did.
CREATE TABLE pool_admin (
    pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (pool_id, user_id)
);
CREATE INDEX pool_admin_by_user ON pool_admin (user_id);

ALTER TABLE api_token ADD COLUMN scope TEXT; -- JSON; NULL for everything that its person may
