use super::*;
use crate::model::JobState;
use crate::notify::rules::EventKind;
use crate::notify::{NoticeKey, Subject, Trigger};

fn ms(ms: u64) -> Mono {
    Mono(ms)
}

fn notice(server: &str, job: &str, name: &str, error: Option<&str>) -> Notice {
    let server = ServerId(server.to_owned());
    let (outcome, tone, word) = match error {
        Some(_) => (JobState::Failed, Tone::Bad, "failed"),
        None => (JobState::Completed, Tone::Good, "completed"),
    };
    Notice {
        key: Some(NoticeKey { server: server.clone(), job: job.into(), attempt: 1, outcome }),
        server,
        job: Some(job.into()),
        title: format!("{name} {word}"),
        body: String::new(),
        tone,
        at: jiff::Timestamp::UNIX_EPOCH,
        subject: Some(Box::new(Subject {
            name: name.to_owned(),
            error: error.unwrap_or_default().to_owned(),
        })),
        trigger: None,
    }
}

/// Offers notices at their times, polls as the deadline says, until `end`.
fn run(offers: Vec<(u64, Notice)>, end: u64) -> Vec<(u64, Popup)> {
    let mut popups = Popups::default();
    let mut shown = Vec::new();
    let mut offers = offers.into_iter().zip(1..).peekable();
    let mut now = 0;
    loop {
        while let Some(((_, notice), id)) = offers.next_if(|((at, _), _)| *at <= now) {
            popups.offer(id, notice, "Mill", ms(now));
            shown.extend(popups.poll(ms(now)).map(|popup| (now, popup)));
        }
        while let Some(popup) = popups.poll(ms(now)) {
            shown.push((now, popup));
        }
        let next = offers.peek().map(|((at, _), _)| *at);
        let due = popups.deadline().map(|at| at.0);
        assert!(due.is_none_or(|due| due > now), "a deadline in the past would spin");
        match next.into_iter().chain(due).min() {
            Some(at) if at <= end => now = at,
            _ => return shown,
        }
    }
}

fn titles(shown: &[(u64, Popup)]) -> Vec<(u64, u64, &str)> {
    shown.iter().map(|(at, popup)| (*at, popup.popup_id, popup.notice.title.as_str())).collect()
}

fn never_more_than_most(shown: &[(u64, Popup)]) {
    for (at, _) in shown {
        let within = |other: &&(u64, Popup)| other.0 >= *at && other.0 < at + 5_000;
        assert!(shown.iter().filter(within).count() <= MOST, "{:?}", titles(shown));
    }
}

#[test]
fn one_alone_is_shown_at_once_in_its_own_words() {
    let shown = run(vec![(7, notice("s", "1", "warm", Some("disk full")))], 60_000);
    assert_eq!(titles(&shown), [(7, 1, "warm failed")]);
    assert_eq!((shown[0].1.count, shown[0].1.notice.job.clone()), (1, Some("1".into())));
}

#[test]
fn two_popups_of_long_ago_do_not_delay_the_next() {
    let mut popups = Popups::default();
    for (id, at) in [(1, 0), (2, 2_000)] {
        popups.offer(id, notice("s", &id.to_string(), "warm", Some("disk full")), "Mill", ms(at));
        assert!(popups.poll(ms(at)).is_some());
    }
    popups.offer(3, notice("s", "3", "cold", Some("no fuel")), "Mill", ms(3_600_000));
    assert_eq!(popups.deadline(), Some(ms(3_600_000)));
}

#[test]
fn six_hundred_and_eighty_failures_in_five_seconds_are_three_popups_the_last_with_the_exact_count()
{
    let offers = (0..680_u64)
        .map(|n| {
            let error = format!("timeout after {} ms", n * 7);
            (n * 5_000 / 680, notice("s", &n.to_string(), "warm", Some(&error)))
        })
        .collect();
    let shown = run(offers, 120_000);
    assert_eq!(shown.len(), 3, "{:?}", titles(&shown));
    never_more_than_most(&shown);
    assert!(shown[0].0 < 1_000);
    assert!(shown.iter().all(|(_, popup)| popup.popup_id == 1), "replaced in place");
    let last = &shown[2].1;
    assert_eq!(last.notice.title, "680 \u{201c}warm\u{201d} jobs failed, same error");
    assert_eq!(last.notice.body, "On Mill: timeout after 4753 ms");
    assert_eq!((last.count, last.notice.job.clone()), (680, None));
    let mut ids: Vec<i64> = shown.iter().flat_map(|(_, popup)| popup.ids.clone()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=680).collect::<Vec<i64>>(), "each is shown exactly once");
}

