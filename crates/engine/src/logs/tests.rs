//! The store as a whole: what goes in comes out, once, in order, whatever happens in between.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::{Level, Source};
use proptest::prelude::*;

use super::cut::MAX_LINE;
use super::find::{Rules, Search};
use super::log::JobLog;
use super::reader::Reader;
use super::segment::BLOCK;
use super::snapshot::Snapshot;
use crate::logs::query::{LogFilter, LogFind, LogFormat, LogLevel, LogPlace, LogTarget};

/// A line as tests write it: time in seconds, position, text.
type Plain = (Option<i64>, Option<u64>, String);

fn line(plain: &Plain) -> LogLine<'_> {
    LogLine {
        at: plain.0.map(|second| Timestamp::from_second(second).unwrap()),
        position: plain.1,
        text: &plain.2,
        ..LogLine::default()
    }
}

fn lines<'a>(plain: impl IntoIterator<Item = &'a Plain>) -> LogLines {
    plain.into_iter().map(line).collect()
}

fn at(second: i64, text: &str) -> Plain {
    (Some(second), None, text.to_owned())
}

fn texts(log: &Snapshot) -> Vec<String> {
    let mut records = Vec::new();
    log.records(0, log.len(), &mut records).unwrap();
    let text = |(stored, record): &(u64, super::record::Record)| {
        String::from_utf8(log.text(*stored, record, usize::MAX).unwrap()).unwrap()
    };
    records.iter().map(text).collect()
}

fn push(log: &mut JobLog, plain: &[Plain], source: Source) -> usize {
    let (taken, problem) = log.push(&lines(plain), source);
    assert!(problem.is_none(), "{problem:?}");
    taken.lines.len()
}

#[test]
fn a_line_received_on_both_ways_is_kept_once_and_a_repetition_twice() {
    let mut log = JobLog::create(None).unwrap();
    push(&mut log, &[at(2, "b"), at(2, "b")], Source::Socket);
    let all = [at(1, "a"), at(2, "b"), at(2, "b"), at(3, "c")];
    assert_eq!(push(&mut log, &all, Source::Http), 2);
    assert_eq!(push(&mut log, &all, Source::Http), 0);
    assert_eq!(push(&mut log, &[at(3, "c")], Source::Socket), 0);
    assert_eq!(push(&mut log, &[at(3, "c")], Source::Socket), 1);
    assert_eq!(texts(&log.snapshot()), ["a", "b", "b", "c", "c"]);
}

#[test]
fn a_line_with_an_id_is_kept_once_whatever_happens() {
    let mut log = JobLog::create(None).unwrap();
    for source in [Source::Socket, Source::Socket, Source::Http] {
        let line = LogLine {
            id: Some("1"),
            at: Some(Timestamp::UNIX_EPOCH),
            text: "x",
            ..LogLine::default()
        };
        log.push(&[line].into_iter().collect(), source);
    }
    assert_eq!(log.len(), 1);
}

#[test]
fn a_line_that_only_one_way_gives_an_id_is_kept_once() {
    for named_first in [true, false] {
        let mut log = JobLog::create(None).unwrap();
        let named: LogLines = [(1, "a"), (2, "a"), (3, "b")]
            .iter()
            .map(|(n, text)| LogLine {
                id: Some(["", "1", "2", "3"][*n as usize]),
                at: Some(Timestamp::from_second(1).unwrap()),
                text,
                ..LogLine::default()
            })
            .collect();
        let unnamed = lines(&[at(1, "a"), at(1, "a"), at(1, "b")]);
        let ways = [(&named, Source::Socket), (&unnamed, Source::Http)];
        let order = if named_first { [0, 1, 0, 1] } else { [1, 0, 1, 0] };
        for way in order {
            let (lines, source) = ways[way];
            log.push(lines, source);
        }
        assert_eq!(texts(&log.snapshot()), ["a", "a", "b"], "named first: {named_first}");
    }
}

