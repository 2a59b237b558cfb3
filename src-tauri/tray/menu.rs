//! The tray's icon and menu, computed from a snapshot.

use jiff::Zoned;
use jobwatch_core::connection::ConnectionState;
use jobwatch_engine::api::{TrayJob, TrayNotice, TrayServer, TraySnapshot};

/// The longest label of an item, in characters.
const MAX_LABEL: usize = 48;
/// Separates the parts of an item's id; no server's or job's id contains it.
const ID_SEPARATOR: char = '\u{1f}';

/// One line of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line that cannot be chosen.
    Text(String),
    /// A line that can be chosen.
    Action(Choice, String),
    /// A submenu.
    Submenu(String, Vec<Item>),
    /// A line between groups.
    Separator,
}

impl Item {
    /// Whether the items differ in nothing but their labels.
    #[must_use]
    pub fn same_item(&self, other: &Item) -> bool {
        match (self, other) {
            (Item::Text(_), Item::Text(_)) | (Item::Separator, Item::Separator) => true,
            (Item::Action(one, _), Item::Action(other, _)) => one == other,
            (Item::Submenu(_, one), Item::Submenu(_, other)) => one == other,
            _ => false,
        }
    }

    /// Its label.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Item::Text(words) | Item::Action(_, words) | Item::Submenu(words, _) => words,
            Item::Separator => "",
        }
    }
}

/// The smallest replacement that turns one menu into another: how many items at the start and at the
/// end stay, except for their labels.
#[must_use]
pub fn diff(old: &[Item], new: &[Item]) -> (usize, usize) {
    let same = |(old, new): &(&Item, &Item)| old.same_item(new);
    let first = old.iter().zip(new).take_while(same).count();
    let rest = old.len().min(new.len()) - first;
    let last = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(same).count();
    (first, last)
}

/// An action of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Show the window.
    Open,
    /// Show a job.
    Job {
        /// Its server.
        server: String,
        /// Its id.
        job: String,
    },
    /// Show the notices.
    Notices,
    /// No popups for an hour.
    SnoozeHour,
    /// No popups until tomorrow morning.
    SnoozeDay,
    /// End the snooze.
    Resume,
    /// Reconnect to a server now.
    Reconnect(String),
    /// Quit the program.
    Quit,
}

impl Choice {
    /// The id of its menu item.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Choice::Open => "open".to_owned(),
            Choice::Job { server, job } => format!("job{ID_SEPARATOR}{server}{ID_SEPARATOR}{job}"),
            Choice::Notices => "notices".to_owned(),
            Choice::SnoozeHour => "hour".to_owned(),
            Choice::SnoozeDay => "day".to_owned(),
            Choice::Resume => "wake".to_owned(),
            Choice::Reconnect(server) => format!("reconnect{ID_SEPARATOR}{server}"),
            Choice::Quit => "quit".to_owned(),
        }
    }

    /// The action of a menu item's id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Choice> {
        let mut parts = id.splitn(3, ID_SEPARATOR);
        Some(match (parts.next()?, parts.next(), parts.next()) {
            ("open", None, None) => Choice::Open,
            ("job", Some(server), Some(job)) => {
                Choice::Job { server: server.to_owned(), job: job.to_owned() }
            }
            ("notices", None, None) => Choice::Notices,
            ("hour", None, None) => Choice::SnoozeHour,
            ("day", None, None) => Choice::SnoozeDay,
            ("wake", None, None) => Choice::Resume,
            ("reconnect", Some(server), None) => Choice::Reconnect(server.to_owned()),
            ("quit", None, None) => Choice::Quit,
            _ => return None,
        })
    }
}

/// The icons of the tray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Everything works.
    Live,
    /// Everything works, and there is an unread failure.
    Attention,
    /// A server is polled, partly connected or connecting.
    Polling,
    /// A server is offline.
    Offline,
    /// A key was rejected.
    Refused,
}

