//! Floods: many frames or log lines at a rate.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use jobwatch_core::model::Level;

use crate::control::Flood;
use crate::server::Shared;

/// How often a flood sends its share.
const PACE: Duration = Duration::from_millis(10);

/// Starts a flood that ends by itself, or with the server.
pub(crate) fn start(shared: Arc<Shared>, flood: Flood) {
    let stop = shared.stop.clone();
    tokio::spawn(async move {
        let run = async {
            let began = Instant::now();
            let mut sent = 0_u64;
            while sent < flood.count {
                let due = if flood.per_second == 0 {
                    flood.count
                } else {
                    let elapsed = began.elapsed().as_secs_f64();
                    ((elapsed * flood.per_second as f64) as u64).min(flood.count)
                };
                // Shares are small, so that the server's lock is free in between.
                let share = (due - sent).min(2_000);
                if share > 0 {
                    push(&shared, &flood, sent, share);
                    sent += share;
                }
                if sent >= due {
                    tokio::time::sleep(PACE).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
        };
        tokio::select! {
            () = run => {}
            () = stop.cancelled() => {}
        }
    });
}

fn push(shared: &Shared, flood: &Flood, first: u64, count: u64) {
    shared.with_quiet(|state| {
        let Some(id) = &flood.job else {
            for n in first..first + count {
                let frame = state.protocol.filler(&state.world, n);
                state.sessions.text_all(&frame);
            }
            return;
        };
        let Some((key, position)) = state.world.find(id).map(|job| (job.key, job.log.written()))
        else {
            return;
        };
        for n in first..first + count {
            state.world.write_line(
                key,
                Level::Info,
                format!("flood line {n}: the quick brown fox jumps over the lazy dog"),
            );
        }
        state.flooded += count;
        let frames = state.protocol.lines(&state.world, key, position, count, flood.batch.max(1));
        if frames.is_empty() {
            // The dialect pushes hints at most: let it hear of the last line alone.
            let event = crate::world::Event::Logged(key, position + count - 1);
            state.world.take_events();
            state.protocol.event(&state.world, &mut state.sessions, &event);
        } else {
            state.world.take_events();
            for frame in frames {
                state.sessions.text_all(&frame);
            }
        }
    });
}