#[test]
fn a_line_that_one_way_names_by_id_and_the_other_by_position_is_kept_once() {
    let named = |by_id: bool| -> LogLines {
        let line = |(n, second, text): (usize, i64, &'static str)| LogLine {
            id: by_id.then_some(["0", "1", "2", "3"][n]),
            position: (!by_id).then_some(n as u64),
            at: Some(Timestamp::from_second(second).unwrap()),
            text,
            ..LogLine::default()
        };
        [(0, 1, "a"), (1, 2, "b"), (2, 2, "b"), (3, 3, "c")].into_iter().map(line).collect()
    };
    for ids_first in [true, false] {
        let mut log = JobLog::create(None).unwrap();
        for by_id in [ids_first, !ids_first, ids_first, !ids_first] {
            // The socket brings nothing of before it was opened.
            let all = named(by_id);
            let received: LogLines = all.iter().skip(usize::from(by_id)).collect();
            log.push(&received, if by_id { Source::Socket } else { Source::Http });
        }
        assert_eq!(texts(&log.snapshot()), ["a", "b", "b", "c"], "ids first: {ids_first}");
    }
}

#[test]
fn lines_of_one_time_stand_as_the_answer_has_them() {
    let mut log = JobLog::create(None).unwrap();
    push(&mut log, &[at(1, "5"), at(1, "6"), at(1, "7")], Source::Socket);
    let answer: Vec<Plain> = (1..=6).map(|n| at(1, &n.to_string())).collect();
    push(&mut log, &answer, Source::Http);
    assert_eq!(texts(&log.snapshot()), ["1", "2", "3", "4", "5", "6", "7"]);
    push(&mut log, &[at(1, "7"), at(1, "8")], Source::Http);
    assert_eq!(texts(&log.snapshot()).last().unwrap(), "8");
}

#[test]
fn lines_without_a_time_stay_behind_the_line_before_them() {
    let mut log = JobLog::create(None).unwrap();
    let untimed = |text: &str| (None, None, text.to_owned());
    push(&mut log, &[untimed("first"), at(5, "e"), untimed("e2")], Source::Socket);
    push(&mut log, &[at(1, "a"), untimed("a2"), at(5, "e"), untimed("e2")], Source::Http);
    assert_eq!(texts(&log.snapshot()), ["first", "a", "a2", "e", "e2"]);
}

#[test]
fn a_line_is_whole_up_to_eight_mebibytes_and_says_that_it_was_cut_beyond() {
    let mut log = JobLog::create(None).unwrap();
    let whole = "x".repeat(MAX_LINE);
    let long = "y".repeat(22_000_000);
    let all = [at(1, "before"), at(2, &whole), at(3, &long), at(4, "after")];
    push(&mut log, &all, Source::Socket);
    assert_eq!(push(&mut log, &all, Source::Http), 0, "it is known again");
    let texts = texts(&log.snapshot());
    assert!(texts[1] == whole, "the whole line");
    assert!(texts[2].ends_with("y [cut: 8.4 MB of 22.0 MB shown]"), "its end says so");
    assert!(texts[2].len() <= MAX_LINE);
    assert_eq!([&texts[0], &texts[3]], ["before", "after"]);
}

