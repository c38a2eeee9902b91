//! The services of CONTRACT.md as an axum router, without what runs it.

mod app;
pub mod config;
mod handlers;
mod json;
mod rules;
pub mod serve;
pub mod store;

pub use app::{App, BoxFuture, Upstream, router};
pub use rules::dataset::Dataset;

/// The version of a package of Cargo.lock, which is what was built.
pub fn version(package: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split("[[package]]\n").find_map(|entry| {
        entry.strip_prefix("name = \"")?.strip_prefix(package)?.strip_prefix("\"\nversion = \"")
    });
    entry.and_then(|rest| rest.split('"').next()).expect("it is a dependency")
}
