-- The most that people may hold at the same time.

CREATE TABLE quota (
    id TEXT NOT NULL PRIMARY KEY, -- 'everyone', or the id of what it is of
    group_id TEXT REFERENCES user_group (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    pool_id TEXT REFERENCES pool (id) ON DELETE CASCADE,
    limits TEXT NOT NULL -- JSON
);
CREATE INDEX quota_by_group ON quota (group_id);
CREATE INDEX quota_by_user ON quota (user_id);
CREATE INDEX quota_by_pool ON quota (pool_id);

-- Who is connected to what, or is about to be, through which program. Until then, unless it says so again.
CREATE TABLE attendance (
    id TEXT NOT NULL PRIMARY KEY, -- "PERSON/DESKTOP/PROGRAM"
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    desktop_id TEXT NOT NULL REFERENCES desktop (id) ON DELETE CASCADE,
    until BIGINT NOT NULL
);
CREATE INDEX attendance_by_user ON attendance (user_id);
CREATE INDEX attendance_by_desktop ON attendance (desktop_id);
CREATE INDEX attendance_by_until ON attendance (until);
