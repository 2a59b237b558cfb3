//! The tables, as a list of steps that is only ever added to.

use rusqlite_migration::{M, Migrations};

const STEPS: &[M<'static>] = &[
    M::up(
    "-- The last known state of every job: `body` is the whole job as JSON.
     CREATE TABLE jobs (
         server TEXT NOT NULL,
         id TEXT NOT NULL,
         heard_at INTEGER NOT NULL,
         body TEXT NOT NULL,
         PRIMARY KEY (server, id)
     ) WITHOUT ROWID;
     CREATE INDEX jobs_by_heard ON jobs (server, heard_at);

     -- What happened to each job, in the order in which it became known.
     CREATE TABLE transitions (
         seq INTEGER PRIMARY KEY AUTOINCREMENT,
         server TEXT NOT NULL,
         job TEXT NOT NULL,
         attempt INTEGER NOT NULL,
         from_state TEXT,
         to_state TEXT NOT NULL,
         kind TEXT NOT NULL,
         at INTEGER NOT NULL,
         error TEXT
     );
     CREATE INDEX transitions_by_job ON transitions (server, job, seq);

     -- The notices. `shown` is set once the popup was handed to the desktop, or once it was
     -- decided that there is none.
     CREATE TABLE notices (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         server TEXT NOT NULL,
         job TEXT,
         attempt INTEGER,
         outcome TEXT,
         title TEXT NOT NULL,
         body TEXT NOT NULL,
         tone TEXT NOT NULL,
         at INTEGER NOT NULL,
         read INTEGER NOT NULL DEFAULT 0,
         dismissed INTEGER NOT NULL DEFAULT 0,
         shown INTEGER NOT NULL DEFAULT 0
     );
     CREATE INDEX notices_by_server ON notices (server);

     -- What was announced already: nothing in here is ever announced again. `kind` is `job` for
     -- outcomes and `server` for a server's own notices.
     CREATE TABLE ledger (
         server TEXT NOT NULL,
         kind TEXT NOT NULL,
         subject TEXT NOT NULL,
         attempt INTEGER NOT NULL,
         outcome TEXT NOT NULL,
         at INTEGER NOT NULL,
         PRIMARY KEY (server, kind, subject, attempt, outcome)
     ) WITHOUT ROWID;",
    ),
    M::up(
        "-- When each watched topic was last listed completely, by the local clock: what ended since
     -- then was not announced.
     CREATE TABLE listings (
         server TEXT NOT NULL,
         topic TEXT NOT NULL,
         at INTEGER NOT NULL,
         PRIMARY KEY (server, topic)
     ) WITHOUT ROWID;",
    ),
    M::up(
        "-- How large each job is. Read from the index alone, so that adding up reads no body.
     ALTER TABLE jobs ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
     UPDATE jobs SET size = length(CAST(body AS BLOB));
     CREATE INDEX jobs_by_size ON jobs (heard_at, size);

     -- When it became known, by the local clock: what a server says of times decides nothing about
     -- how long something is kept. Absent in rows of earlier versions.
     ALTER TABLE transitions ADD COLUMN heard_at INTEGER;
     ALTER TABLE notices ADD COLUMN heard_at INTEGER;",
    ),
    M::up(
        "-- What made each notice and what it is about, absent in rows of earlier versions; and what
     -- the programs of its rules printed.
     ALTER TABLE notices ADD COLUMN kind TEXT;
     ALTER TABLE notices ADD COLUMN rule TEXT;
     ALTER TABLE notices ADD COLUMN name TEXT;
     ALTER TABLE notices ADD COLUMN error TEXT;
     ALTER TABLE notices ADD COLUMN output TEXT;",
    ),
    M::up(
        "-- Which popup shows each notice, and how many it shows, noted before the desktop gets it; and
     -- the number of the summary that covers it.
     ALTER TABLE notices ADD COLUMN slot INTEGER;
     ALTER TABLE notices ADD COLUMN told INTEGER;
     ALTER TABLE notices ADD COLUMN summary INTEGER;",
    ),
    M::up(
        "-- What the user's rules decided about it when it happened, as JSON: nothing decides it again.
     ALTER TABLE notices ADD COLUMN decision TEXT;",
    ),
    M::up(
        "-- What a server calls a notice of its own, so that it can be read there and then here. Absent
     -- in rows of earlier versions, and where it is ours.
     ALTER TABLE notices ADD COLUMN mark TEXT;",
    ),
];

/// All steps from the first version on.
pub(super) fn migrations() -> Migrations<'static> {
    Migrations::from_slice(STEPS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_migrations_are_valid() {
        super::migrations().validate().unwrap();
    }
}
