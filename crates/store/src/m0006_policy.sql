-- What people may do on connections.

ALTER TABLE pool ADD COLUMN policy TEXT; -- JSON; NULL for what is usual

ALTER TABLE web_session ADD COLUMN locked BOOLEAN NOT NULL DEFAULT FALSE;
