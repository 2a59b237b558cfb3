//! Dropping what is too old or too much. What the local clock says decides, never a server's.

use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::model::Job;
use rusqlite::{Connection, params};

use super::rows::body;

/// A job whose body is smaller is left as it is.
pub(super) const LIGHT: u32 = 4 << 10;
/// What each part of a body is cut to.
pub(super) const CUT: usize = 256;
/// Bodies cut in one transaction.
const AT_ONCE: i64 = 200;

/// How much is kept, and for how long.
pub(super) struct Limits {
    /// Of jobs, steps and notices.
    pub keep: Duration,
    /// Of the ledger: longer, so that no server's long memory makes old news new again.
    pub keep_ledger: Duration,
    /// Jobs of one server.
    pub jobs: i64,
    /// Bytes of the jobs of all servers; beyond it the bodies of those reported longest ago go.
    pub bytes: usize,
    /// Steps of one server.
    pub steps: i64,
    /// Notices of one server.
    pub notices: i64,
    /// Rows of the ledger.
    pub ledger: i64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            keep: Duration::from_secs(90 * 86_400),
            keep_ledger: Duration::from_secs(800 * 86_400),
            jobs: 100_000,
            bytes: 256 << 20,
            steps: 500_000,
            notices: 20_000,
            ledger: 2_000_000,
        }
    }
}

/// Drops what is beyond the limits.
pub(super) fn prune(
    file: &mut Connection,
    now: Timestamp,
    limits: &Limits,
) -> rusqlite::Result<()> {
    let before = |age: Duration| (now - age).as_millisecond();
    let old = before(limits.keep);
    file.execute("DELETE FROM jobs WHERE heard_at < ?1", params![old])?;
    for table in ["transitions", "notices"] {
        let sql = format!("DELETE FROM {table} WHERE coalesce(heard_at, at) < ?1");
        file.execute(&sql, params![old])?;
    }
    file.execute("DELETE FROM ledger WHERE at < ?1", params![before(limits.keep_ledger)])?;
    let ledger: i64 = file.query_row("SELECT count(*) FROM ledger", [], |row| row.get(0))?;
    if ledger > limits.ledger {
        file.execute(
            "DELETE FROM ledger WHERE at <= (SELECT at FROM ledger ORDER BY at DESC LIMIT 1 OFFSET ?1)",
            params![limits.ledger],
        )?;
    }
    for (table, number, most) in
        [("transitions", "seq", limits.steps), ("notices", "id", limits.notices)]
    {
        for server in servers(file, table)? {
            let sql = format!(
                "DELETE FROM {table} WHERE server = ?1 AND {number} <= (
                     SELECT {number} FROM {table} WHERE server = ?1
                     ORDER BY {number} DESC LIMIT 1 OFFSET ?2)"
            );
            file.execute(&sql, params![server, most])?;
        }
    }
    for server in servers(file, "jobs")? {
        // Among many reported at the same moment, the id decides.
        file.execute(
            "DELETE FROM jobs WHERE server = ?1 AND (heard_at, id) <= (
                 SELECT heard_at, id FROM jobs WHERE server = ?1
                 ORDER BY heard_at DESC, id DESC LIMIT 1 OFFSET ?2)",
            params![server, limits.jobs],
        )?;
    }
    cut_bodies(file, limits.bytes)
}