/// Lines of distinct places, as a server has them, and how they reach us.
fn history() -> impl Strategy<Value = (Vec<Plain>, Vec<(usize, usize, bool)>)> {
    let lines =
        proptest::collection::vec((0i64..3, "[a-c]{0,3}\n?[a-c]?"), 1..60).prop_map(|steps| {
            let mut second = 1;
            let line = |(nth, (step, text)): (usize, (i64, String))| {
                second += step;
                (Some(second), Some(nth as u64), text)
            };
            steps.into_iter().enumerate().map(line).collect::<Vec<Plain>>()
        });
    lines.prop_flat_map(|lines| {
        let len = lines.len();
        let batches = proptest::collection::vec((0..len, 1..=len, any::<bool>()), 1..20);
        (Just(lines), batches)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_interleaving_of_live_lines_history_and_duplicates_gives_the_same_log(
        (server, batches) in history(),
        reopened in proptest::collection::vec(any::<bool>(), 20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job");
        let mut log = JobLog::create(Some(&path)).unwrap();
        let mut kept = 0;
        for ((from, count, live), reopen) in batches.iter().zip(reopened) {
            let part = &server[*from..(from + count).min(server.len())];
            let source = if *live { Source::Socket } else { Source::Http };
            kept += push(&mut log, part, source);
            if reopen {
                drop(log);
                let (again, problems) = JobLog::open(&path, true).unwrap();
                prop_assert_eq!(problems.len(), 0);
                log = again;
            }
        }
        kept += push(&mut log, &server, Source::Http);
        let expected: Vec<String> = server.iter().map(|line| line.2.clone()).collect();
        prop_assert_eq!(texts(&log.snapshot()), expected.clone());
        prop_assert_eq!(kept, server.len());
        drop(log);
        let (log, _) = JobLog::open(&path, false).unwrap();
        prop_assert_eq!(texts(&log.snapshot()), expected);
    }

    #[test]
    fn a_log_whose_files_end_at_any_byte_opens_with_a_true_beginning_and_goes_on(
        count in 1usize..300,
        cut_text in 0.0f64..1.0,
        cut_index in 0.0f64..1.0,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job");
        let mut log = JobLog::create(Some(&path)).unwrap();
        let server: Vec<Plain> = (0..count).map(|n| at(n as i64 + 1, &format!("line {n}"))).collect();
        push(&mut log, &server, Source::Socket);
        drop(log);
        for (name, cut) in [("000000000000.log", cut_text), ("000000000000.idx", cut_index)] {
            let file = std::fs::OpenOptions::new().write(true).open(path.join(name)).unwrap();
            let len = file.metadata().unwrap().len();
            // The header is written when the log is made.
            let least = if name.ends_with("idx") { 64 } else { 0 };
            file.set_len(least + ((len - least) as f64 * cut) as u64).unwrap();
        }
        let (mut log, problems) = JobLog::open(&path, true).unwrap();
        prop_assert_eq!(problems.len(), 0);
        let kept = texts(&log.snapshot());
        let expected: Vec<String> = server.iter().map(|line| line.2.clone()).collect();
        prop_assert_eq!(&kept[..], &expected[..kept.len()]);
        push(&mut log, &server, Source::Http);
        prop_assert_eq!(texts(&log.snapshot()), expected);
    }
}

#[test]
fn lines_that_a_power_cut_spoiled_are_left_out_and_those_before_them_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("job");
    let mut log = JobLog::create(Some(&path)).unwrap();
    let count = 2 * BLOCK as usize + 10;
    let server: Vec<Plain> = (0..count).map(|n| at(n as i64 + 1, &format!("line {n}"))).collect();
    push(&mut log, &server, Source::Socket);
    drop(log);
    let text = path.join("000000000000.log");
    let mut bytes = std::fs::read(&text).unwrap();
    // Zeros where the second block was.
    let from = bytes.len() - 2_000;
    bytes[from..from + 500].fill(0);
    let whole = bytes[..from].iter().filter(|byte| **byte == b'\n').count();
    std::fs::write(&text, &bytes).unwrap();
    let (log, _) = JobLog::open(&path, true).unwrap();
    let kept = texts(&log.snapshot());
    assert_eq!(kept.len(), whole);
    assert!(kept.iter().enumerate().all(|(n, text)| *text == format!("line {n}")));
}

#[test]
fn the_oldest_part_can_be_dropped_and_the_rest_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("job");
    let mut log = JobLog::create(Some(&path)).unwrap();
    let long = "x".repeat(17 << 10);
    let count = BLOCK as i64 + 5;
    for n in 0..count {
        push(&mut log, &[at(n + 10, &format!("{n} {long}"))], Source::Socket);
    }
    push(&mut log, &[at(1, "late")], Source::Http);
    assert_eq!(texts(&log.snapshot())[0], "late");
    assert!(log.drop_oldest());
    assert!(!log.drop_oldest(), "what is being written stays");
    let after = texts(&log.snapshot());
    assert!(after.len() < 10 && after[0] == "late", "{}", after.len());
    assert_eq!(log.snapshot().dropped + after.len() as u64, BLOCK + 6);
    drop(log);
    let (log, _) = JobLog::open(&path, true).unwrap();
    assert_eq!(texts(&log.snapshot()), after);
    assert_eq!(log.snapshot().dropped + after.len() as u64, BLOCK + 6);
}

/// A full disk, small enough to fill; only root may mount one.
fn small_disk() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(dir.path())
        .stderr(std::process::Stdio::null())
        .status();
    mounted.is_ok_and(|status| status.success()).then_some(dir)
}

