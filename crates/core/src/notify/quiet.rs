//! When popups are held back.

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan as _, Zoned};

use super::{Notice, Tone, family};
use crate::server::ServerId;

/// Hours of the day without popups. They may reach over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// On which days they begin, Monday first.
    pub days: [bool; 7],
    /// When they begin,
    pub from: Time,
    /// and end: on the next day where that is not later than they begin.
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
    /// On which server.
    pub server: ServerId,
    /// Jobs of this name,
    pub name: Option<String>,
    /// or failures with an error of this [`family`].
    pub error: Option<String>,
}

impl Muted {
    /// Whether it is about a notice.
    #[must_use]
    pub fn mutes(&self, notice: &Notice) -> bool {
        let Some(about) = notice.subject.as_ref().filter(|_| notice.server == self.server) else {
            return false;
        };
        let error = |muted: &String| notice.tone == Tone::Bad && family(&about.error) == *muted;
        self.name.as_ref() == Some(&about.name) || self.error.as_ref().is_some_and(error)
    }
}

/// When popups are held back, and which are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Regular hours.
    pub hours: Vec<Hours>,
    /// The user wants none until then.
    pub snoozed_until: Option<Timestamp>,
    /// Failures are told all the same.
    pub failures_breach: bool,
}

impl Quiet {
    /// Until when it is quiet, if it is now.
    #[must_use]
    pub fn until(&self, now: &Zoned) -> Option<Timestamp> {
        let snoozed = self.snoozed_until.filter(|until| *until > now.timestamp());
        let hours = self.hours.iter().filter_map(|hours| hours.until(now));
        hours.chain(snoozed).max()
    }

    /// Whether a notice waits for the end of the quiet.
    #[must_use]
    pub fn holds(&self, notice: &Notice, now: &Zoned) -> bool {
        let breaches = self.failures_breach && notice.tone == Tone::Bad;
        !breaches && self.until(now).is_some()
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
            why: None,
        };
        let job = Muted { server: server("a"), name: Some("warm".to_owned()), error: None };
        assert!(job.mutes(&notice(server("a"), "warm", "")));
        assert!(job.mutes(&notice(server("a"), "warm", "disk full")));
        assert!(!job.mutes(&notice(server("b"), "warm", "")));
        assert!(!job.mutes(&notice(server("a"), "cold", "")));
        let error = Some(family("timeout after 31 ms"));
        let error = Muted { server: server("a"), name: None, error };
        assert!(error.mutes(&notice(server("a"), "cold", "timeout after 7 ms")));
        assert!(!error.mutes(&notice(server("a"), "cold", "disk full")));
        assert!(!error.mutes(&notice(server("a"), "cold", "")));
    }

    #[test]
    fn the_later_of_snooze_and_hours_ends_the_quiet_and_failures_may_breach_it() {
        let now = at(11, 26, 23, 0);
        let snoozed = Some(at(11, 27, 8, 0).timestamp());
        let mut quiet =
            Quiet { hours: vec![nights([true; 7])], snoozed_until: snoozed, ..Quiet::default() };
        assert_eq!(quiet.until(&now), snoozed);
        quiet.snoozed_until = Some(at(11, 26, 22, 59).timestamp());
        assert_eq!(quiet.until(&now), Some(at(11, 27, 7, 0).timestamp()));
        let notice = |tone| Notice {
            key: None,
            server: crate::server::ServerId("s".to_owned()),
            job: None,
            title: String::new(),
            body: String::new(),
            tone,
            at: Timestamp::UNIX_EPOCH,
            subject: None,
            why: None,
        };
        assert!(quiet.holds(&notice(Tone::Bad), &now) && quiet.holds(&notice(Tone::Good), &now));
        quiet.failures_breach = true;
        assert!(!quiet.holds(&notice(Tone::Bad), &now) && quiet.holds(&notice(Tone::Good), &now));
        assert!(!quiet.holds(&notice(Tone::Good), &at(11, 27, 12, 0)));
    }
}
