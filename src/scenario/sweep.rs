//! Sizes: a contender whose `threads` or `pool` is a list stands for a contender of each size.

use crate::scenario::quantity::Counts;

use super::diagnostic::Diagnostic;
use super::quantity::At;
use super::raw::RawContender;

/// Sizes of one key: beyond this a sweep is a curve of its own.
pub(super) const SIZES_MAX: usize = 8;

/// What a contender is given at one size.
#[derive(Clone, Debug)]
pub(super) struct Size {
    pub(super) threads: Option<At<u64>>,
    pub(super) pool: Option<At<u64>>,
    /// What it adds to the contender's name: `-64`, `-pool-16`; empty where nothing is swept.
    pub(super) suffix: String,
}

/// The sizes of a contender, in the file's order; one where nothing is swept.
pub(super) fn sizes(raw: &RawContender) -> Result<Vec<Size>, Diagnostic> {
    let (threads, pools) = (counts(raw.threads.as_ref())?, counts(raw.pool.as_ref())?);
    let mut sizes = Vec::new();
    for (threads, of_threads) in &threads {
        for (pool, of_pool) in &pools {
            let mut suffix = of_threads.map_or_else(String::new, |count| format!("-{count}"));
            suffix += &of_pool.map_or_else(String::new, |count| format!("-pool-{count}"));
            sizes.push(Size { threads: threads.clone(), pool: pool.clone(), suffix });
        }
    }
    Ok(sizes)
}

/// A count of a key with its place, and once more where it is swept.
type Swept = (Option<At<u64>>, Option<u64>);

/// The counts of a key; a single nothing where it is not given.
fn counts(at: Option<&At<Counts>>) -> Result<Vec<Swept>, Diagnostic> {
    let Some(at) = at else { return Ok(vec![(None, None)]) };
    let count = |value: u64| Some(At { span: at.span.clone(), value });
    let several = match &at.value {
        Counts::One(value) => return Ok(vec![(count(*value), None)]),
        Counts::Several(several) => several,
    };
    if several.len() < 2 || several.len() > SIZES_MAX {
        let title = format!("a sweep has 2 to {SIZES_MAX} sizes");
        let label = match several.len() {
            1 => "1 size".to_owned(),
            n => format!("{n} sizes"),
        };
        return Err(Diagnostic::new(&at.span, title, label).help("write one size without brackets"));
    }
    if several.windows(2).any(|two| two[0] >= two[1]) {
        return Err(Diagnostic::new(&at.span, "a sweep goes upwards", "not above the one before"));
    }
    Ok(several.iter().map(|value| (count(*value), Some(*value))).collect())
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    fn file(contender: &str) -> String {
        format!(
            "schema = 1\nname = \"a\"\ntitle = \"A\"\nworkload = \"payment\"\n\
             experiment = {{ compare = {{ rates = [\"500/s\"] }} }}\nstore.standin = {{}}\n\
             [contender.event-loop]\nmodel = \"event-loop\"\n{contender}"
        )
    }

    fn refused(contender: &str) -> String {
        parse("a.toml", &file(contender)).unwrap_err().to_string()
    }

    #[test]
    fn a_list_is_a_contender_of_each_size() {
        let pool =
            "[contender.pool]\nmodel = \"thread-pool\"\nthreads = [8, 64]\npool = [16, 32]\n";
        let scenario = parse("a.toml", &file(pool)).unwrap();
        let names: Vec<&str> = scenario.contenders.iter().map(|one| one.name.as_str()).collect();
        let sizes = ["pool-8-pool-16", "pool-8-pool-32", "pool-64-pool-16", "pool-64-pool-32"];
        assert_eq!(names, [&["event-loop"][..], &sizes[..]].concat());
        let last = &scenario.contenders[4];
        let built_in = last.built_in().unwrap();
        assert_eq!((built_in.threads, built_in.pool), (Some(64), Some(32)));
        assert_eq!(last.sweep.as_deref(), Some("pool"));
        assert_eq!(scenario.contenders[0].sweep, None);
    }

    #[test]
    fn a_sweep_that_is_none_is_refused() {
        let threads = |list: &str| {
            refused(&format!("[contender.pool]\nmodel = \"thread-pool\"\nthreads = {list}\n"))
        };
        assert!(threads("[]").contains("2 to 8 sizes"));
        assert!(threads("[8]").contains("write one size without brackets"));
        assert!(threads("[8, 8]").contains("goes upwards"));
        assert!(threads("[0, 8]").contains("none at all"));
        assert!(threads("\"8\"").contains("or several in brackets"), "{}", threads("\"8\""));
        assert!(threads("-1").contains("or several in brackets"));
        let twice = "[contender.pool]\nmodel = \"thread-pool\"\nthreads = [8, 9]\n\
                     [contender.pool-9]\nmodel = \"thread-pool\"\n";
        assert!(refused(twice).contains("two contenders are named `pool-9`"), "{}", refused(twice));
    }

    #[test]
    fn memory_bounds_the_sizes_of_a_sweep_and_nothing_else() {
        let with = |memory: &str, threads: &str| {
            let text =
                file(&format!("[contender.pool]\nmodel = \"thread-pool\"\nthreads = {threads}\n"));
            let rates = "compare = { rates = [\"500/s\"] }";
            parse("a.toml", &text.replace(rates, &format!("{rates}, memory = \"{memory}\"")))
        };
        let bound = with("64MiB", "[8, 64]").unwrap().experiments.memory_max_bytes;
        assert_eq!(bound, Some(64 << 20));
        let refused = |memory, threads| with(memory, threads).unwrap_err().to_string();
        assert!(refused("64MiB", "8").contains("none are swept"));
        assert!(refused("64", "[8, 64]").contains("no unit"));
        assert!(refused("0MiB", "[8, 64]").contains("above 0"));
    }

    #[test]
    fn a_statement_names_one_size() {
        let claim = "[contender.pool]\nmodel = \"thread-pool\"\nthreads = [8, 64]\n\
                     [[claim]]\ntext = \"x\"\nmetric = \"p99\"\nof = \"pool\"\nat_most = \"1s\"\n";
        let told = refused(claim);
        assert!(told.contains("`pool` has several sizes"), "{told}");
        assert!(told.contains("pool-8 and pool-64"), "{told}");
        assert!(
            parse("a.toml", &file(&claim.replace("of = \"pool\"", "of = \"pool-64\""))).is_ok()
        );
    }
}
