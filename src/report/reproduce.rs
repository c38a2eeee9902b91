//! How a run is made again: the command, and what must be the same for it to be the same run.

use crate::record::RunResult;
use crate::text::clean;

/// `bakeoff run payment-memory --rounds 10 --order-seed 7301`
pub(crate) fn command(result: &RunResult) -> String {
    if !result.words.is_empty() {
        return format!("{} --order-seed {}", typed(&result.words), result.order_seed);
    }
    let scenario = match result.scenario.as_str() {
        "tour" => String::new(),
        name => format!(" {}", quoted(&clean(name))),
    };
    let (rounds, seed, order) = (result.rounds, result.seed, result.order_seed);
    format!("bakeoff run{scenario} --rounds {rounds} --seed {seed} --order-seed {order}")
}

/// Words after `bakeoff run`, for a shell.
pub(super) fn typed(words: &[String]) -> String {
    let words = words.iter().map(|word| format!(" {}", quoted(&clean(word))));
    format!("bakeoff run{}", words.collect::<String>())
}

/// What the command does not say.
pub(crate) fn note(result: &RunResult) -> String {
    let print = &result.fingerprint;
    format!(
        "The same arrivals, bodies and order of trials follow from the seeds; the figures also need this machine ({} \
         with {} cores, Linux {}), this build (binary {}) and this scenario (hash {} after flags; name its file where \
         it is not built in).",
        clean(&print.cpu_model),
        print.cores,
        clean(&print.kernel),
        clean(&print.binary),
        clean(&print.scenario)
    )
}

/// As one word of a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_as_it_was_asked() {
        let mut result = crate::judge::mock::payments(6, &crate::judge::mock::MODELS);
        assert_eq!(command(&result), "bakeoff run --rounds 6 --seed 42 --order-seed 7301");
        result.words = ["my service.toml", "--contender", "a,b"].map(str::to_owned).to_vec();
        assert_eq!(
            command(&result),
            "bakeoff run 'my service.toml' --contender a,b --order-seed 7301"
        );
    }

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(quoted("payment-memory"), "payment-memory");
        assert_eq!(quoted("a b; rm -rf ~"), "'a b; rm -rf ~'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
