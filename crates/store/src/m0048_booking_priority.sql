-- Bookings of a higher priority take the place of lower ones that begin later than some notice.

ALTER TABLE booking ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
ALTER TABLE booking ADD COLUMN firm_from BIGINT NOT NULL DEFAULT 0; -- from then on none takes its place: those of before, at any time
ALTER TABLE booking ADD COLUMN displaced BIGINT; -- when one did: it keeps nothing since
ALTER TABLE booking ADD COLUMN is_told BOOLEAN NOT NULL DEFAULT FALSE; -- whether the audit, and so webhooks, know of that
UPDATE booking SET firm_from = created;
