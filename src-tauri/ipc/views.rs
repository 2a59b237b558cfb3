//! The page's commands for views.

use std::sync::Arc;

use jobwatch_engine::api::{OpenJob, Overview, UserError, ViewSpec, ViewWindow};
use jobwatch_engine::ports::Window;

use super::host::{ChannelId, Host};

/// Everything except the lists.
pub async fn overview(host: Host) -> Result<Overview, UserError> {
    host.engine.pull_overview().await
}

/// Sets the channel that notifies the page of changes; replaces the one before.
pub async fn subscribe(host: Host, on_tick: ChannelId) -> Result<(), UserError> {
    tracing::debug!("the page subscribed");
    host.page.connect(host.channel(&on_tick)?);
    host.engine.attach_window(Arc::clone(&host.page) as Arc<dyn Window>);
    Ok(())
}

/// Opens a view; returns its id.
pub async fn open_view(host: Host, spec: ViewSpec) -> Result<u32, UserError> {
    host.engine.open_view(spec).await
}

/// The rows of a view's visible range.
pub async fn view_window(
    host: Host,
    view: u32,
    first: u64,
    count: u32,
) -> Result<ViewWindow, UserError> {
    host.engine.view_window(view, first, count).await
}

/// Closes a view.
pub async fn close_view(host: Host, view: u32) -> Result<(), UserError> {
    host.engine.close_view(view).await;
    Ok(())
}

/// Sets which job the page shows and whether it has the focus: that job needs no popup.
pub async fn looking_at(host: Host, focused: bool, job: Option<OpenJob>) -> Result<(), UserError> {
    host.page.show(focused, job.as_ref());
    host.engine.looking_at(focused, job).await;
    Ok(())
}
