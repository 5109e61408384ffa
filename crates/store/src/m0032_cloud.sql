-- Clouds on which desktops stand, which pools do, and which image there holds a version of ours.

CREATE TABLE cloud (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    region TEXT,
    sealed TEXT NOT NULL, -- its part of clouds.yaml
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
);

ALTER TABLE pool ADD COLUMN cloud TEXT; -- JSON: which cloud, flavor and network; NULL on our own host

-- The same cloud, so that none goes on which a pool stands.
CREATE TABLE pool_cloud (
    pool_id TEXT NOT NULL PRIMARY KEY REFERENCES pool (id) ON DELETE CASCADE,
    cloud_id TEXT NOT NULL REFERENCES cloud (id)
);

CREATE TABLE cloud_image (
    cloud_id TEXT NOT NULL REFERENCES cloud (id) ON DELETE CASCADE,
    image_id TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    remote TEXT NOT NULL, -- the cloud's own id
    created BIGINT NOT NULL,
    PRIMARY KEY (cloud_id, image_id)
);