#[test]
fn a_full_disk_loses_nothing_and_is_written_to_once_there_is_room() {
    let Some(disk) = small_disk() else {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 700 << 10]).unwrap();
    let path = disk.path().join("job");
    let mut log = JobLog::create(Some(&path)).unwrap();
    let mut expected = Vec::new();
    let mut refused = 0;
    for n in 0..60 {
        let text = format!("{n} {}", "y".repeat(10_000));
        let (taken, problem) = log.push(&lines([&at(n, &text)]), Source::Socket);
        assert_eq!(taken.lines.len(), 1);
        refused += u32::from(problem.is_some());
        expected.push(text);
    }
    assert!(refused > 0 && log.bytes_in_memory() > 0, "the disk was not full");
    assert!(texts(&log.snapshot()) == expected, "nothing is lost meanwhile");
    assert!(log.try_disk_again().is_err());
    std::fs::remove_file(&filler).unwrap();
    log.try_disk_again().unwrap();
    assert_eq!(log.bytes_in_memory(), 0);
    push(&mut log, &[at(100, "after")], Source::Socket);
    expected.push("after".to_owned());
    drop(log);
    let (log, problems) = JobLog::open(&path, true).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    assert!(texts(&log.snapshot()) == expected, "everything is on the disk");
    let _ = std::process::Command::new("umount").arg("-l").arg(disk.path()).status();
}

fn filled(dir: Option<&Path>, count: usize) -> (JobLog, Vec<String>) {
    let mut log = JobLog::create(dir).unwrap();
    let mut all = LogLines::new();
    let mut expected = Vec::new();
    for n in 0..count {
        let level = match n % 100 {
            7 => Some(Level::Error),
            13 | 14 => Some(Level::Warn),
            _ => None,
        };
        let text = match n % 50 {
            3 => format!("\u{1b}[31mneed\u{1b}[0mle {n}"),
            4 => format!("Needle and thread {n}"),
            5 => format!("two\nneedles {n}"),
            _ => format!("hay {n}"),
        };
        let at = Some(Timestamp::from_millisecond(n as i64 * 10 + 10).unwrap());
        all.push(LogLine { at, level, text: &text, ..LogLine::default() });
        expected.push(text);
    }
    log.push(&all, Source::Socket);
    (log, expected)
}

pub(super) fn reader(logs: &[Arc<Snapshot>], filter: &LogFilter) -> Reader {
    let search = Arc::new(Search::new(Rules::new(filter).unwrap(), logs.len()));
    search.run(logs, &|| ());
    assert!((search.progress() - 1.0).abs() < f64::EPSILON);
    let names = logs.iter().map(|_| "job".to_owned()).collect();
    Reader::new(logs, logs.iter().map(|_| Vec::new()).collect(), names, Some(search))
}

fn find(text: &str) -> LogFind {
    LogFind { text: text.to_owned(), ..LogFind::default() }
}

#[test]
fn a_search_finds_what_is_seen_of_lines_and_counts_and_seeks_its_matches() {
    let dir = tempfile::tempdir().unwrap();
    let (log, expected) = filled(Some(&dir.path().join("job")), 20_000);
    let log = Arc::new(log.snapshot());
    let logs = [Arc::clone(&log)];
    let filter = LogFilter { find: Some(find("needle")), ..LogFilter::default() };
    let found = reader(&logs, &filter);
    assert_eq!(found.len(), 20_000, "finding hides nothing");
    assert_eq!(found.state().unwrap().matches, 20_000 / 50 * 3);
    let next = |from, back| found.seek(LogTarget::Match { from, back }).unwrap();
    assert_eq!(next(0, false), Some(LogPlace { row: 3, nth: Some(1) }));
    assert_eq!(next(5, false), Some(LogPlace { row: 53, nth: Some(4) }));
    assert_eq!(next(-1, true), Some(LogPlace { row: 19_955, nth: Some(1_200) }));
    assert_eq!(next(53, true), Some(LogPlace { row: 5, nth: Some(3) }));
    assert_eq!(next(3, true), Some(LogPlace { row: 19_955, nth: Some(1_200) }), "it wraps around");
    let rows = found.window(3, 3).unwrap();
    assert!(rows.iter().all(|row| row.matched));
    let marked = |row: usize| -> String {
        rows[row].spans.iter().filter(|s| s.mark).map(|s| s.text.as_str()).collect()
    };
    assert_eq!((marked(0), marked(1)), ("needle".to_owned(), "Needle".to_owned()));

    let only = LogFilter { only_matching: true, ..filter.clone() };
    let only_rows = reader(&logs, &only);
    assert_eq!(only_rows.len(), 1_200);
    assert_eq!(only_rows.window(1_199, 1).unwrap()[0].line, 19_956);
    let around = reader(&logs, &LogFilter { context: 1, ..only });
    assert_eq!(around.len(), 400 * 5);

    let cased = LogFind { case: true, word: true, ..find("needle") };
    let cased = reader(
        &logs,
        &LogFilter { find: Some(cased), only_matching: true, ..LogFilter::default() },
    );
    assert_eq!(cased.len(), 400, "whole words in small letters: those in colour");
    let copied = cased.copy(0, 2, LogFormat::Text).unwrap();
    assert!(expected[3].contains('\u{1b}'), "{:?}", expected[3]);
    assert_eq!(copied, "needle 3\nneedle 53\n", "as they are seen");
}