/// The icon: the worst connection state, or whether there is an unread failure.
#[must_use]
pub fn icon(snapshot: &TraySnapshot) -> Icon {
    match snapshot.worst {
        Some(ConnectionState::Refused) => Icon::Refused,
        Some(ConnectionState::Offline) => Icon::Offline,
        Some(ConnectionState::Partly | ConnectionState::Polling | ConnectionState::Connecting) => {
            Icon::Polling
        }
        Some(ConnectionState::Live | ConnectionState::Paused) | None if snapshot.failed => {
            Icon::Attention
        }
        Some(ConnectionState::Live | ConnectionState::Paused) | None => Icon::Live,
    }
}

/// The menu. `now` is the local time, for the end of a snooze.
#[must_use]
pub fn menu(snapshot: &TraySnapshot, now: &Zoned) -> Vec<Item> {
    let mut items = vec![Item::Text(summary(snapshot)), Item::Separator];
    items.extend(snapshot.running.iter().map(job_item));
    let more = snapshot.running_total.saturating_sub(snapshot.running.len());
    if more > 0 {
        items.push(Item::Action(Choice::Open, format!("{more} more running")));
    }
    if !snapshot.running.is_empty() {
        items.push(Item::Separator);
    }
    if !snapshot.notices.is_empty() {
        items.extend(snapshot.notices.iter().map(notice_item));
        let all = match snapshot.unread {
            0 => "All notices".to_owned(),
            unread => format!("All notices ({unread} unread)"),
        };
        items.extend([Item::Action(Choice::Notices, all), Item::Separator]);
    }
    items.extend(snapshot.servers.iter().map(server_item));
    if !snapshot.servers.is_empty() {
        items.push(Item::Separator);
    }
    items.push(match snapshot.quiet_until {
        Some(until) => Item::Submenu(
            format!("Popups paused until {}", describe_time(until, now)),
            vec![
                Item::Action(Choice::SnoozeHour, "For 1 more hour".to_owned()),
                Item::Action(Choice::SnoozeDay, "Until tomorrow".to_owned()),
                Item::Action(Choice::Resume, "Resume popups".to_owned()),
            ],
        ),
        None => Item::Submenu(
            "Pause popups".to_owned(),
            vec![
                Item::Action(Choice::SnoozeHour, "For 1 hour".to_owned()),
                Item::Action(Choice::SnoozeDay, "Until tomorrow".to_owned()),
            ],
        ),
    });
    items.push(Item::Separator);
    items.push(Item::Action(Choice::Open, "Open Jobwatch".to_owned()));
    items.push(Item::Action(Choice::Quit, "Quit".to_owned()));
    items
}

/// The most important facts in one line.
fn summary(snapshot: &TraySnapshot) -> String {
    let running = match snapshot.running_total {
        0 => "no running jobs".to_owned(),
        1 => "1 running job".to_owned(),
        many => format!("{many} running jobs"),
    };
    let at = |link: ConnectionState| {
        snapshot.servers.iter().filter(|server| server.link == link).count()
    };
    let trouble =
        [(at(ConnectionState::Refused), "refused"), (at(ConnectionState::Offline), "offline")];
    let trouble = jobwatch_core::notify::format_counts(&trouble);
    match (snapshot.servers.is_empty(), trouble.is_empty()) {
        (true, _) => "Jobwatch: no servers yet".to_owned(),
        (_, true) => format!("Jobwatch: {running}"),
        (_, false) => format!("Jobwatch: {running}, {trouble}"),
    }
}

fn job_item(job: &TrayJob) -> Item {
    let choice = Choice::Job { server: job.server.clone(), job: job.job.clone() };
    let title = one_line(&job.title);
    Item::Action(
        choice,
        match job.percent {
            Some(percent) => format!("{title}  {percent} %"),
            None => title,
        },
    )
}

fn notice_item(notice: &TrayNotice) -> Item {
    let choice = match &notice.job {
        Some(job) => Choice::Job { server: notice.server.clone(), job: job.clone() },
        None => Choice::Notices,
    };
    let unread = if notice.read { "" } else { "\u{25cf} " };
    Item::Action(choice, format!("{unread}{}", one_line(&notice.title)))
}

