-- What desktops hold of GPUs.

ALTER TABLE pool ADD COLUMN gpu TEXT; -- JSON: what each desktop gets; NULL without

-- A card of a host. Its version is the fencing token: whoever changes what the card gives says which version they looked at.
CREATE TABLE gpu_card (
    host TEXT NOT NULL,
    gpu TEXT NOT NULL,
    version BIGINT NOT NULL,
    switching TEXT, -- the operation that changes its mode; nothing is claimed meanwhile
    PRIMARY KEY (host, gpu)
);

CREATE TABLE gpu_claim (
    id TEXT NOT NULL PRIMARY KEY,
    desktop_id TEXT NOT NULL REFERENCES desktop (id), -- no cascade: the unit is given back in the world first
    ordinal BIGINT NOT NULL, -- which of the desktop's units
    host TEXT NOT NULL,
    gpu TEXT NOT NULL,
    hold TEXT NOT NULL, -- JSON
    fence BIGINT NOT NULL, -- the card's version that this claim made
    leased_until BIGINT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (desktop_id, ordinal),
    FOREIGN KEY (host, gpu) REFERENCES gpu_card (host, gpu)
);
CREATE INDEX gpu_claim_by_card ON gpu_claim (host, gpu);

-- Two desktops never hold one slot of a card: the primary key says so.
CREATE TABLE gpu_claim_slot (
    host TEXT NOT NULL,
    gpu TEXT NOT NULL,
    slot BIGINT NOT NULL,
    claim_id TEXT NOT NULL REFERENCES gpu_claim (id) ON DELETE CASCADE,
    PRIMARY KEY (host, gpu, slot)
);
CREATE INDEX gpu_claim_slot_by_claim ON gpu_claim_slot (claim_id);
