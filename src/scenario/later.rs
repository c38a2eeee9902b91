//! What the file format will have and this version has not: said as such, and never as an unknown key.

/// Keys and values by their dotted path; `*` stands for any name. The second part says what will use it.
const LATER: &[(&str, &str)] = &[
    ("fault", "faults of a dependency"),
    ("load.ramp", "other load profiles"),
    ("load.steps", "other load profiles"),
    ("load.trace", "other load profiles"),
    ("load.open.profile", "other load profiles"),
    ("request.lookups", "a dependency that waits"),
    ("contender.*.queue", "a bound on what waits for a thread"),
    ("arrivals=ramp", "other load profiles"),
    ("arrivals=steps", "other load profiles"),
    ("arrivals=bursts", "other load profiles"),
    ("arrivals=trace", "other load profiles"),
];

/// What a key at `path` will be for, if it is a later version's.
pub(super) fn key(path: &[String]) -> Option<&'static str> {
    let is = |pattern: &str| {
        let mut parts = pattern.split('.');
        path.iter().all(|key| parts.next().is_some_and(|part| part == "*" || part == key))
            && parts.next().is_none()
    };
    LATER.iter().find(|(pattern, _)| is(pattern)).map(|(_, purpose)| *purpose)
}

/// What the value `word` of `key` will be for, if it is a later version's.
pub(super) fn word(key: &str, word: &str) -> Option<&'static str> {
    let is = |pattern: &str| pattern.split_once('=').is_some_and(|known| known == (key, word));
    LATER.iter().find(|(pattern, _)| is(pattern)).map(|(_, purpose)| *purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_path_is_matched_whole() {
        assert!(key(&path("contender.mine.queue")).is_some());
        assert!(key(&path("contender.queue")).is_none());
        assert!(key(&path("contender.mine.queue.more")).is_none());
        assert!(key(&path("fault")).is_some());
        assert!(key(&[]).is_none());
        assert!(word("arrivals", "bursts").is_some());
        assert!(word("metric", "p99").is_none());
    }
}