fn server_item(server: &TrayServer) -> Item {
    let (name, word) = (one_line(&server.name), state_word(server.link));
    let line = format!("{name}: {word}");
    match server.link {
        ConnectionState::Partly
        | ConnectionState::Offline
        | ConnectionState::Refused
        | ConnectionState::Polling => Item::Submenu(
            line,
            vec![Item::Action(Choice::Reconnect(server.id.clone()), "Reconnect now".to_owned())],
        ),
        ConnectionState::Live | ConnectionState::Connecting | ConnectionState::Paused => {
            Item::Text(line)
        }
    }
}

/// The word that the window has for it.
fn state_word(link: ConnectionState) -> &'static str {
    match link {
        ConnectionState::Live => "Live",
        ConnectionState::Partly => "Partly connected",
        ConnectionState::Connecting => "Connecting\u{2026}",
        ConnectionState::Polling => "API mode",
        ConnectionState::Offline => "Offline",
        ConnectionState::Refused => "Key not accepted",
        ConnectionState::Paused => "Paused",
    }
}

/// A moment as one would say it today.
fn describe_time(ms: i64, now: &Zoned) -> String {
    let Ok(at) = jiff::Timestamp::from_millisecond(ms) else { return "then".to_owned() };
    let at = at.to_zoned(now.time_zone().clone());
    let time = format!("{:02}:{:02}", at.hour(), at.minute());
    let days = now.date().until(at.date()).map_or(0, |span| span.get_days());
    match days {
        0 => time,
        1 => format!("tomorrow {time}"),
        _ => format!("{} {time}", at.date()),
    }
}

