//! Every bound of the stand-in, in one place. What goes beyond one is answered with an error that names it.

/// Connections at once; the next is told that there are too many. PostgreSQL's error 53300.
pub(super) const CONNECTIONS_MAX: usize = 16_384;
/// Bytes of one message of a client after its startup, its length included. A longer one ends the connection (08P01).
pub(super) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a startup message, as PostgreSQL has it.
pub(super) const STARTUP_BYTES_MAX: usize = 10_000;
/// Named statements of one connection (54000).
pub(super) const STATEMENTS_MAX: usize = 1_000;
/// Named portals of one connection (54000).
pub(super) const PORTALS_MAX: usize = 1_000;
/// Savepoints of one transaction (54000).
pub(super) const SAVEPOINTS_MAX: usize = 1_000;
/// Statements in one simple query (54000).
pub(super) const SCRIPT_MAX: usize = 1_000;
/// Bytes of the head of an HTTP request (431) and of the body of one (413).
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the body of an HTTP request, which is read and thrown away.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Fields of the head of an HTTP request.
pub(super) const HEADERS_MAX: usize = 64;
/// Bytes that a client may send ahead while it waits for an answer. Nothing more is read until there is room.
pub(super) const INPUT_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Bytes of answers that a client has not taken. Nothing more is read or answered until there are fewer.
pub(super) const OUTPUT_BYTES_MAX: usize = 256 * 1024;
pub(super) const READ_BYTES: usize = 64 * 1024;
/// Bytes that a proxy holds for either side of a connection. Nothing more is read until there is room.
pub(super) const RELAY_BYTES_MAX: usize = 1024 * 1024;
/// Connections of a proxy, each with one to its target. The next is told that there are too many.
pub(super) const RELAYS_MAX: usize = 8_192;
/// Connections of a proxy that wait to be told why they are not relayed. The next is closed untold.
pub(super) const REFUSED_MAX: usize = 1_024;
