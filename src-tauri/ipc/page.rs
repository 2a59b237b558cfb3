//! The page's end of the engine: the channel that notifies it of changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jobwatch_engine::api::{OpenJob, Tick, Wanted};
use jobwatch_engine::ports::Window;
use tauri::ipc::Channel;

/// The page: its channel and the job that it shows.
#[derive(Default)]
pub struct Page(Mutex<PageState>);

#[derive(Default)]
struct PageState {
    channel: Option<Channel<Tick>>,
    /// What to open once there is a page.
    open: Option<Wanted>,
    focused: bool,
    looking_at: Option<OpenJob>,
}

impl Page {
    fn state(&self) -> MutexGuard<'_, PageState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the channel of a page that has just loaded, and drops the one before. Sends nothing: the
    /// engine notifies a window of everything once it is attached and the views of the page before
    /// are closed. A page notified earlier could open a view that would be closed with those.
    pub fn connect(&self, channel: Channel<Tick>) {
        self.state().channel = Some(channel);
    }

    /// Forgets the page after its window was closed.
    pub fn disconnect(&self) {
        let mut state = self.state();
        state.channel = None;
        state.looking_at = None;
    }

    /// Notes which job the page shows, and whether it has the focus.
    pub fn show(&self, focused: bool, job: Option<&OpenJob>) {
        let mut state = self.state();
        state.focused = focused;
        state.looking_at = job.cloned();
    }

    /// Notes whether the window has the focus; returns that and the shown job, for the engine.
    pub fn focus(&self, focused: bool) -> (bool, Option<OpenJob>) {
        let mut state = self.state();
        state.focused = focused;
        (focused, state.looking_at.clone())
    }
}

impl Window for Page {
    fn tick(&self, tick: &Tick) {
        let mut state = self.state();
        let Some(channel) = state.channel.clone() else {
            if tick.open.is_some() {
                state.open.clone_from(&tick.open);
            }
            return;
        };
        let mut tick = tick.clone();
        let waiting = state.open.take();
        tick.open = tick.open.or(waiting);
        // Sending fails only if the webview is gone.
        if let Err(error) = channel.send(tick) {
            tracing::warn!(%error, "could not notify the page");
            state.channel = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn listen(page: &Page) -> Arc<Mutex<Vec<String>>> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&heard);
        page.connect(Channel::new(move |body| {
            let tauri::ipc::InvokeResponseBody::Json(text) = body else { panic!("not JSON") };
            into.lock().unwrap().push(text);
            Ok(())
        }));
        heard
    }

    fn open(job: &str) -> Tick {
        let (server, job) = ("s".to_owned(), job.to_owned());
        let open = Some(Wanted::Job { server, job, log: false });
        Tick { open, ..Tick::default() }
    }

    #[test]
    fn a_reloaded_page_replaces_the_channel_of_the_old_one() {
        let page = Page::default();
        let old = listen(&page);
        let new = listen(&page);
        page.tick(&Tick { views: vec![7], ..Tick::default() });
        assert!(old.lock().unwrap().is_empty());
        let new = new.lock().unwrap();
        assert_eq!(*new, [r#"{"overview":false,"views":[7],"open":null}"#]);
    }

    #[test]
    fn connecting_a_page_sends_nothing_before_the_engine_is_ready() {
        let heard = listen(&Page::default());
        assert!(heard.lock().unwrap().is_empty());
    }

    #[test]
    fn a_click_before_the_page_has_loaded_opens_the_job_afterwards() {
        let page = Page::default();
        page.tick(&open("a"));
        page.tick(&open("b"));
        let heard = listen(&page);
        let attached = Tick { overview: true, ..Tick::default() };
        page.tick(&attached);
        page.tick(&attached);
        let heard = heard.lock().unwrap();
        let wanted = r#"{"kind":"job","server":"s","job":"b","log":false}"#;
        assert_eq!(heard[0], format!(r#"{{"overview":true,"views":[],"open":{wanted}}}"#));
        assert!(heard[1].contains(r#""open":null"#), "opened once only");
    }

    #[test]
    fn nothing_is_sent_to_a_page_that_is_gone() {
        let page = Page::default();
        let heard = listen(&page);
        page.disconnect();
        page.tick(&Tick { overview: true, ..Tick::default() });
        assert!(heard.lock().unwrap().is_empty());
    }
}
