//! A bounded queue between the engine's loop, which must not block, and a reader of our output, which
//! may be slow.
//!
//! If the reader falls behind by more than the bound, the newest state of each job and server is kept
//! and printed once there is room; log lines, metrics and the like are dropped, and the output says
//! how many. An outcome is never lost.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use jobwatch_core::model::JobId;
use jobwatch_core::server::ServerId;
use jobwatch_engine::ports::{Sink, StreamEvent};

/// Events that may wait for the reader.
const BOUND: usize = 16_384;

/// The queue.
#[derive(Debug)]
pub struct OutputQueue {
    state: Mutex<State>,
    changed: Condvar,
    bound: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<StreamEvent>,
    /// The newest states of what changed while the queue was full, in order of first change.
    newest: Newest,
    dropped: u64,
    closed: bool,
}

#[derive(Debug, Default)]
struct Newest {
    order: VecDeque<Key>,
    events: std::collections::HashMap<Key, StreamEvent>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Status(ServerId),
    Job(ServerId, JobId),
}

impl Key {
    fn of(event: &StreamEvent) -> Option<Key> {
        match event {
            StreamEvent::Status { server, .. } => Some(Key::Status(server.clone())),
            StreamEvent::Job { server, job, .. } => Some(Key::Job(server.clone(), job.id.clone())),
            _ => None,
        }
    }
}

/// The next item for the reader.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Event(StreamEvent),
    /// This many events were dropped.
    Dropped(u64),
    /// The queue is closed and empty.
    Closed,
}

impl Default for OutputQueue {
    fn default() -> OutputQueue {
        OutputQueue::bounded(BOUND)
    }
}

impl OutputQueue {
    fn bounded(bound: usize) -> OutputQueue {
        OutputQueue { state: Mutex::default(), changed: Condvar::new(), bound }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the queue: waiting events can still be read, new ones are ignored.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next item.
    pub fn next(&self) -> Next {
        let mut state = self.state();
        loop {
            if let Some(event) = state.waiting.pop_front() {
                return Next::Event(event);
            }
            if let Some(key) = state.newest.order.pop_front()
                && let Some(event) = state.newest.events.remove(&key)
            {
                return Next::Event(event);
            }
            let dropped = std::mem::take(&mut state.dropped);
            if dropped > 0 {
                return Next::Dropped(dropped);
            }
            if state.closed {
                return Next::Closed;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Sink for OutputQueue {
    fn event(&self, event: StreamEvent) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        match Key::of(&event) {
            // A key that is among the newest stays there, or an older state would follow it.
            Some(key)
                if state.waiting.len() >= self.bound || state.newest.events.contains_key(&key) =>
            {
                if state.newest.events.insert(key.clone(), event).is_none() {
                    state.newest.order.push_back(key);
                }
            }
            None if state.waiting.len() >= self.bound => state.dropped += 1,
            _ => state.waiting.push_back(event),
        }
        drop(state);
        self.changed.notify_one();
    }
}

/// A sink that calls a function with every event.
pub struct SinkFn<F>(pub F);

impl<F: Fn(StreamEvent) + Send + Sync + 'static> Sink for SinkFn<F> {
    fn event(&self, event: StreamEvent) {
        (self.0)(event);
    }
}

/// `stream` as the engine's port.
#[must_use]
pub fn port(stream: &Arc<OutputQueue>) -> Arc<dyn Sink> {
    Arc::clone(stream) as Arc<dyn Sink>
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobwatch_core::model::{Diagnostic, Job, JobState, Metric, Source};

    fn job(id: &str, state: JobState) -> StreamEvent {
        let job = Job::new(id, state, Source::Socket, jiff::Timestamp::UNIX_EPOCH);
        StreamEvent::Job { server: ServerId("s".to_owned()), job: Arc::new(job), named: false }
    }

    fn odd() -> StreamEvent {
        let diagnostic = Diagnostic { kind: "bad-json", text: String::new(), sample: None };
        StreamEvent::Diagnostic { server: ServerId("s".to_owned()), diagnostic }
    }

    fn metric() -> StreamEvent {
        let metric = Metric { job: None, name: "cpu".to_owned(), value: 1.0, unit: None, at: None };
        StreamEvent::Metric { server: ServerId("s".to_owned()), metric }
    }

    fn drain(stream: &OutputQueue) -> Vec<String> {
        stream.close();
        let mut all = Vec::new();
        loop {
            all.push(match stream.next() {
                Next::Event(StreamEvent::Job { job, .. }) => format!("{} {}", job.id, job.state),
                Next::Event(StreamEvent::Metric { .. }) => "metric".to_owned(),
                Next::Event(_) => "odd".to_owned(),
                Next::Dropped(n) => format!("{n} dropped"),
                Next::Closed => return all,
            });
        }
    }

    #[test]
    fn a_slow_reader_gets_every_outcome_and_the_number_of_dropped_events() {
        let stream = OutputQueue::bounded(2);
        for event in [
            job("a", JobState::Running),
            odd(),
            job("b", JobState::Running),
            metric(),
            job("a", JobState::Completed),
            job("b", JobState::Failed),
            odd(),
        ] {
            stream.event(event);
        }
        assert_eq!(drain(&stream), ["a running", "odd", "b failed", "a completed", "2 dropped"]);
    }

    #[test]
    fn a_newer_state_never_comes_before_an_older_one() {
        let stream = OutputQueue::bounded(1);
        stream.event(odd());
        stream.event(job("a", JobState::Queued));
        assert!(matches!(stream.next(), Next::Event(StreamEvent::Diagnostic { .. })));
        // There is room again, but the job's earlier state still waits among the newest.
        stream.event(job("a", JobState::Running));
        stream.event(metric());
        assert_eq!(drain(&stream), ["metric", "a running"]);
    }
}