#[test]
fn filters_combine() {
    let (log, _) = filled(None, 10_000);
    let log = Arc::new(log.snapshot());
    let logs = [log];
    let count = |filter: LogFilter| reader(&logs, &filter).len();
    let include = vec![find("needle")];
    assert_eq!(count(LogFilter { include: include.clone(), ..LogFilter::default() }), 600);
    let exclude = vec![LogFind { regex: true, ..find("^two|thread") }];
    assert_eq!(count(LogFilter { include, exclude: exclude.clone(), ..LogFilter::default() }), 200);
    assert_eq!(count(LogFilter { exclude, ..LogFilter::default() }), 9_600);
    let levels = vec![LogLevel::Error, LogLevel::Warn];
    assert_eq!(count(LogFilter { levels, ..LogFilter::default() }), 300);
    assert_eq!(count(LogFilter { cleared: vec![9_990], ..LogFilter::default() }), 10);
    let wrong = Rules::new(&LogFilter {
        include: vec![LogFind { regex: true, ..find("(") }],
        ..LogFilter::default()
    });
    assert!(wrong.unwrap_err().contains("is not a regular expression"));
}

#[test]
fn several_logs_are_merged_by_time() {
    let mut logs = Vec::new();
    let mut expected = Vec::new();
    for (source, step) in [(0, 3), (1, 5), (2, 7)] {
        let mut log = JobLog::create(None).unwrap();
        let plain: Vec<Plain> =
            (0..300).map(|n| at(n * step + 1, &format!("{source} {n}"))).collect();
        expected.extend(plain.iter().map(|line| (line.0.unwrap(), source, line.2.clone())));
        push(&mut log, &plain, Source::Socket);
        logs.push(Arc::new(log.snapshot()));
    }
    expected.sort();
    let reader = reader(&logs, &LogFilter::default());
    assert_eq!(reader.len(), 900);
    for first in [0, 1, 450, 899] {
        let rows = reader.window(first, 40).unwrap();
        let shown: Vec<String> = rows.iter().map(|row| row.spans[0].text.clone()).collect();
        let first = usize::try_from(first).unwrap();
        let of = expected.iter().skip(first).take(40).map(|line| line.2.clone());
        assert_eq!(shown, of.collect::<Vec<_>>());
    }
    let place = reader.seek(LogTarget::Time { at: 500_000 }).unwrap().unwrap();
    assert_eq!(place.row, expected.iter().filter(|line| line.0 < 500).count() as u64);
}

#[test]
fn the_map_shows_where_errors_are() {
    let (log, _) = filled(None, 10_000);
    let logs = [Arc::new(log.snapshot())];
    let all = reader(&logs, &LogFilter::default());
    let map = all.map(100, 50).unwrap();
    assert_eq!(map.slices.len(), 100);
    assert!(map.slices.iter().all(|slice| *slice == (2, 1)), "{:?}", map.slices);
    assert_eq!(map.buckets.iter().map(|bucket| bucket.0).sum::<u64>(), 10_000);
    assert_eq!(map.buckets.iter().map(|bucket| bucket.2).sum::<u64>(), 100);
    let error = LogTarget::Level { from: 7, back: false, level: Level::Error };
    assert_eq!(all.seek(error).unwrap(), Some(LogPlace { row: 107, nth: None }));
    let before = LogTarget::Level { from: 7, back: true, level: Level::Error };
    assert_eq!(all.seek(before).unwrap(), None);
    let first = r#"{"kind":"level","from":-1,"back":false,"level":"error"}"#;
    let first: LogTarget = serde_json::from_str(first).unwrap();
    assert_eq!(all.seek(first).unwrap(), Some(LogPlace { row: 7, nth: None }));
}

