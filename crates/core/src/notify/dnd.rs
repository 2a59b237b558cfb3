//! When popups wait: quiet hours, a snooze, a desktop that is set not to disturb.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan as _, Zoned};

use super::{Notice, Tone, family};
use crate::server::ServerId;

/// Hours of the day without popups. They may reach past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The days on which they begin, Monday first.
    pub days: [bool; 7],
    /// When they begin.
    pub from: Time,
    /// When they end: on the next day, where that is not later than they begin.
    pub to: Time,
}

impl Hours {
    /// Until when they last, if they are now. The zone of `now` says what the hours mean: on a night
    /// on which the clocks change they begin and end by the clocks.
    #[must_use]
    pub fn until(&self, now: &Zoned) -> Option<Timestamp> {
        let today = now.date();
        let days = [today.yesterday().ok(), Some(today)];
        days.into_iter().flatten().filter_map(|day| self.on(day, now)).max()
    }

    /// The end of those that begin on a day, if they are now.
    fn on(&self, day: Date, now: &Zoned) -> Option<Timestamp> {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !self.days[weekday] {
            return None;
        }
        let last = if self.to > self.from { day } else { day.checked_add(1.day()).ok()? };
        let zone = now.time_zone();
        let begin = zone.to_timestamp(day.to_datetime(self.from)).ok()?;
        let end = zone.to_timestamp(last.to_datetime(self.to)).ok()?;
        (begin <= now.timestamp() && now.timestamp() < end).then_some(end)
    }
}

/// What the user wants no popups about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Muted {
    /// The server.
    pub server: ServerId,
    /// Jobs of this name.
    pub name: Option<String>,
    /// Failures with an error of this [`family`].
    pub error: Option<String>,
    /// Jobs in this queue.
    pub queue: Option<String>,
}

impl Muted {
    /// Whether it mutes a notice about a job in this queue.
    #[must_use]
    pub fn mutes(&self, notice: &Notice, queue: Option<&str>) -> bool {
        let Some(about) = notice.subject.as_ref().filter(|_| notice.server == self.server) else {
            return false;
        };
        let error = |muted: &String| notice.tone == Tone::Bad && family(&about.error) == *muted;
        self.name.as_ref() == Some(&about.name)
            || self.error.as_ref().is_some_and(error)
            || self.queue.as_deref().is_some_and(|muted| queue == Some(muted))
    }
}

/// When popups wait, and which do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoNotDisturb {
    /// Regular hours.
    pub hours: Vec<Hours>,
    /// When a snooze ends.
    pub snoozed_until: Option<Timestamp>,
    /// The desktop is set not to disturb.
    pub desktop: bool,
    /// Whether failures pop up all the same.
    pub failures_break_through: bool,
}

impl DoNotDisturb {
    /// Until when popups wait by the clock; `None` while they do not.
    #[must_use]
    pub fn until(&self, now: &Zoned) -> Option<Timestamp> {
        let snoozed = self.snoozed_until.filter(|until| *until > now.timestamp());
        let hours = self.hours.iter().filter_map(|hours| hours.until(now));
        hours.chain(snoozed).max()
    }

    /// Whether the popup of a notice waits.
    #[must_use]
    pub fn defers(&self, notice: &Notice, now: &Zoned) -> bool {
        let breaches = self.failures_break_through && notice.tone == Tone::Bad;
        !breaches && self.is_now(now)
    }

    fn is_now(&self, now: &Zoned) -> bool {
        self.desktop || self.until(now).is_some()
    }
}

/// What waits for the end of do-not-disturb, by server.
#[derive(Debug)]
pub struct Deferred<T>(BTreeMap<ServerId, Vec<T>>);

impl<T> Default for Deferred<T> {
    fn default() -> Deferred<T> {
        Deferred(BTreeMap::new())
    }
}

impl<T> Deferred<T> {
    /// Keeps something of a server until then.
    pub fn defer(&mut self, server: ServerId, what: T) {
        self.0.entry(server).or_default().push(what);
    }

    /// Returns everything, of each server in the order in which it came, once nothing has to wait.
    pub fn release(&mut self, quiet: &DoNotDisturb, now: &Zoned) -> BTreeMap<ServerId, Vec<T>> {
        if self.0.is_empty() || quiet.is_now(now) {
            return BTreeMap::new();
        }
        std::mem::take(&mut self.0)
    }

    /// Drops what waits of a server, and returns it.
    pub fn forget(&mut self, server: &ServerId) -> Vec<T> {
        self.0.remove(server).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use jiff::tz::TimeZone;

    use super::*;

    /// Central Europe, by its rule: no database of zones is needed.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn nights(days: [bool; 7]) -> Hours {
        Hours { days, from: time(22, 0, 0, 0), to: time(7, 0, 0, 0) }
    }

