-- Providers by which people sign in, and who of ours is who of theirs.

CREATE TABLE provider (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    enabled BOOLEAN NOT NULL,
    settings TEXT NOT NULL, -- JSON
    sealed TEXT, -- the client's secret
    created BIGINT NOT NULL
);

CREATE TABLE provider_person (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    provider_id TEXT NOT NULL REFERENCES provider (id),
    subject TEXT NOT NULL, -- stays when names change
    active BOOLEAN NOT NULL,
    seen BIGINT NOT NULL,
    UNIQUE (provider_id, subject)
);

-- Sign-ins that came back from their provider: none comes back twice.
CREATE TABLE provider_sign_in (
    state_sha256 TEXT NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
);
