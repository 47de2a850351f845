-- Layout 1. Times are milliseconds of the Unix epoch, dates are ISO 8601. Columns named sealed or
-- payload are age blobs; subjects, names, evidence and reasons stand nowhere else.

CREATE TABLE messages (
    id           TEXT PRIMARY KEY,
    state        TEXT NOT NULL,              -- waiting, judged, corrupt
    body         TEXT NOT NULL,              -- sealed, gone
    listener     TEXT,                       -- NULL: made by the gateway itself
    accepted_at  INTEGER NOT NULL,
    reverse_path TEXT,                       -- NULL: <>
    recipients   TEXT NOT NULL,              -- JSON array, the envelope's
    eight_bit    INTEGER NOT NULL,
    smtp_utf8    INTEGER NOT NULL,
    merge_key    BLOB NOT NULL,
    size         INTEGER NOT NULL,           -- octets as received
    class        TEXT NOT NULL,
    retain_until TEXT NOT NULL,              -- the last day it is kept
    outcome      TEXT,
    rules        TEXT,                       -- JSON array of ids
    categories   TEXT,                       -- JSON array of ids
    would_hold   TEXT,                       -- JSON array of ids
    attempts     INTEGER NOT NULL DEFAULT 0, -- of judging
    judge_at     INTEGER
) WITHOUT ROWID;
CREATE INDEX messages_waiting ON messages (judge_at) WHERE state = 'waiting';
CREATE INDEX messages_sealed ON messages (id) WHERE body = 'sealed';
CREATE INDEX messages_retention ON messages (retain_until);

CREATE TABLE records (
    message TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    sealed  BLOB NOT NULL
);

CREATE TABLE deliveries (
    message   TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    audience  TEXT NOT NULL,                 -- own, partner, external
    state     TEXT NOT NULL,                 -- queued, delivered, failed, cancelled
    attempts  INTEGER NOT NULL DEFAULT 0,
    next_at   INTEGER NOT NULL,
    code      INTEGER,                       -- the last reply's
    PRIMARY KEY (message, recipient)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (next_at, message) WHERE state = 'queued';

CREATE TABLE holds (
    id          TEXT PRIMARY KEY,
    merge_key   BLOB NOT NULL,
    state       TEXT NOT NULL,               -- open, released, refused, not_sent
    route       TEXT NOT NULL,               -- the role that decides
    visible     TEXT NOT NULL,               -- JSON array of folded addresses the header shows
    opened_at   INTEGER NOT NULL,
    escalate_at INTEGER NOT NULL,
    escalated   INTEGER NOT NULL DEFAULT 0,
    close_at    INTEGER NOT NULL,
    purge_at    INTEGER,
    purged      INTEGER NOT NULL DEFAULT 0,
    decided_at  INTEGER,
    decided_for TEXT,
    decided_by  TEXT,
    reason      BLOB                         -- sealed
) WITHOUT ROWID;
CREATE INDEX holds_merge ON holds (merge_key, opened_at);
CREATE INDEX holds_open ON holds (opened_at) WHERE state = 'open';

CREATE TABLE hold_messages (
    hold    TEXT NOT NULL REFERENCES holds (id) ON DELETE CASCADE,
    message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    PRIMARY KEY (hold, message)
) WITHOUT ROWID;
CREATE INDEX hold_messages_message ON hold_messages (message);

-- One row a recipient and hold, whichever of the hold's messages carries it: the second copy of a
-- split transaction finds the place taken.
CREATE TABLE hold_recipients (
    hold      TEXT NOT NULL REFERENCES holds (id) ON DELETE CASCADE,
    folded    TEXT NOT NULL,
    message   TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    audience  TEXT NOT NULL,
    PRIMARY KEY (hold, folded)
) WITHOUT ROWID;
CREATE INDEX hold_recipients_message ON hold_recipients (message);

CREATE TABLE duties (
    id      INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,
    message TEXT REFERENCES messages (id) ON DELETE CASCADE,
    hold    TEXT REFERENCES holds (id) ON DELETE CASCADE,
    payload BLOB,                            -- sealed
    due_at  INTEGER NOT NULL,
    done_at INTEGER,
    dropped TEXT                             -- why nothing was sent
);
CREATE INDEX duties_due ON duties (due_at) WHERE done_at IS NULL;
CREATE INDEX duties_message ON duties (message);
CREATE INDEX duties_hold ON duties (hold);

CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    prev   BLOB NOT NULL,
    mac    BLOB NOT NULL
);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
