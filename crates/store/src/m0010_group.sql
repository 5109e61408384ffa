-- People together.

CREATE TABLE user_group (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE, -- lowercase, as names of users
    about TEXT NOT NULL,
    policy TEXT, -- JSON: what it names of its members' session policy; NULL for nothing
    created BIGINT NOT NULL
);

CREATE TABLE user_group_member (
    group_id TEXT NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX user_group_member_by_user ON user_group_member (user_id);

-- Entitlements of groups, beside those of people.
CREATE TABLE pool_group (
    pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
    group_id TEXT NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    PRIMARY KEY (pool_id, group_id)
);
CREATE INDEX pool_group_by_group ON pool_group (group_id);
