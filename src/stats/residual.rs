//! How far paired differences scatter about their centre, whatever a few bad rounds did.

use super::hodges_lehmann::hodges_lehmann;
use super::median;

/// Makes the median deviation of a normal law its standard deviation: 1 over its upper quartile.
const NORMAL: f64 = 1.4826;

/// 1.4826 median |d - centre|, the centre by Hodges and Lehmann: the standard deviation of a normal law, of which up
/// to half the differences may be something else.
///
/// Infinite differences, those of lost rounds, are left out. `None` without any other, and where one is not a number; 0
/// when more than half are the centre.
pub fn residual_sd(d: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = d.iter().copied().filter(|d| !d.is_infinite()).collect();
    // Any confidence: only the centre is used.
    let centre = hodges_lehmann(&finite, 0.95)?.value;
    scale(&finite, centre)
}

/// The same about zero: for differences whose true centre is known.
pub fn deviation_from_zero(d: &[f64]) -> Option<f64> {
    scale(d, 0.0)
}

fn scale(d: &[f64], centre: f64) -> Option<f64> {
    let deviations: Vec<f64> = d.iter().map(|difference| (difference - centre).abs()).collect();
    Some(NORMAL * median(&deviations)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::test_support::{assert_near, float, floats, rows};

    #[test]
    fn it_is_the_one_of_scipy_and_numpy() {
        let rows = rows(include_str!("../../tests/data/scipy_residuals.json"));
        assert_eq!(rows.len(), 5);
        for row in rows {
            let d = floats(&row["d"]);
            assert_near(
                residual_sd(&d).unwrap(),
                float(&row["s"]),
                &format!("{} of them", d.len()),
            );
        }
    }

    #[test]
    fn wild_rounds_are_no_scatter() {
        let calm = [0.01, -0.02, 0.0, 0.03, -0.01, 0.02, -0.03];
        let mut wild = calm.to_vec();
        wild.extend([5.0, 1000.0]);
        let (calm, wild) = (residual_sd(&calm).unwrap(), residual_sd(&wild).unwrap());
        assert!(wild < 2.0 * calm, "{calm} {wild}");
    }

    #[test]
    fn what_has_no_scatter() {
        assert_eq!(residual_sd(&[]), None);
        assert_eq!(residual_sd(&[f64::NAN]), None);
        assert_eq!(residual_sd(&[f64::INFINITY]), None);
        assert_eq!(residual_sd(&[f64::INFINITY, 1.0, 3.0]), residual_sd(&[1.0, 3.0]));
        assert_eq!(residual_sd(&[4.0]), Some(0.0));
        assert_eq!(residual_sd(&[0.5; 12]), Some(0.0));
        assert_eq!(deviation_from_zero(&[0.5; 12]), Some(0.7413));
    }
}
