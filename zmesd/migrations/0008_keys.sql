-- Secrets that zmesd has made for itself, by what they are for.
CREATE TABLE keys (
    name    TEXT    PRIMARY KEY,
    key     BLOB    NOT NULL,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