#[test]
fn failures_among_others_of_their_name_say_of_how_many() {
    let offers = (0..100_u64)
        .map(|n| (n * 20, notice("s", &n.to_string(), "warm", (n % 10 == 0).then_some("full"))))
        .collect();
    let shown = run(offers, 60_000);
    never_more_than_most(&shown);
    let failed = shown.iter().rev().find(|(_, popup)| popup.notice.tone == Tone::Bad);
    let title = &failed.expect("failures").1.notice.title;
    assert_eq!(title, "10 of 100 \u{201c}warm\u{201d} jobs failed, same error");
}

#[test]
fn failures_with_different_errors_share_a_popup_once_they_are_too_many() {
    let words = ["disk full", "no route", "refused", "torn apart", "too old", "too new", "gone"];
    let of = |n: usize| {
        let error = format!("{} by the {}", words[n % 7], words[n / 7 % 7]);
        notice("s", &n.to_string(), &format!("job{n}"), Some(&error))
    };
    let shown = run((0..49).map(|n| (n as u64 * 100, of(n))).collect(), 120_000);
    never_more_than_most(&shown);
    assert_eq!(titles(&shown)[..2], [(0, 1, "job0 failed"), (100, 2, "job1 failed")]);
    let last = &shown.last().expect("a last one").1;
    assert_eq!(last.notice.title, "47 jobs failed");
    assert!(last.notice.body.starts_with("On Mill\njob2 failed\n"), "{}", last.notice.body);
    let ids: usize = shown.iter().map(|(_, popup)| popup.ids.len()).sum();
    assert_eq!(ids, 49);
}

#[test]
fn a_later_excess_is_counted_anew() {
    let burst = |begin: u64| {
        (0..6).map(move |n| {
            let job = format!("{begin}-{n}");
            (begin + n * 10, notice("s", &job, &job, None))
        })
    };
    let shown = run(burst(0).chain(burst(120_000)).collect(), 200_000);
    never_more_than_most(&shown);
    let sums: Vec<(u64, &str)> = shown
        .iter()
        .filter(|(_, popup)| popup.count > 1)
        .map(|(at, popup)| (at / 100_000, popup.notice.title.as_str()))
        .collect();
    assert_eq!(sums, [(0, "4 jobs completed"), (1, "4 jobs completed")]);
}

#[test]
fn servers_and_outcomes_share_no_popup() {
    let shown = run(
        vec![
            (0, notice("a", "1", "warm", None)),
            (10, notice("a", "2", "warm", Some("full"))),
            (20, notice("b", "3", "warm", None)),
        ],
        60_000,
    );
    assert_eq!(shown.len(), 3);
    let popup_ids: Vec<u64> = shown.iter().map(|(_, popup)| popup.popup_id).collect();
    assert_eq!(popup_ids, [1, 2, 3]);
}

#[test]
fn a_flood_that_does_not_end_is_shown_now_and_then() {
    let offers = (0..600_u64)
        .map(|n| (n * 100, notice("s", &n.to_string(), "warm", Some("full"))))
        .collect();
    let shown = run(offers, 120_000);
    never_more_than_most(&shown);
    assert!((7..=9).contains(&shown.len()), "{:?}", titles(&shown));
    assert_eq!(shown.last().expect("a last one").1.count, 600);
}

#[test]
fn the_same_job_takes_its_popups_place_and_one_that_is_looked_at_needs_none() {
    let mut popups = Popups::default();
    let next = |popups: &mut Popups, id, notice, at| {
        popups.offer(id, notice, "Mill", ms(at));
        popups.poll(ms(at)).expect("a popup")
    };
    let failed = next(&mut popups, 1, notice("s", "1", "warm", Some("full")), 0);
    let completed = next(&mut popups, 2, notice("s", "1", "warm", None), 9_000);
    assert_eq!(failed.popup_id, completed.popup_id);
    assert_eq!(completed.notice.title, "warm completed");
    let server = ServerId("s".to_owned());
    assert_eq!(popups.seen(&server, &"other".into()), (None, vec![]));
    assert_eq!(popups.seen(&server, &"1".into()), (Some(1), vec![]));
    assert_eq!(popups.seen(&server, &"1".into()), (None, vec![]));
}

#[test]
fn what_comes_now_and_then_is_shown_one_by_one() {
    let at = |at, job| (at, notice("s", job, "warm", Some("full")));
    let shown = run(vec![at(0, "1"), at(8_000, "2"), at(20_000, "3")], 90_000);
    let alone = "warm failed";
    assert_eq!(titles(&shown), [(0, 1, alone), (8_000, 2, alone), (20_000, 3, alone)]);
    // Once there was a burst, stragglers belong to it.
    let burst = vec![at(0, "1"), at(100, "2"), at(200, "3"), at(20_000, "4")];
    let shown = run(burst, 90_000);
    let last = &shown.last().expect("a last one").1;
    assert_eq!((last.popup_id, last.count), (1, 4));
}

