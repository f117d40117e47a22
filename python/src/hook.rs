//! How a test makes the module panic; nothing of it is in a module that is shipped.

#[cfg(feature = "test-panic")]
static ARMED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// The next call of this module panics.
#[cfg(feature = "test-panic")]
#[pyo3::pyfunction]
pub fn _panic_next() {
    ARMED.store(true, std::sync::atomic::Ordering::SeqCst);
}

pub fn panic_if_armed() {
    #[cfg(feature = "test-panic")]
    if ARMED.swap(false, std::sync::atomic::Ordering::SeqCst) {
        panic!("the text of a panic, which may be anything");
    }
}
