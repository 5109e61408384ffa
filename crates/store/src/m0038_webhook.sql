-- Webhooks: addresses that are told of rows of the audit. The audit is their queue; each row here knows how far it is.

CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    events TEXT NOT NULL, -- JSON: operations, or beginnings of them; all when empty
    sealed TEXT NOT NULL, -- what its messages are signed with
    delivered BIGINT NOT NULL, -- the newest row that it took, or is not told of
    failures BIGINT NOT NULL,
    next_try BIGINT NOT NULL,
    last_error TEXT,
    lost BIGINT NOT NULL,
    created BIGINT NOT NULL
);