/// Two failures with their traces, and a line after each.
fn traces() -> [Arc<Snapshot>; 1] {
    let mut log = JobLog::create(None).unwrap();
    let mut plain = Vec::new();
    for (second, place) in [(1, "orders.js"), (2, "mail.js")] {
        plain.push(at(second, "Error: torn apart"));
        plain.push(at(second, &format!("    at send ({place}:3:7)")));
        plain.push(at(second, "    at run (main.js:9:1)"));
        plain.push(at(second, "going on"));
    }
    push(&mut log, &plain, Source::Socket);
    [Arc::new(log.snapshot())]
}

#[test]
fn a_folded_trace_is_counted_shown_whole_with_its_line_and_saved_with_it() {
    let logs = traces();
    let folded = reader(&logs, &LogFilter { fold: true, ..LogFilter::default() });
    let rows = folded.window(0, 10).unwrap();
    assert_eq!(rows.iter().map(|row| row.folded).collect::<Vec<_>>(), [2, 0, 2, 0]);
    let trace = "Error: torn apart\n    at send (orders.js:3:7)\n    at run (main.js:9:1)";
    let whole = folded.text(0).unwrap().unwrap();
    assert_eq!((whole.text.as_str(), whole.more, whole.lines.len()), (trace, 0, 3));
    assert_eq!(folded.copy(0, 2, LogFormat::Text).unwrap(), format!("{trace}\ngoing on\n"));
    let open = reader(&logs, &LogFilter::default());
    assert_eq!(
        folded.copy(0, 100, LogFormat::Text).unwrap(),
        open.copy(0, 100, LogFormat::Text).unwrap()
    );
}

#[test]
fn a_python_trace_is_folded_to_the_line_of_its_exception() {
    let whole = "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\n    g()\n\
                 ValueError: price is negative";
    let mut log = JobLog::create(None).unwrap();
    let lines: Vec<Plain> = whole.lines().chain(["next"]).map(|text| at(1, text)).collect();
    push(&mut log, &lines, Source::Socket);
    push(&mut log, &[at(2, whole), at(3, "Traceback (most recent call last):")], Source::Socket);
    let fold = LogFilter { fold: true, ..LogFilter::default() };
    let folded = reader(&[Arc::new(log.snapshot())], &fold);
    let rows = folded.window(0, 10).unwrap();
    let shown: Vec<(&str, u32, u32)> =
        rows.iter().map(|row| (&*row.spans[0].text, row.folded, row.below)).collect();
    let reason = "ValueError: price is negative";
    assert_eq!(shown[..3], [(reason, 3, 0), ("next", 0, 0), (reason, 0, 3)]);
    assert_eq!(shown[3].0, "Traceback (most recent call last):");
    assert_eq!(folded.text(0).unwrap().unwrap().text, whole, "the detail has all of it");
}

#[test]
fn what_is_looked_for_is_found_in_folded_lines_and_shown() {
    let logs = traces();
    let texts = |filter: LogFilter| -> Vec<String> {
        let reader = reader(&logs, &filter);
        let rows = reader.window(0, 10).unwrap();
        rows.iter().map(|row| row.spans.iter().map(|span| span.text.as_str()).collect()).collect()
    };
    let fold = LogFilter { fold: true, ..LogFilter::default() };
    let finding = LogFilter { find: Some(find("mail.js")), ..fold.clone() };
    let line = "    at send (mail.js:3:7)".to_owned();
    assert_eq!(texts(finding.clone()).len(), 5);
    assert_eq!(texts(finding.clone())[3], line);
    assert_eq!(reader(&logs, &finding).state().unwrap().matches, 1);
    // What is shown is not folded as well.
    assert_eq!(reader(&logs, &finding).window(2, 1).unwrap()[0].folded, 1);
    assert_eq!(
        texts(LogFilter { only_matching: true, ..finding.clone() }),
        std::slice::from_ref(&line)
    );
    assert_eq!(texts(LogFilter { include: vec![find("mail.js")], ..fold }), [line]);
    let all = reader(&logs, &finding).copy(0, 100, LogFormat::Text).unwrap();
    assert_eq!(all.lines().count(), 8, "{all}");
}
