-- Receivers of syslog: they are told of rows of the audit, which is their queue; each row here knows how far it is.

CREATE TABLE syslog (
    id TEXT NOT NULL PRIMARY KEY,
    target TEXT NOT NULL UNIQUE, -- tls://HOST:PORT, tcp://HOST:PORT, udp://HOST:PORT or local
    facility TEXT NOT NULL,
    app_name TEXT NOT NULL,
    enterprise BIGINT NOT NULL, -- whose names the structured data has
    ca TEXT, -- PEM
    events TEXT NOT NULL, -- JSON: operations, or beginnings of them; all when empty
    delivered BIGINT NOT NULL, -- the newest row that was sent, or that it is not told of
    failures BIGINT NOT NULL,
    next_try BIGINT NOT NULL,
    last_error TEXT,
    lost BIGINT NOT NULL,
    created BIGINT NOT NULL
);
