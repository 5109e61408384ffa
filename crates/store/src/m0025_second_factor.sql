-- What people show beside their passwords.

-- The secret that an authenticator app shares with us.
CREATE TABLE totp (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    last_step BIGINT NOT NULL, -- of the newest code that was taken: none is taken twice
    created BIGINT NOT NULL
);

-- Each is used once, and goes then.
CREATE TABLE recovery_code (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_sha256 TEXT NOT NULL,
    PRIMARY KEY (user_id, code_sha256)
);

-- Browsers that are not asked for the second factor for a while.
CREATE TABLE remembered_device (
    id TEXT NOT NULL PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX remembered_device_by_user ON remembered_device (user_id);

ALTER TABLE web_session ADD COLUMN step TEXT; -- what is missing at the door; NULL for nothing
ALTER TABLE user_group ADD COLUMN second_factor TEXT; -- what it asks of its members; NULL for nothing
