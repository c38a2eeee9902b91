//! How soon a service keeps its promise again after a fault.

/// What a bucket of a trial came to: the requests that were due in it, and those of them that broke the promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SloBucket {
    pub due: u32,
    /// Those that failed or took longer than promised.
    pub late: u32,
}

/// What became of a service after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// So many buckets after the fault's end it was back.
    After(usize),
    /// It was not back before the last second began.
    Never,
    /// No second had requests enough to say.
    TooFew,
}

/// A second counts when it has so many requests: at most 1 % of them late is then at most 10.
const DUE_MIN: u64 = 1_000;

/// The first bucket from `fault_end` on after which at most 1 % of the next second's requests are late.
///
/// `buckets` cover a trial one after the other, `second` of them make a second.
pub fn recovery(buckets: &[SloBucket], second: usize, fault_end: usize) -> Recovery {
    let after = buckets.get(fault_end..).unwrap_or_default();
    let mut counted = false;
    for (place, next) in after.windows(second.max(1)).enumerate() {
        let due: u64 = next.iter().map(|bucket| u64::from(bucket.due)).sum();
        let late: u64 = next.iter().map(|bucket| u64::from(bucket.late)).sum();
        if due >= DUE_MIN {
            counted = true;
            if late * 100 <= due {
                return Recovery::After(place);
            }
        }
    }
    if counted { Recovery::Never } else { Recovery::TooFew }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten buckets a second of 150 requests each; those of `late` buckets are all late.
    fn buckets(seconds: usize, late: std::ops::Range<usize>) -> Vec<SloBucket> {
        let bucket =
            |place| SloBucket { due: 150, late: if late.contains(&place) { 150 } else { 0 } };
        (0..seconds * 10).map(bucket).collect()
    }

    #[test]
    fn the_first_good_second_counts_and_not_the_first_good_beat() {
        assert_eq!(recovery(&buckets(5, 10..23), 10, 20), Recovery::After(3));
        assert_eq!(recovery(&buckets(5, 0..0), 10, 20), Recovery::After(0), "it never hurt");
        let mut relapse = buckets(5, 10..23);
        relapse[30].late = 150;
        assert_eq!(recovery(&relapse, 10, 20), Recovery::After(11), "ten per cent of a second");
        relapse[30].late = 15;
        assert_eq!(recovery(&relapse, 10, 20), Recovery::After(3), "one per cent of a second");
    }

    #[test]
    fn what_is_never_back_and_what_cannot_be_said() {
        assert_eq!(recovery(&buckets(5, 10..50), 10, 20), Recovery::Never);
        assert_eq!(
            recovery(&buckets(3, 0..0), 10, 21),
            Recovery::TooFew,
            "no whole second is left"
        );
        let few: Vec<SloBucket> =
            buckets(5, 0..0).into_iter().map(|bucket| SloBucket { due: 99, ..bucket }).collect();
        assert_eq!(recovery(&few, 10, 20), Recovery::TooFew);
        assert_eq!(recovery(&[], 10, 20), Recovery::TooFew);
    }
}
