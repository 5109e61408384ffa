-- Hosts, clouds and pools that take nothing new for a while.

CREATE TABLE maintenance (
    id TEXT NOT NULL PRIMARY KEY, -- "host", "cloud:ID" or "pool:ID"
    reason TEXT NOT NULL, -- what people are told
    since BIGINT NOT NULL,
    deadline BIGINT, -- until when whoever is inside should have left
    is_forced BOOLEAN NOT NULL -- what still runs at the deadline is shut down then
);