    fn at(month: i8, day: i8, hour: i8, minute: i8) -> Zoned {
        date(2026, month, day).at(hour, minute, 0, 0).to_zoned(berlin()).unwrap()
    }

    fn until(hours: &Hours, now: &Zoned) -> Option<String> {
        let end = hours.until(now)?.to_zoned(berlin());
        Some(format!("{:02}-{:02} {:02}:{:02}", end.month(), end.day(), end.hour(), end.minute()))
    }

    #[test]
    fn hours_reach_over_midnight_and_belong_to_the_day_on_which_they_begin() {
        // 2026-11-26 is a Thursday.
        let workdays = nights([true, true, true, true, true, false, false]);
        for (now, end) in [
            (at(11, 26, 21, 59), None),
            (at(11, 26, 22, 0), Some("11-27 07:00")),
            (at(11, 27, 6, 59), Some("11-27 07:00")),
            (at(11, 27, 7, 0), None),
            (at(11, 28, 3, 0), Some("11-28 07:00")),
            (at(11, 28, 22, 30), None),
            (at(11, 29, 3, 0), None),
            (at(11, 30, 0, 30), None),
            (at(11, 30, 23, 30), Some("12-01 07:00")),
        ] {
            assert_eq!(until(&workdays, &now).as_deref(), end, "{now}");
        }
    }

    #[test]
    fn hours_within_a_day_and_whole_days_are_possible() {
        let lunch = Hours { days: [true; 7], from: time(12, 0, 0, 0), to: time(13, 30, 0, 0) };
        assert_eq!(until(&lunch, &at(11, 26, 13, 29)).as_deref(), Some("11-26 13:30"));
        assert_eq!(until(&lunch, &at(11, 26, 13, 30)), None);
        let midnight = time(0, 0, 0, 0);
        let sunday = [false, false, false, false, false, false, true];
        let sundays = Hours { days: sunday, from: midnight, to: midnight };
        assert_eq!(until(&sundays, &at(11, 29, 18, 0)).as_deref(), Some("11-30 00:00"));
        assert_eq!(until(&sundays, &at(11, 30, 0, 0)), None);
    }

    #[test]
    fn nights_on_which_the_clocks_change_end_by_the_clocks() {
        let every = nights([true; 7]);
        // On 2026-03-29 two o'clock is three; on 2026-10-25 three o'clock comes twice.
        for (now, hours) in [(at(3, 28, 22, 0), 8), (at(10, 24, 22, 0), 10), (at(11, 1, 22, 0), 9)]
        {
            let end = every.until(&now).expect("a night");
            assert_eq!(end.duration_since(now.timestamp()).as_hours(), hours, "{now}");
        }
        // The end itself falls into the hour that is left out.
        let early = Hours { days: [true; 7], from: time(22, 0, 0, 0), to: time(2, 30, 0, 0) };
        let end = early.until(&at(3, 29, 1, 0)).expect("it is night");
        assert!(end > at(3, 29, 1, 59).timestamp() && end <= at(3, 29, 3, 30).timestamp());
        assert_eq!(early.until(&at(3, 29, 4, 0)), None);
    }

    #[test]
    fn a_job_is_muted_by_its_name_and_an_error_whatever_differs_in_it() {
        let server = |name: &str| ServerId(name.to_owned());
        let notice = |server, name: &str, error: &str| Notice {
            key: None,
            server,
            job: None,
            title: String::new(),
            body: String::new(),
            tone: if error.is_empty() { Tone::Good } else { Tone::Bad },
            at: Timestamp::UNIX_EPOCH,
            subject: Some(Box::new(super::super::Subject {
                name: name.to_owned(),
                error: error.to_owned(),
            })),
            trigger: None,
        };
        let job =
            Muted { server: server("a"), name: Some("warm".to_owned()), error: None, queue: None };
        assert!(job.mutes(&notice(server("a"), "warm", ""), Some("mail")));
        assert!(job.mutes(&notice(server("a"), "warm", "disk full"), Some("mail")));
        assert!(!job.mutes(&notice(server("b"), "warm", ""), Some("mail")));
        assert!(!job.mutes(&notice(server("a"), "cold", ""), Some("mail")));
        let error = Some(family("timeout after 31 ms"));
        let error = Muted { server: server("a"), name: None, error, queue: None };
        assert!(error.mutes(&notice(server("a"), "cold", "timeout after 7 ms"), Some("mail")));
        assert!(!error.mutes(&notice(server("a"), "cold", "disk full"), Some("mail")));
        assert!(!error.mutes(&notice(server("a"), "cold", ""), Some("mail")));
        let queue = Some("mail".to_owned());
        let queue = Muted { server: server("a"), name: None, error: None, queue };
        assert!(queue.mutes(&notice(server("a"), "cold", ""), Some("mail")));
        assert!(!queue.mutes(&notice(server("a"), "cold", ""), Some("mailing")));
        assert!(!queue.mutes(&notice(server("a"), "cold", ""), None));
    }

