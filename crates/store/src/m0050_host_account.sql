-- Accounts of people on session hosts, as long as they have a place there, and until they are closed.

CREATE TABLE host_account (
    id TEXT NOT NULL PRIMARY KEY, -- "HOST/PERSON"
    desktop_id TEXT NOT NULL REFERENCES desktop (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL, -- whoever is deleted leaves an account that is to be closed
    generation BIGINT NOT NULL, -- of the host: one that was made anew has no accounts
    name TEXT, -- none where it may have none
    state TEXT NOT NULL,
    number BIGINT NOT NULL, -- of the last order; counts up
    sealed TEXT, -- its password; none once it is to be closed
    problem TEXT, -- why the last order came to nothing
    changed BIGINT NOT NULL,
    UNIQUE (desktop_id, name)
);
