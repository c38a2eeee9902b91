//! What is around a contender while it is read: its file and the programs it names.

use super::Workload;
use super::store::Store;
use crate::load::plan::Fields;
use std::path::Path;

/// What the rest of the file says about contenders.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) workload: Workload,
    pub(crate) store: &'a Store,
    pub(crate) connections: usize,
    /// What fills in the fields of routes.
    pub(crate) fields: Fields<'a>,
    /// What the routes say of their `host`, where they do.
    pub(crate) host: Option<&'a str>,
    /// The scenario's.
    pub(crate) folder: &'a Path,
    /// Whether a command's program must be there already.
    pub(crate) programs: Programs,
}

/// When the programs of commands are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Programs {
    /// As the file is read.
    Now,
    /// When it is settled which contenders run: a built-in scenario can be listed where its servers are not built.
    Later,
}