    fn notice(tone: Tone) -> Notice {
        Notice {
            key: None,
            server: ServerId("s".to_owned()),
            job: None,
            title: String::new(),
            body: String::new(),
            tone,
            at: Timestamp::UNIX_EPOCH,
            subject: None,
            trigger: None,
        }
    }

    #[test]
    fn what_waits_over_a_night_is_released_once_in_the_morning_also_where_the_clocks_change() {
        // The evening, and how many hours the night has.
        for (evening, hours) in
            [(at(3, 28, 21, 0), 9), (at(10, 24, 21, 0), 11), (at(6, 1, 21, 0), 10)]
        {
            let quiet = DoNotDisturb {
                hours: vec![nights([true; 7])],
                failures_break_through: true,
                ..DoNotDisturb::default()
            };
            let mut held = Deferred::default();
            let (mut at_once, mut later) = (Vec::new(), Vec::new());
            // Something completes each minute, and each tenth time something fails.
            for minute in 0..13 * 60 {
                let now = evening.checked_add(i64::from(minute).minutes()).unwrap();
                for released in held.release(&quiet, &now).into_values() {
                    assert_eq!((now.hour(), now.minute(), later.len()), (7, 0, 0), "{now}");
                    later.extend(released);
                }
                let tone = if minute % 10 == 0 { Tone::Bad } else { Tone::Good };
                let what = notice(tone);
                if quiet.defers(&what, &now) {
                    held.defer(what.server.clone(), minute);
                } else {
                    at_once.push((minute, tone));
                }
            }
            // From ten in the evening to seven in the morning, whatever the clocks do meanwhile.
            let night = 60..60 * hours;
            let wanted: Vec<i32> = night.clone().filter(|minute| minute % 10 != 0).collect();
            assert_eq!(later, wanted, "each once, in order, of the night of {evening}");
            let by_night = at_once.iter().filter(|(minute, _)| night.contains(minute));
            assert!(by_night.clone().all(|(_, tone)| *tone == Tone::Bad));
            assert_eq!(at_once.len() + later.len(), 13 * 60);
        }
    }

    #[test]
    fn while_the_desktop_is_set_not_to_disturb_popups_wait_at_any_hour() {
        let noon = at(11, 26, 12, 0);
        let mut quiet = DoNotDisturb { desktop: true, ..DoNotDisturb::default() };
        let mut held = Deferred::default();
        assert!(quiet.defers(&notice(Tone::Bad), &noon));
        held.defer(ServerId("s".to_owned()), 1);
        held.defer(ServerId("gone".to_owned()), 2);
        assert_eq!(held.forget(&ServerId("gone".to_owned())), [2]);
        assert!(held.release(&quiet, &noon).is_empty());
        quiet.desktop = false;
        assert_eq!(held.release(&quiet, &noon).into_values().collect::<Vec<_>>(), [[1]]);
        assert!(held.release(&quiet, &noon).is_empty());
    }

    #[test]
    fn popups_wait_for_the_later_of_snooze_and_hours_and_failures_may_break_through() {
        let now = at(11, 26, 23, 0);
        let snoozed = Some(at(11, 27, 8, 0).timestamp());
        let mut quiet = DoNotDisturb {
            hours: vec![nights([true; 7])],
            snoozed_until: snoozed,
            ..DoNotDisturb::default()
        };
        assert_eq!(quiet.until(&now), snoozed);
        quiet.snoozed_until = Some(at(11, 26, 22, 59).timestamp());
        assert_eq!(quiet.until(&now), Some(at(11, 27, 7, 0).timestamp()));
        assert!(quiet.defers(&notice(Tone::Bad), &now) && quiet.defers(&notice(Tone::Good), &now));
        quiet.failures_break_through = true;
        assert!(!quiet.defers(&notice(Tone::Bad), &now) && quiet.defers(&notice(Tone::Good), &now));
        assert!(!quiet.defers(&notice(Tone::Good), &at(11, 27, 12, 0)));
    }
}
