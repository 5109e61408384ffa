-- Pictures of published programs.

CREATE TABLE app_icon (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id) ON DELETE CASCADE,
    png TEXT NOT NULL -- hex
);

-- SHA-256 of it, so that lists say whether there is one, and whether it is another.
ALTER TABLE app ADD COLUMN icon TEXT;
