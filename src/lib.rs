//! lkroute: config-as-code for LiveKit call routing.
//!
//! One direction of flow: files → `source` → [`routing`]; database → `store`
//! → snapshot; both → `plan` → `render` or `store::apply`; routing or rows →
//! `resolve` → explain, dispatch, doctor.

pub mod livekit;
pub mod phone;
pub mod secrets;