#[test]
fn completions_of_different_jobs_have_popups_of_their_own_while_they_are_few() {
    let at = |at, job| (at, notice("s", job, job, None));
    let shown = run(vec![at(0, "a"), at(1_000, "b"), at(7_000, "c")], 60_000);
    let titles = ["a completed", "b completed", "c completed"];
    assert_eq!(shown.iter().map(|(_, popup)| &popup.notice.title).collect::<Vec<_>>(), titles);
}

#[test]
fn a_server_that_is_removed_takes_what_waits_with_it() {
    let mut popups = Popups::default();
    for id in 1..=5 {
        popups.offer(id, notice("s", &id.to_string(), "warm", Some("full")), "Mill", ms(0));
    }
    assert_eq!(popups.poll(ms(0)).expect("the first").count, 5);
    popups.offer(6, notice("s", "6", "warm", Some("full")), "Mill", ms(10));
    assert_eq!(popups.forget(&ServerId("s".to_owned())), (vec![1], vec![6]));
    assert_eq!(popups.deadline(), None);
}

#[test]
fn any_flow_is_shown_completely_and_within_bounds() {
    // A small generator of its own: the sequence is the same in every run.
    let mut state = 9_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..200 {
        let mut at = 0;
        let offers: Vec<(u64, Notice)> = (0..random(300))
            .map(|n| {
                at += [0, 1, 50, 900, 7_000][random(5) as usize];
                let error = ["full", "no route", "refused"][random(3) as usize];
                let error = (random(3) > 0).then_some(error);
                let (server, name) = (random(3).to_string(), format!("job{}", random(4)));
                (at, notice(&server, &(n % 250).to_string(), &name, error))
            })
            .collect();
        let many = offers.len();
        let shown = run(offers, at + 120_000);
        never_more_than_most(&shown);
        let mut ids: Vec<i64> = shown.iter().flat_map(|(_, popup)| popup.ids.clone()).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=many as i64).collect::<Vec<i64>>());
    }
}

fn running(job: &str, kind: EventKind) -> Notice {
    let trigger = Some(Trigger { kind, rule: "all".to_owned() });
    let base = notice("s", job, "warm", None);
    Notice { key: None, tone: Tone::Plain, title: "warm runs".to_owned(), trigger, ..base }
}

#[test]
fn jobs_that_start_together_share_a_popup() {
    let offers = (0..5).map(|n| (n * 100, running(&n.to_string(), EventKind::Started))).collect();
    let shown = run(offers, 60_000);
    assert_eq!(
        titles(&shown),
        [(0, 1, "warm runs"), (2_000, 1, "5 \u{201c}warm\u{201d} jobs started")]
    );
}

#[test]
fn the_end_of_a_job_takes_the_place_of_its_start() {
    let offers = vec![
        (0, running("1", EventKind::Started)),
        (9_000, running("1", EventKind::Slow)),
        (20_000, notice("s", "1", "warm", None)),
    ];
    let shown = run(offers, 60_000);
    assert_eq!(
        titles(&shown),
        [(0, 1, "warm runs"), (9_000, 1, "warm runs"), (20_000, 1, "warm completed")]
    );
}

#[test]
fn a_connection_that_is_back_takes_the_place_of_its_loss_however_long_it_was_lost() {
    let connection = |kind, tone| Notice { job: None, subject: None, tone, ..running("1", kind) };
    let day = 86_400_000;
    let offers = vec![
        (0, connection(EventKind::Lost, Tone::Bad)),
        (10, notice("s", "1", "warm", None)),
        (day, connection(EventKind::Back, Tone::Good)),
    ];
    let shown = run(offers, day + 60_000);
    assert_eq!(shown.iter().map(|(_, popup)| popup.popup_id).collect::<Vec<_>>(), [1, 2, 1]);
}

#[test]
fn what_the_desktop_may_have_taken_is_shown_again_by_the_same_popup_in_the_same_words() {
    let mut before = Popups::default();
    let failed = |n: i64| notice("s", &n.to_string(), "warm", Some("disk full"));
    let mut last = None;
    for n in 1..=3 {
        before.offer(n, failed(n), "Mill", ms(0));
        last = before.poll(ms(if n == 3 { 2_000 } else { 0 })).or(last);
    }
    let last = last.unwrap();
    assert_eq!((last.popup_id, &*last.ids, last.count), (1, &[2, 3][..], 3));

    let mut after = Popups::default();
    let all = (1..=3).map(|n| (n, failed(n))).collect();
    after.restore(last.popup_id, "Mill", all, last.ids.clone(), ms(0));
    // What comes meanwhile neither swallows it nor is hindered by it.
    after.offer(4, notice("s", "4", "cold", None), "Mill", ms(0));
    assert_eq!(after.poll(ms(0)).unwrap().notice.title, "cold completed");
    let again = after.poll(after.deadline().unwrap()).unwrap();
    assert_eq!(again, last);
    assert_eq!(after.deadline(), None);
}