/// Text from a server as a label: one short line without control characters.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let mut words: String = clean.chars().take(MAX_LABEL).collect();
    if clean.chars().count() > MAX_LABEL {
        words.push('\u{2026}');
    }
    words
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    fn now() -> Zoned {
        date(2026, 11, 26).at(21, 30, 0, 0).to_zoned(TimeZone::UTC).unwrap()
    }

    fn server(name: &str, link: ConnectionState) -> TrayServer {
        TrayServer { id: format!("id-{name}"), name: name.to_owned(), link }
    }

    fn job(title: &str, percent: Option<u8>) -> TrayJob {
        let (server, job) = ("s".to_owned(), "7".to_owned());
        TrayJob { server, job, title: title.to_owned(), percent }
    }

    /// The menu as text, one item per line, those that cannot be chosen in brackets.
    fn read(items: &[Item]) -> Vec<String> {
        let lines = items.iter().flat_map(|item| match item {
            Item::Text(text) => vec![format!("[{text}]")],
            Item::Action(_, text) => vec![text.clone()],
            Item::Submenu(text, items) => {
                let below = read(items).into_iter().map(|line| format!("> {line}"));
                std::iter::once(format!("{text}:")).chain(below).collect()
            }
            Item::Separator => vec!["--".to_owned()],
        });
        lines.collect()
    }

    #[test]
    fn without_servers_the_menu_says_so_and_opens_the_window() {
        assert_eq!(
            read(&menu(&TraySnapshot::default(), &now())),
            [
                "[Jobwatch: no servers yet]",
                "--",
                "Pause popups:",
                "> For 1 hour",
                "> Until tomorrow",
                "--",
                "Open Jobwatch",
                "Quit"
            ]
        );
    }

    #[test]
    fn the_menu_lists_jobs_notices_servers_and_the_snooze() {
        let notice = |title: &str, read| TrayNotice {
            server: "s".to_owned(),
            job: None,
            title: title.to_owned(),
            read,
        };
        let snapshot = TraySnapshot {
            worst: Some(ConnectionState::Offline),
            servers: vec![
                server("Lectures", ConnectionState::Live),
                server("Tasks", ConnectionState::Offline),
            ],
            running: vec![job("nightly", Some(40)), job("index", None)],
            running_total: 5,
            notices: vec![notice("warm failed", false), notice("sum completed", true)],
            unread: 1,
            failed: true,
            quiet_until: Some(now().timestamp().as_millisecond() + 9 * 3_600_000),
        };
        assert_eq!(
            read(&menu(&snapshot, &now())),
            [
                "[Jobwatch: 5 running jobs, 1 offline]",
                "--",
                "nightly  40 %",
                "index",
                "3 more running",
                "--",
                "\u{25cf} warm failed",
                "sum completed",
                "All notices (1 unread)",
                "--",
                "[Lectures: Live]",
                "Tasks: Offline:",
                "> Reconnect now",
                "--",
                "Popups paused until tomorrow 06:30:",
                "> For 1 more hour",
                "> Until tomorrow",
                "> Resume popups",
                "--",
                "Open Jobwatch",
                "Quit"
            ]
        );
    }

    #[test]
    fn only_items_that_differ_are_replaced() {
        let text = |words: &str| Item::Text(words.to_owned());
        let act = |choice, words: &str| Item::Action(choice, words.to_owned());
        let job = |id: &str, words: &str| {
            act(Choice::Job { server: "s".to_owned(), job: id.to_owned() }, words)
        };
        let quit = || act(Choice::Quit, "Quit");
        let before = [text("1 runs"), job("1", "a 10 %"), Item::Separator, quit()];
        let moved = [text("1 runs"), job("1", "a 20 %"), Item::Separator, quit()];
        let more = [text("2 run"), job("2", "b"), job("1", "a 20 %"), Item::Separator, quit()];
        assert_eq!(diff(&before, &moved), (4, 0), "only words");
        assert_eq!(diff(&moved, &more), (1, 3), "one is new");
        assert_eq!(diff(&more, &moved), (1, 3), "one has gone");
        assert_eq!(diff(&[], &more), (0, 0));
        assert_eq!(diff(&[quit(), quit()], &[quit()]), (1, 0), "none is counted twice");
    }

    #[test]
    fn the_icon_shows_the_worst_connection_state() {
        for (worst, failed, shown) in [
            (None, false, Icon::Live),
            (Some(ConnectionState::Live), false, Icon::Live),
            (Some(ConnectionState::Live), true, Icon::Attention),
            (Some(ConnectionState::Paused), false, Icon::Live),
            (Some(ConnectionState::Connecting), true, Icon::Polling),
            (Some(ConnectionState::Polling), false, Icon::Polling),
            (Some(ConnectionState::Offline), true, Icon::Offline),
            (Some(ConnectionState::Refused), false, Icon::Refused),
        ] {
            assert_eq!(
                icon(&TraySnapshot { worst, failed, ..TraySnapshot::default() }),
                shown,
                "{worst:?}"
            );
        }
    }

    #[test]
    fn every_action_is_found_by_its_id() {
        let (server, id) = ("a/b c".to_owned(), "x:y/z".to_owned());
        for choice in [
            Choice::Open,
            Choice::Job { server: server.clone(), job: id },
            Choice::Notices,
            Choice::SnoozeHour,
            Choice::SnoozeDay,
            Choice::Resume,
            Choice::Reconnect(server),
            Choice::Quit,
        ] {
            assert_eq!(Choice::from_id(&choice.id()), Some(choice));
        }
        assert_eq!(Choice::from_id("other"), None);
    }

    #[test]
    fn names_from_servers_become_one_short_line() {
        let snapshot = TraySnapshot {
            servers: vec![server("s", ConnectionState::Live)],
            running: vec![job(&format!("two\nlines {}", "x".repeat(99)), Some(7))],
            running_total: 1,
            ..TraySnapshot::default()
        };
        let Item::Action(_, text) = &menu(&snapshot, &now())[2] else { panic!("a job") };
        assert!(text.starts_with("two\u{fffd}lines x") && text.ends_with("x\u{2026}  7 %"));
        assert_eq!(text.chars().count(), MAX_LABEL + 1 + "  7 %".len());
    }
}
