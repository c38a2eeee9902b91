//! Contenders by rows, sizes by columns.

/// A table beside those of races.
pub(crate) struct Grid {
    /// `Capacity of payment within a p99 of 100 ms`
    pub(crate) heading: String,
    pub(crate) columns: Vec<String>,
    /// As wide as `columns` each.
    pub(crate) rows: Vec<Vec<String>>,
    /// One line each.
    pub(crate) notes: Vec<String>,
}
