//! Which of many tests to believe (Benjamini and Hochberg, 1995): of those that are believed at most a share `rate` is wrong,
//! on average, when the tests are independent.

/// For each p-value whether its test is believed. One that is not a number is not.
pub fn discoveries(p: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let all = order.len() as f64;
    let small = |(place, &i): (usize, &usize)| p[i] <= rate * (place + 1) as f64 / all;
    let last = order.iter().enumerate().rposition(small);
    let mut believed = vec![false; p.len()];
    order[..last.map_or(0, |last| last + 1)].iter().for_each(|&i| believed[i] = true);
    believed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_its_authors_is_found_again() {
        // Their section 4.1: fifteen hypotheses at 5 %, of which four are rejected; Bonferroni rejects three.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        assert_eq!(discoveries(&p, 0.05).iter().filter(|b| **b).count(), 4);
        let mut turned = p;
        turned.reverse();
        assert_eq!(discoveries(&turned, 0.05)[11..], [true; 4], "their order does not matter");
    }

    #[test]
    fn a_small_value_carries_larger_ones_before_it() {
        assert_eq!(discoveries(&[0.04, 0.04], 0.05), [true; 2], "0.04 is above 0.025, and 2 of 2");
        assert_eq!(discoveries(&[0.04, 0.9], 0.05), [false; 2]);
        assert_eq!(discoveries(&[f64::NAN, 0.04], 0.05), [false, true]);
        assert!(discoveries(&[], 0.05).is_empty());
    }
}
