-- Pools of machines that Oriel does not run: they have no image.

ALTER TABLE pool ADD COLUMN kind TEXT NOT NULL DEFAULT 'virtual';

-- image_id may be NULL from now on. A column takes its place: SQLite cannot drop NOT NULL.
DROP INDEX pool_by_image;
ALTER TABLE pool ADD COLUMN image TEXT REFERENCES image (id);
UPDATE pool SET image = image_id;
ALTER TABLE pool DROP COLUMN image_id;
ALTER TABLE pool RENAME COLUMN image TO image_id;
CREATE INDEX pool_by_image ON pool (image_id);

ALTER TABLE desktop ADD COLUMN external TEXT; -- JSON: where the machine is; NULL for desktops that Oriel runs
