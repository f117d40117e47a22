//! LiveKit.
