-- How things stood, minute by minute; thinned as it gets old, and gone after some days.

CREATE TABLE history (
    at_minute BIGINT NOT NULL PRIMARY KEY, -- since 1970
    in_use BIGINT NOT NULL,
    running BIGINT NOT NULL,
    desktops BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    spares BIGINT NOT NULL,
    spares_wanted BIGINT NOT NULL,
    gpu_units BIGINT NOT NULL
);
