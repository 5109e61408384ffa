-- Time plans of cards: whose they are at which hours of the week.

CREATE TABLE gpu_turn (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    gpu TEXT NOT NULL,
    pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
    mode TEXT NOT NULL,
    profile TEXT,
    hours TEXT NOT NULL, -- "mon-fri 08:00-18:00 Europe/Berlin"
    is_ready BOOLEAN NOT NULL, -- it is its turn, and the card is as it says
    created BIGINT NOT NULL
);
CREATE INDEX gpu_turn_by_card ON gpu_turn (host, gpu);
CREATE INDEX gpu_turn_by_pool ON gpu_turn (pool_id);
