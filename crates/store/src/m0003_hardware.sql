-- What a pool wishes of its desktops' machines beyond their size.

ALTER TABLE pool ADD COLUMN hardware TEXT; -- JSON; NULL for what is usual
