-- When pools are busy, and what becomes of connections and desktops that nobody uses.

ALTER TABLE pool ADD COLUMN hours TEXT; -- JSON; NULL for what is usual
ALTER TABLE pool ADD COLUMN leaving TEXT; -- JSON; NULL for what is usual

-- When somebody last touched a connection to the desktop through that program, as far as it has said so.
ALTER TABLE presence ADD COLUMN touched BIGINT;
