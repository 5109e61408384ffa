-- Passkeys (Web Authentication): what signs for somebody, beside their password or in its place.

CREATE TABLE passkey (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    credential_id TEXT NOT NULL UNIQUE, -- base64url
    public_key TEXT NOT NULL, -- COSE, base64url
    rp_id TEXT NOT NULL, -- the host that it works on
    user_handle TEXT NOT NULL, -- random, base64url
    transports TEXT NOT NULL, -- JSON
    sign_count BIGINT NOT NULL, -- the newest that it said: none is taken that is not larger
    synced BOOLEAN NOT NULL,
    alone BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    last_used BIGINT
);
CREATE INDEX passkey_by_user ON passkey (user_id);
