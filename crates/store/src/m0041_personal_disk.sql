-- Disks of people, which follow them from desktop to desktop.

ALTER TABLE pool ADD COLUMN personal_disk TEXT; -- JSON; NULL without

CREATE TABLE personal_disk (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL, -- no reference: it stays when its person goes, until an administrator deletes it
    person TEXT NOT NULL, -- what they were called
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    size_gib BIGINT NOT NULL,
    is_made BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (user_id, name)
);

-- Who has a disk: the primary key says that nobody else has it.
CREATE TABLE personal_disk_hold (
    disk_id TEXT NOT NULL PRIMARY KEY REFERENCES personal_disk (id),
    desktop_id TEXT UNIQUE REFERENCES desktop (id), -- no cascade: it is taken out of the machine first
    operation_id TEXT UNIQUE,
    since BIGINT NOT NULL
);
