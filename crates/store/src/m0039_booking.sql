-- Desktops of pools that are kept for people for a span of time.

CREATE TABLE booking (
    id TEXT NOT NULL PRIMARY KEY,
    pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    begins BIGINT NOT NULL,
    ends BIGINT NOT NULL, -- not there any more at that moment
    created BIGINT NOT NULL
);
CREATE INDEX booking_by_pool ON booking (pool_id, ends);
CREATE INDEX booking_by_user ON booking (user_id);
CREATE INDEX booking_by_end ON booking (ends);
