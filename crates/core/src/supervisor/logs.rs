//! Fetching log lines: what is asked of a job's log over HTTP and on the socket, and what the
//! answers mean. These requests belong to no topic's round.

use super::shared::Call;
use super::status::sentence;
use super::work::Purpose;
use super::{Failure, Output, Supervisor};
use crate::dialect::{Ask, FetchRequest, FetchResponse, Outgoing};
use crate::model::{Job, JobId};
use crate::time::Now;

impl Supervisor {
    pub(super) fn fetch_logs(&mut self, job: &JobId, offset: u64, now: Now) {
        let Some(job) = self.board.job(job).cloned() else { return };
        // What the socket can tell of the past it tells besides: only some generations of a server
        // have either way.
        if let Some(link) = self.live() {
            let history = Outgoing::History(job.id.clone());
            if self.pace.free(now.mono) {
                self.encode(link, &history, now);
            } else if self.outbox.push(history, now.mono).is_ok() {
                self.speak(now);
            }
        }
        for request in self.dialect.fetch_logs(&job, offset) {
            self.follow_alone(request, now);
        }
    }

    /// Whether the server can be asked for log lines of before.
    #[must_use]
    pub fn serves_logs(&self, job: &Job) -> bool {
        !self.dialect.fetch_logs(job, 0).is_empty()
    }

    /// Whether log lines are being asked for over HTTP.
    #[must_use]
    pub fn fetching_logs(&self) -> bool {
        self.polling.fetches_logs()
    }

    /// Makes a request that belongs to no round; not while the server wants none, since the next look
    /// asks again.
    pub(super) fn follow_alone(&mut self, request: FetchRequest, now: Now) {
        if self.polling.held(now.mono) {
            return;
        }
        let needed = self.needs_key(&request.ask);
        let pause = self.refused_pause();
        if self.key.forbids(&Call::of(&request), needed, now.mono, pause).is_some() {
            return;
        }
        if self.polling.sizes().1 >= super::polling::MAX_PAGES {
            self.odd("too-many-requests", "Too many requests are under way already.".to_owned());
            return;
        }
        let id = self.polling.number(Purpose::Logs, request.ask.clone(), now.mono);
        self.out.push_back(Output::Fetch(id, request));
    }

    /// A request for log lines has been answered.
    pub(super) fn logs_fetched(
        &mut self,
        ask: &Ask,
        result: Result<FetchResponse, Failure>,
        now: Now,
    ) {
        match result {
            Ok(response) => {
                self.last_heard = Some(now.wall);
                let incoming = self.dialect.parse(ask, &response);
                self.answer(None, incoming, now);
            }
            Err(failure) => {
                let text =
                    self.clean(&format!("Log lines were not fetched. {}", sentence(&failure)));
                self.odd("http-error", text);
            }
        }
    }
}