fn shown(popups: &mut Popups, id: i64, notice: Notice, at: u64) -> Popup {
    popups.offer(id, notice, "Mill", ms(at));
    popups.poll(ms(at)).expect("a popup")
}

#[test]
fn a_fourth_popup_takes_the_oldest_from_the_screen_and_says_how_many_it_showed() {
    let mut popups = Popups::default();
    let minute = 60_000;
    let failed = |n: u64| notice("s", &n.to_string(), &format!("job{n}"), Some("disk full"));
    for n in 0..3 {
        let one = shown(&mut popups, 1 + n as i64, failed(n), n * minute);
        assert_eq!((one.withdraw, &*one.notice.body), (vec![], ""));
    }
    let fourth = shown(&mut popups, 4, failed(3), 3 * minute);
    assert_eq!(fourth.withdraw, [1]);
    assert_eq!(
        (&*fourth.notice.title, &*fourth.notice.body),
        ("job3 failed", "And 1 earlier: 1 failed")
    );
    assert_eq!(fourth.notice.job, Some("3".into()), "it is still about its own job");
    let fifth = shown(&mut popups, 5, notice("s", "4", "job4", None), 4 * minute);
    assert_eq!((fifth.withdraw, &*fifth.notice.body), (vec![2], "And 1 earlier: 1 failed"));
    let sixth = shown(&mut popups, 6, failed(5), 5 * minute);
    let seventh = shown(&mut popups, 7, failed(6), 6 * minute);
    assert_eq!((sixth.withdraw, seventh.withdraw), (vec![3], vec![4]));
    // What was folded into one that is folded itself is counted on.
    assert_eq!(seventh.notice.body, "And 2 earlier: 2 failed");
}

#[test]
fn a_popup_that_has_left_the_screen_makes_room() {
    let mut popups = Popups::default();
    let minute = 60_000;
    let failed = |n: u64| notice("s", &n.to_string(), &format!("job{n}"), Some("disk full"));
    for n in 0..3 {
        shown(&mut popups, 1 + n as i64, failed(n), n * minute);
    }
    popups.closed(2);
    let fourth = shown(&mut popups, 4, failed(3), 3 * minute);
    assert_eq!((fourth.withdraw, &*fourth.notice.body), (vec![], ""));
    // What happens next to its job is shown in its place all the same.
    let again = shown(&mut popups, 5, notice("s", "1", "job1", None), 3 * minute + 9_000);
    assert_eq!((again.popup_id, again.withdraw), (2, vec![1]));
}

#[test]
fn what_an_earlier_run_left_on_the_screen_makes_room_first() {
    let mut popups = Popups::default();
    popups.adopt([70, 71, 72]);
    let one = shown(&mut popups, 1, notice("s", "1", "a", None), 0);
    assert_eq!((one.withdraw, &*one.notice.body), (vec![70], ""));
    popups.closed(71);
    let two = shown(&mut popups, 2, notice("s", "2", "b", None), 60_000);
    assert!(two.withdraw.is_empty());
}

#[test]
fn however_they_come_three_stand_on_the_screen_at_most() {
    let mut state = 5_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..100 {
        let (mut popups, mut now) = (Popups::default(), 0);
        let mut screen = std::collections::BTreeSet::new();
        let mut count = 0;
        let many = 1 + random(200);
        for id in 1..=many {
            now += [0, 20, 900, 7_000, 40_000][random(5) as usize];
            let error = (random(3) > 0).then_some(["full", "no route"][random(2) as usize]);
            let (server, name) = (random(3).to_string(), format!("job{}", random(4)));
            let about = notice(&server, &random(60).to_string(), &name, error);
            popups.offer(id as i64, about, "Mill", ms(now));
            let gone = screen.iter().nth(random(9) as usize).copied();
            if let Some(popup_id) = gone {
                screen.remove(&popup_id);
                popups.closed(popup_id);
            }
            let end = if id == many { now + 120_000 } else { now };
            while now <= end {
                while let Some(popup) = popups.poll(ms(now)) {
                    count += popup.ids.len();
                    popup.withdraw.iter().for_each(|popup_id| {
                        screen.remove(popup_id);
                    });
                    screen.insert(popup.popup_id);
                    assert!(screen.len() <= SCREEN, "{screen:?}");
                }
                now = popups.deadline().map_or(end + 1, |at| at.0.max(now + 1).min(end + 1));
            }
        }
        assert_eq!(count as u64, many);
    }
}
