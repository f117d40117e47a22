//! Being asked to stop. Imports tokio's signals.

/// Ends when the user presses Ctrl-C, or a service manager says stop; never
/// where signals can't be had.
pub(super) async fn asked_to_stop() {
    tokio::select! {
        true = interrupt() => {}
        true = terminate() => {}
        else => std::future::pending().await,
    }
}

async fn interrupt() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}

#[cfg(unix)]
async fn terminate() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => signal.recv().await.is_some(),
        Err(_) => false,
    }
}

#[cfg(not(unix))]
async fn terminate() -> bool {
    false
}
