//! The store, on both engines: one suite, run against each.

pub mod answers;
mod apply;
pub mod base;
mod contention;
mod dispatches;
mod doctor;
mod hard;
mod history;
mod laws;
mod look_up;
mod majors;
mod migrate;
mod proxies;
mod read;
mod refused;
mod speed;
mod statements;
mod window;

/// Runs each of these functions, which take a [`base::Base`], on PostgreSQL
/// and on SQLite.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(base) = $crate::store::base::Base::postgres(stringify!($name)).await {
                    super::$name(base).await;
                }
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::store::base::Base::sqlite().await).await;
            })*
        }
    };
}
pub(crate) use on_both;