fn servers(file: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = format!("SELECT DISTINCT server FROM {table}");
    file.prepare_cached(&sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Cuts the bodies of the jobs reported longest ago, until the others fit.
fn cut_bodies(file: &mut Connection, bytes: usize) -> rusqlite::Result<()> {
    let mut sum: i64 = file.query_row("SELECT total(size) FROM jobs", [], |row| {
        #[allow(clippy::cast_possible_truncation)]
        row.get::<_, f64>(0).map(|sum| sum as i64)
    })?;
    let most = i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut after = (i64::MIN, String::new(), String::new());
    while sum > most {
        let transaction = file.transaction()?;
        let heavy: Vec<(i64, String, String, i64)> = transaction
            .prepare_cached(
                "SELECT heard_at, server, id, size FROM jobs
                 WHERE size > ?1 AND (heard_at, server, id) > (?2, ?3, ?4)
                 ORDER BY heard_at, server, id LIMIT ?5",
            )?
            .query_map(params![LIGHT, after.0, after.1, after.2, AT_ONCE], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let Some((heard_at, server, id, _)) = heavy.last().cloned() else { return Ok(()) };
        after = (heard_at, server, id);
        for (_, server, id, size) in heavy {
            if sum <= most {
                break;
            }
            let text: String = transaction
                .prepare_cached("SELECT body FROM jobs WHERE server = ?1 AND id = ?2")?
                .query_row(params![server, id], |row| row.get(0))?;
            // What cannot be read is not worth its room.
            let short = serde_json::from_str::<Job>(&text).and_then(|job| body(&job, CUT));
            let Ok(short) = short else { continue };
            let now = i64::try_from(short.len()).unwrap_or(i64::MAX);
            sum -= size - now;
            transaction
                .prepare_cached(
                    "UPDATE jobs SET body = ?3, size = ?4 WHERE server = ?1 AND id = ?2",
                )?
                .execute(params![server, id, short, now])?;
        }
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::schema;

    fn file() -> Connection {
        let mut file = Connection::open_in_memory().unwrap();
        schema::migrations().to_latest(&mut file).unwrap();
        file
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn job(file: &Connection, server: &str, id: u32, heard_at: i64, bytes: usize) {
        let text = serde_json::json!({
            "id": id.to_string(), "state": "completed", "source": "http",
            "heard_at": "2026-01-01T00:00:00Z", "result": "x".repeat(bytes),
        })
        .to_string();
        file.execute(
            "INSERT INTO jobs (server, id, heard_at, body, size) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![server, id.to_string(), heard_at, text, text.len() as i64],
        )
        .unwrap();
    }

    fn count(file: &Connection, what: &str) -> i64 {
        file.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn of_each_server_only_the_jobs_heard_of_last_are_kept() {
        let mut file = file();
        let seen = now().as_millisecond();
        for id in 0..50 {
            // All in one listing, at the same moment.
            job(&file, "noisy", id, seen, 10);
        }
        job(&file, "quiet", 1, seen - 1_000_000, 10);
        prune(&mut file, now(), &Limits { jobs: 20, ..Limits::default() }).unwrap();
        assert_eq!(count(&file, "jobs WHERE server = 'noisy'"), 20);
        assert_eq!(count(&file, "jobs WHERE server = 'quiet'"), 1);
    }

    #[test]
    fn the_bodies_of_jobs_heard_of_longest_ago_are_cut_beyond_the_budget() {
        let mut file = file();
        let seen = now().as_millisecond();
        for id in 0..100 {
            job(&file, "s", id, seen + i64::from(id), 20_000);
        }
        let limits = Limits { bytes: 500_000, ..Limits::default() };
        prune(&mut file, now(), &limits).unwrap();
        assert_eq!(count(&file, "jobs"), 100, "the jobs themselves stay");
        let sum: i64 =
            file.query_row("SELECT sum(length(body)) FROM jobs", [], |row| row.get(0)).unwrap();
        assert!(sum <= 500_000, "{sum}");
        let whole = count(&file, "jobs WHERE size > 20000");
        assert!((15..25).contains(&whole), "{whole}");
        assert_eq!(count(&file, "jobs WHERE size > 20000 AND CAST(id AS INTEGER) < 75"), 0);
        let text: String =
            file.query_row("SELECT body FROM jobs WHERE id = '0'", [], |row| row.get(0)).unwrap();
        assert!(text.contains("not kept"), "{text}");
    }

    #[test]
    fn a_servers_clock_decides_nothing_about_how_long_something_is_kept() {
        let mut file = file();
        let (local, long_ago) = (now().as_millisecond(), 0);
        let far = local * 2;
        for (at, seen) in [(long_ago, Some(local)), (far, Some(long_ago)), (long_ago, None)] {
            file.execute(
                "INSERT INTO transitions (server, job, attempt, to_state, kind, at, heard_at)
                 VALUES ('s', 'j', 1, 'running', 'moved', ?1, ?2)",
                params![at, seen],
            )
            .unwrap();
            file.execute(
                "INSERT INTO notices (server, title, body, tone, at, heard_at)
                 VALUES ('s', '', '', 'good', ?1, ?2)",
                params![at, seen],
            )
            .unwrap();
        }
        prune(&mut file, now(), &Limits::default()).unwrap();
        for table in ["transitions", "notices"] {
            assert_eq!(count(&file, table), 1);
            assert_eq!(count(&file, &format!("{table} WHERE at = 0 AND heard_at > 0")), 1);
        }
    }

    #[test]
    fn one_servers_steps_and_notices_do_not_push_out_anothers() {
        let mut file = file();
        let local = now().as_millisecond();
        for server in ["quiet"].into_iter().chain(["noisy"; 30]) {
            file.execute(
                "INSERT INTO transitions (server, job, attempt, to_state, kind, at, heard_at)
                 VALUES (?1, 'j', 1, 'running', 'moved', ?2, ?2)",
                params![server, local],
            )
            .unwrap();
            file.execute(
                "INSERT INTO notices (server, title, body, tone, at, heard_at)
                 VALUES (?1, '', '', 'good', ?2, ?2)",
                params![server, local],
            )
            .unwrap();
        }
        let limits = Limits { steps: 10, notices: 10, ..Limits::default() };
        prune(&mut file, now(), &limits).unwrap();
        for table in ["transitions", "notices"] {
            assert_eq!(count(&file, &format!("{table} WHERE server = 'noisy'")), 10);
            assert_eq!(count(&file, &format!("{table} WHERE server = 'quiet'")), 1);
        }
    }
}
