//! What the program ends with: a script or a CI job learns it without reading a line.
//!
//! These are the codes of what a verb found. Those of what kept it from finding anything are in
//! [`error::Failure`](crate::error::Failure).

use crate::error::Failure;

/// Success: no statement failed, or failing was not requested.
pub(crate) const OK: u8 = 0;
/// An expectation, an SLO or a gate fails.
pub(crate) const FAILS: u8 = 3;
/// A gate could not decide, or could not gate what it must, and was asked to fail then.
pub(crate) const UNDECIDED: u8 = 4;
/// No number that holds could be made.
pub(crate) const INVALID: u8 = Failure::Invalid as u8;
/// A signal came first; what had finished is kept.
pub(crate) const INTERRUPTED: u8 = Failure::Interrupted as u8;

/// Most severe first, as the method orders verdicts: a number that does not hold cannot fail.
const PRECEDENCE: [u8; 8] = [
    INTERRUPTED,
    Failure::Internal as u8,
    Failure::Usage as u8,
    INVALID,
    Failure::Baseline as u8,
    FAILS,
    UNDECIDED,
    OK,
];

/// Of several runs, the code of all of them.
pub(crate) fn gravest(codes: &[u8]) -> u8 {
    PRECEDENCE.into_iter().find(|code| codes.contains(code)).unwrap_or(OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_of_several_runs_is_what_they_end_with() {
        assert_eq!(gravest(&[]), OK);
        assert_eq!(gravest(&[OK, FAILS, OK]), FAILS);
        assert_eq!(gravest(&[FAILS, INVALID, UNDECIDED]), INVALID);
        assert_eq!(gravest(&[INVALID, INTERRUPTED]), INTERRUPTED);
    }
}
