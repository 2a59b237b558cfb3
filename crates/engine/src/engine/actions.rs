//! Actions that were asked of a server and wait for its answer.

use std::collections::HashMap;
use std::time::Duration;

use jobwatch_core::supervisor::FetchId;
use jobwatch_core::time::Mono;
use tokio::sync::oneshot;

use crate::views::{ErrorCode, UserError};

/// They are numbered from here on, out of the way of the supervisor's own requests.
const FIRST: u64 = 1 << 63;
/// An action that was not answered by then has failed for the user.
const TIMEOUT: Duration = Duration::from_secs(75);

/// Who waits for what.
#[derive(Default)]
pub(super) struct Actions {
    waiting: HashMap<FetchId, Waiting>,
    asked: u64,
}

type Answer = oneshot::Sender<Result<(), UserError>>;

struct Waiting {
    since: Mono,
    answer: Answer,
}

impl Actions {
    /// Begins to wait; the answer comes under this number.
    pub(super) fn ask(&mut self, answer: Answer, now: Mono) -> FetchId {
        let id = FetchId(FIRST + self.asked);
        self.asked += 1;
        self.waiting.insert(id, Waiting { since: now, answer });
        id
    }

    /// Passes an answer on.
    pub(super) fn answered(&mut self, id: FetchId, result: Result<(), UserError>) {
        if let Some(waiting) = self.waiting.remove(&id) {
            let _ = waiting.answer.send(result);
        }
    }

    /// Ends the waiting that has lasted too long.
    pub(super) fn give_up(&mut self, now: Mono) {
        let late = |_: &FetchId, waiting: &mut Waiting| now.since(waiting.since) >= TIMEOUT;
        for (_, waiting) in self.waiting.extract_if(late) {
            let message =
                "The server did not answer in time, so it is not known whether it did this.";
            let message = message.to_owned();
            let _ = waiting.answer.send(Err(UserError { code: ErrorCode::Server, message }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_nobody_answers_is_given_up_without_another_being_asked_for() {
        let mut actions = Actions::default();
        let (answer, mut answered) = oneshot::channel();
        actions.ask(answer, Mono(1_000));
        actions.give_up(Mono(75_999));
        assert!(answered.try_recv().is_err());
        actions.give_up(Mono(76_000));
        let error = answered.try_recv().unwrap().unwrap_err();
        assert!(error.message.contains("in time"), "{}", error.message);
    }

    #[test]
    fn an_answer_reaches_who_asked() {
        let mut actions = Actions::default();
        let (first, _) = oneshot::channel();
        let (second, mut answered) = oneshot::channel();
        actions.ask(first, Mono(0));
        let id = actions.ask(second, Mono(0));
        actions.answered(id, Ok(()));
        assert_eq!(answered.try_recv().unwrap(), Ok(()));
    }
}
